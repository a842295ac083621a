"""True sizes of the parts of every split, counted from the split files."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from weckd.config import Suite
from weckd.data.splits import CUT_MARK, read_split
from weckd.errors import UserError
from weckd.run_files import RunFiles

ALL, LABELS, TRAINING = "all", "labels used", "training"
COPIES = "test with copies in training"
_COLUMNS = (
    *("suite", "phantom", "dataset", "seed", "part", "n_images", "n_groups", "share_pct", "share_of"),
    *("smallest_class", "smallest_class_n", "missing", "plan_hash"),
)
REMEDY = "delete the file and run the suite again"


def stage_parts(suite: Suite) -> tuple[str, ...]:
    """Return D1.., all subsets that the split holds."""
    return tuple(f"D{stage}" for stage in range(1, suite.split.stages + 1))


def chain_parts(suite: Suite) -> tuple[str, ...]:
    """Return D1..DN, the subsets that the chain and its controls learn from."""
    return stage_parts(suite)[: suite.chain_length]


def count_splits(suite: Suite, run: RunFiles) -> pd.DataFrame:
    """Count the parts of the splits of every cell of the suite: a row a part, with the columns of `splits.csv`.

    Parts are all, test, validation, training, D1.., labels used (D1 + D2 + ..), rest, and COPIES where the test parts
    are official. Shares, in percent, are of what method.md's words say: test of all images, validation of what is not
    test, the stages, their sum and the rest of the training part. A split that is missing is one row, without numbers.

    Raises:
        UserError: a file is no split, see `weckd.data.splits.read_split`, or holds a part or class that the suite does
            not know.
    """
    rows = []
    for key in suite.datasets:
        for seed in suite.seeds:
            file = run.split(key, seed)
            of = {"suite": suite.run, "phantom": suite.facts[key].phantom, "dataset": key, "seed": seed}
            lost = {"part": ALL, "n_images": pd.NA, "n_groups": pd.NA, "share_of": ALL, "smallest_class": ""}
            lost |= {"smallest_class_n": pd.NA, "missing": f"{key} seed {seed} split"}
            for count in _count(suite, key, file) if file.exists() else (lost,):
                rows.append({**of, "missing": "", **count, "plan_hash": suite.plan_hash})
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _count(suite: Suite, key: str, file: Path) -> Iterator[dict[str, object]]:
    classes, stages = suite.facts[key].classes, stage_parts(suite)
    training = (*stages, "rest")
    whole = ("test", "validation", *training)
    frame = _read(file, whole, classes)
    # Each part: what it holds, and what its share is of.
    parts = {
        ALL: (whole, ALL, whole),
        "test": (("test",), ALL, whole),
        "validation": (("validation",), "not test", whole[1:]),
        TRAINING: (training, "not test", whole[1:]),
        **{stage: ((stage,), TRAINING, training) for stage in stages},
        LABELS: (chain_parts(suite), TRAINING, training),
        "rest": (("rest",), TRAINING, training),
    }
    if suite.split.protocol == "official":
        parts[COPIES] = (("test",), "test", ("test",))
    cut = frame["group_id"].str.endswith(CUT_MARK).to_numpy()
    part_of = pd.Categorical(frame["part"], whole).codes
    class_of = pd.Categorical(frame["class"], classes).codes
    group_of = pd.factorize(frame["group_id"])[0]
    for part, (names, share_of, base) in parts.items():
        rows, in_base = (np.isin(part_of, [whole.index(name) for name in some]) for some in (names, base))
        rows &= cut | (part != COPIES)
        by_class = np.bincount(class_of[rows], minlength=len(classes))
        yield {
            "part": part,
            "n_images": int(rows.sum()),
            "n_groups": len(np.unique(group_of[rows])),
            "share_pct": 100 * (int(rows.sum()) / max(1, int(in_base.sum()))),
            "share_of": share_of,
            "smallest_class": classes[int(by_class.argmin())],
            "smallest_class_n": int(by_class.min()),
        }


def _read(file: Path, parts: tuple[str, ...], classes: tuple[str, ...]) -> pd.DataFrame:
    frame = read_split(file)
    for column, known in (("part", parts), ("class", classes)):
        unknown = sorted(set(frame[column]) - set(known))
        if unknown:
            raise UserError(f"{file}: {column} {unknown[0]} is not one of {', '.join(known)}; {REMEDY}")
    return frame
