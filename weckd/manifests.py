"""What training says of the cells that it trained, in manifests/<dataset>/<batch>.json: written and read here alone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weckd.config import Suite
from weckd.errors import unreadable
from weckd.files import OWN_SUM, read_text, with_sum, without_sum, write_json
from weckd.run_files import batches


@dataclass(frozen=True)
class TrainedMethod:
    """How a method is made of a cell's fits."""

    labels: int  # number of different labelled images that its fits learn from
    fits: Sequence[str]  # identities
    # members of each stage: {"fit": identity} or {"class_shares": [share of each class]}
    stages: Sequence[Sequence[Mapping[str, Any]]]
    tuning: Mapping[str, Any] = field(
        default_factory=dict
    )  # of `weckd.tuning.chosen`; empty where it is not tuned


@dataclass(frozen=True)
class TrainedCell:
    """One data set and one seed; nothing that differs between two runs."""

    dataset: str
    seed: int
    threads: int
    shared: Mapping[str, Any]  # by all fits, see `weckd.training.identity.cell_ingredients`
    images_of_part: Mapping[str, int]
    fits: Mapping[str, Mapping[str, Any]]  # identity -> what it was and what it ran
    methods: Mapping[str, TrainedMethod]
    plans: tuple[str, ...] = ()
    """hashes of the analysis plans that the run had when its fits were trained, "" of fits that do not tell; empty in
    manifests of earlier versions"""
    frozen: str = ""
    """sum of the frozen cell that it was taken from (`weckd.frozen_cells`); empty where the store has its fits"""

    @property
    def device(self) -> str:
        """The kind of device that it was trained on."""
        return str(self.shared["device"])

    @property
    def versions(self) -> Mapping[str, str]:
        """The version of each library."""
        versions: Mapping[str, str] = self.shared["versions"]
        return versions


def write_manifest(file: Path, cells: Sequence[TrainedCell], **beside: Any) -> None:
    """Write one or more cells of a data set, trained by one job, and what else is to be told beside them."""
    seeds = {
        str(cell.seed): {
            "cell": cell.shared,
            "images_of_part": cell.images_of_part,
            "fits": cell.fits,
            "methods": {
                name: {key: value for key, value in vars(method).items() if key != "tuning" or value}
                for name, method in cell.methods.items()
            },
            **({"plans": cell.plans} if cell.plans else {}),
            **({"frozen": cell.frozen} if cell.frozen else {}),
        }
        for cell in cells
    }
    content = {"dataset": cells[0].dataset, "threads": cells[0].threads, "seeds": seeds, **beside}
    write_json(file, with_sum(content))


def read_manifest(file: Path) -> dict[int, TrainedCell]:
    """Return the cells of a manifest by seed.

    Raises:
        UserError: it cannot be read, is no manifest, or was edited (those of old references have no sum).
    """
    with unreadable(file, "not a manifest of `weckd train`", "make it again"):
        text = read_text(file)
        content = json.loads(text)
        dataset, threads = str(content["dataset"]), int(content["threads"])
        if OWN_SUM in content:
            without_sum(text)
        return {
            int(seed): TrainedCell(
                dataset,
                int(seed),
                threads,
                cell["cell"],
                cell["images_of_part"],
                cell["fits"],
                {name: TrainedMethod(**method) for name, method in cell["methods"].items()},
                tuple(map(str, cell.get("plans", ()))),
                str(cell.get("frozen", "")),
            )
            for seed, cell in content["seeds"].items()
        }


def trained_cells(suite: Suite, manifests: Path) -> tuple[TrainedCell, ...]:
    """Return the suite's cells that `<dataset>/<batch>.json` in a folder of manifests tell of, each once.

    Where the seeds were batched otherwise before, the manifests of those batches still lie there.

    Raises:
        UserError: a manifest cannot be read, see `read_manifest`.
    """
    own = batches(suite)
    cells = {
        (dataset, seed): cell
        for dataset in suite.datasets
        for file in sorted((manifests / dataset).glob("*.json"), key=lambda file: (file.stem in own, file))
        for seed, cell in read_manifest(file).items()
        if seed in suite.seeds
    }
    return tuple(cells.values())
