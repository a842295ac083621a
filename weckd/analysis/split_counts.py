"""True sizes of the parts of every split, counted from the split files."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from weckd.config import Suite
from weckd.data.splits import CUT_MARK, read_split
from weckd.errors import UserError

ALL, LABELS, TRAINING = "all", "labels used", "training"
COPIES = "test with copies in training"
_COUNTED = ("n_images", "n_groups", "smallest_class_n")
_COLUMNS = (
    *("suite", "phantom", "dataset", "seed", "part", "n_images", "n_groups", "share_pct", "share_of"),
    *("smallest_class", "smallest_class_n", "missing", "plan_hash"),
)
REMEDY = "delete the file and run the suite again"


@dataclass(frozen=True)
class PartCount:
    """One part of one split. A whole split that is missing has no counts."""

    dataset: str
    seed: int
    part: str  # all, test, validation, training, D1.., labels used (D1 + D2 + ..), rest; COPIES where test is official
    n_images: int | None
    n_groups: int | None
    share: float  # of the images in `share_of`
    share_of: str
    smallest_class: str
    smallest_class_n: int | None
    missing: str


def stage_parts(suite: Suite) -> tuple[str, ...]:
    """Return D1.., all subsets that the split holds."""
    return tuple(f"D{stage}" for stage in range(1, suite.split.stages + 1))


def chain_parts(suite: Suite) -> tuple[str, ...]:
    """Return D1..DN, the subsets that the chain and its controls learn from."""
    return stage_parts(suite)[: suite.chain_length]


def count_splits(suite: Suite, folder: Path) -> tuple[PartCount, ...]:
    """Count the parts of `folder/<dataset>/seed<k>.csv` for every cell of the suite.

    Shares are of what method.md's words say: test of all images, validation of what is not test, the
    stages, their sum and the rest of the training part.

    Raises:
        UserError: a file is no split, see `weckd.data.splits.read_split`, or holds a part or class that the suite does
            not know.
    """
    return tuple(
        count
        for key in suite.datasets
        for seed in suite.seeds
        for count in _count(suite, key, seed, folder / key / f"seed{seed}.csv")
    )


def splits_frame(suite: Suite, counts: Iterable[PartCount]) -> pd.DataFrame:
    """Return the long frame of `splits.csv`."""
    rows = []
    for count in counts:
        row = {**vars(count), "share_pct": 100 * count.share}
        row |= {name: pd.NA for name in _COUNTED if row[name] is None}
        row |= {
            "suite": suite.run,
            "phantom": suite.facts[count.dataset].phantom,
            "plan_hash": suite.plan_hash,
        }
        rows.append(row)
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _count(suite: Suite, key: str, seed: int, file: Path) -> list[PartCount]:
    if not file.exists():
        nothing = float("nan")
        return [PartCount(key, seed, ALL, None, None, nothing, ALL, "", None, f"{key} seed {seed} split")]
    frame = _read(suite, key, file)
    stages = stage_parts(suite)
    training = (*stages, "rest")
    members = {
        ALL: ("test", "validation", *training),
        "test": ("test",),
        "validation": ("validation",),
        TRAINING: training,
        **{stage: (stage,) for stage in stages},
        LABELS: chain_parts(suite),
        "rest": ("rest",),
    }
    not_test = ("validation", *training)
    whole = {ALL: (ALL, members[ALL]), "test": (ALL, members[ALL]), "validation": ("not test", not_test)}
    whole[TRAINING] = whole["validation"]
    if suite.split.protocol == "official":
        members[COPIES], whole[COPIES] = ("test",), ("test", ("test",))
    cut = frame["group_id"].str.endswith(CUT_MARK).to_numpy()
    classes = suite.facts[key].classes
    part_of = pd.Categorical(frame["part"], members[ALL]).codes
    class_of = pd.Categorical(frame["class"], classes).codes
    group_of = pd.factorize(frame["group_id"])[0]
    counts = []
    for part, parts in members.items():
        share_of, base = whole.get(part, (TRAINING, training))
        rows = np.isin(part_of, [members[ALL].index(name) for name in parts]) & (cut | (part != COPIES))
        in_base = np.isin(part_of, [members[ALL].index(name) for name in base])
        by_class = np.bincount(class_of[rows], minlength=len(classes))
        counts.append(
            PartCount(
                dataset=key,
                seed=seed,
                part=part,
                n_images=int(rows.sum()),
                n_groups=len(np.unique(group_of[rows])),
                share=int(rows.sum()) / max(1, int(in_base.sum())),
                share_of=share_of,
                smallest_class=classes[int(by_class.argmin())],
                smallest_class_n=int(by_class.min()),
                missing="",
            )
        )
    return counts


def _read(suite: Suite, key: str, file: Path) -> pd.DataFrame:
    frame = read_split(file)
    known = {
        "part": ("test", "validation", *stage_parts(suite), "rest"),
        "class": suite.facts[key].classes,
    }
    for column, values in known.items():
        unknown = sorted(set(frame[column]) - set(values))
        if unknown:
            raise UserError(f"{file}: {column} {unknown[0]} is not one of {', '.join(values)}; {REMEDY}")
    return frame
