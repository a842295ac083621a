"""What the run's manifests say of each trained cell: where, with what, and which fits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weckd.config import Suite
from weckd.errors import UserError


@dataclass(frozen=True)
class TrainedCell:
    """One data set and one seed."""

    dataset: str
    seed: int
    device: str
    threads: int
    versions: Mapping[str, str]  # library -> version
    fits: Mapping[str, Mapping[str, Any]]  # identity -> what it was and what it ran


def trained_cells(suite: Suite, run: Path) -> tuple[TrainedCell, ...]:
    """Return the suite's cells that `manifests/<dataset>/<batch>.json` tell of (see `weckd.training.job`).

    Raises:
        UserError: a manifest cannot be read.
    """
    return tuple(
        cell
        for dataset in suite.datasets
        for file in sorted((run / "manifests" / dataset).glob("*.json"))
        for cell in _cells(dataset, file)
        if cell.seed in suite.seeds
    )


def _cells(dataset: str, file: Path) -> list[TrainedCell]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return [
            TrainedCell(
                dataset,
                int(seed),
                entry["cell"]["device"],
                content["threads"],
                entry["cell"]["versions"],
                entry["fits"],
            )
            for seed, entry in content["seeds"].items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise UserError(
            f"{file}: not a readable manifest ({problem!r}); make it again with `weckd train`"
        ) from problem
