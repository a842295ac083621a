"""Splits: a test part that all seeds share, and per seed validation, the stages' subsets and the rest.

Sizes and words are those of `weckd.config.SplitSettings`. Everything is drawn by group and stratified by class; a
group with images of several classes counts for its most frequent one (the first of equals).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from weckd.config import SplitSettings
from weckd.errors import UserError
from weckd.files import write_text
from weckd.seeds import generator

COLUMNS = ("image_id", "group_id", "class", "y", "part")
TEST_GROUPS, OTHER_GROUPS = 3, 1
"""Groups of each class that a test part, and any other part, must hold at least."""


@dataclass(frozen=True)
class _Group:
    group_id: str
    class_key: str
    images: int
    first_image: str  # names the group whatever the order of the index


def write_splits(
    dataset: str,
    classes: Sequence[str],
    settings: SplitSettings,
    seeds: Sequence[int],
    prepared: Path,
    groups: Path,
    out: Path,
) -> None:
    """Split a prepared data set for every seed and write `seed<k>.csv` into the folder `out`."""
    index = pd.read_csv(prepared / "index.csv", dtype=str, keep_default_na=False)
    group_of = pd.read_csv(groups, dtype=str, keep_default_na=False)
    for seed in seeds:
        split = draw_split(index, group_of, dataset, classes, settings, seed)
        write_text(out / f"seed{seed}.csv", split.to_csv(index=False, lineterminator="\n"))


def draw_split(
    index: pd.DataFrame,
    groups: pd.DataFrame,
    dataset: str,
    classes: Sequence[str],
    settings: SplitSettings,
    seed: int,
) -> pd.DataFrame:
    """Return image_id, group_id, class, y, part of every image of the kept classes, in index order.

    Args:
        index: columns image_id and class.
        groups: columns image_id and group_id.
        dataset: key of the data set; names the random streams.
        classes: the kept classes; y is the position among them.
        settings: shares and the seed of the test part.
        seed: seed of all other parts.

    Raises:
        UserError: a class has too few groups, or an image no group.
    """
    frame = index.merge(groups, on="image_id", how="left", validate="one_to_one")
    if frame["group_id"].isna().any():
        missing = frame.loc[frame["group_id"].isna(), "image_id"].iloc[0]
        raise UserError(f"{dataset}: image {missing} has no group; make the groups again")
    frame = frame[frame["class"].isin(classes)].reset_index(drop=True)
    frame["y"] = frame["class"].map({name: y for y, name in enumerate(classes)}).astype(int)
    stages = [f"D{number}" for number in range(1, settings.stages + 1)]
    reserve = OTHER_GROUPS * (len(stages) + 1)  # the stages and the rest
    part_of: dict[str, str] = {}
    everything = _groups(frame)
    for class_key in classes:
        own = [group for group in everything if group.class_key == class_key]
        _refuse_few_groups(dataset, class_key, len(own), TEST_GROUPS + OTHER_GROUPS + reserve)
        own = _shuffled(own, "split", dataset, settings.seed, class_key)
        test = _take(own, settings.test, TEST_GROUPS, reserve + OTHER_GROUPS)
        rest = _shuffled(_without(own, test), "subsets", dataset, seed, class_key)
        validation = _take(rest, settings.validation, OTHER_GROUPS, reserve)
        rest = _without(rest, validation)
        chosen = {"test": test, "validation": validation}
        target = settings.stage * _images(rest)
        for number, stage in enumerate(stages):
            left = len(stages) - number  # later stages and the rest
            chosen[stage] = _take(rest, target / max(_images(rest), 1), OTHER_GROUPS, left * OTHER_GROUPS)
            rest = _without(rest, chosen[stage])
        chosen["rest"] = rest
        part_of |= {group.group_id: part for part, taken in chosen.items() for group in taken}
    frame["part"] = frame["group_id"].map(part_of)
    return frame[list(COLUMNS)]


def read_split(path: Path) -> pd.DataFrame:
    """Read and check a split file.

    Raises:
        UserError: it is not one: a column is missing, an image stands twice, a part is unknown, or a group
            crosses parts.
    """
    try:
        split = pd.read_csv(path, dtype={"y": int}, keep_default_na=False)
    except (OSError, ValueError) as problem:
        raise UserError(
            f"{path}: not a readable split file ({problem}); make it with `weckd split`"
        ) from problem
    if tuple(split.columns) != COLUMNS:
        raise UserError(f"{path}: columns must be {','.join(COLUMNS)}; make it with `weckd split`")
    split = split.astype({"image_id": str, "group_id": str, "class": str, "part": str})
    twice = split["image_id"].duplicated()
    if twice.any():
        raise UserError(f"{path}: image {split.loc[twice, 'image_id'].iloc[0]} stands twice")
    unknown = ~split["part"].str.fullmatch(r"test|validation|D\d+|rest")
    if unknown.any():
        raise UserError(f"{path}: unknown part {split.loc[unknown, 'part'].iloc[0]!r}")
    crossing = split.groupby("group_id", sort=False)["part"].nunique() > 1
    if crossing.any():
        raise UserError(f"{path}: group {crossing.idxmax()} crosses parts; a group must stay together")
    return split


def _groups(frame: pd.DataFrame) -> list[_Group]:
    """Return the groups in the order of their first image's name, so that the index's order plays no part."""
    found = []
    for group_id, images in frame.groupby("group_id", sort=False):
        counts = np.bincount(images["y"])
        majority = images.loc[images["y"] == int(counts.argmax()), "class"].iloc[0]
        found.append(_Group(str(group_id), str(majority), len(images), str(images["image_id"].min())))
    return sorted(found, key=lambda group: group.first_image)


def _shuffled(groups: Sequence[_Group], *axes: str | int) -> list[_Group]:
    ordered = sorted(groups, key=lambda group: group.first_image)
    return [ordered[position] for position in generator(*axes).permutation(len(ordered))]


def _take(groups: Sequence[_Group], share: float, minimum: int, reserve: int) -> list[_Group]:
    """Take groups in order until about `share` of their images is reached.

    At least `minimum` groups are taken and at least `reserve` left; a group that would lead further from the
    target than leaving it out is passed over.
    """
    target = share * _images(groups)
    taken: list[_Group] = []
    count = 0
    for group in groups:
        if len(taken) >= len(groups) - reserve:
            break
        nearer = abs(count + group.images - target) < abs(count - target)
        if len(taken) < minimum or nearer:
            taken.append(group)
            count += group.images
    return taken


def _without(groups: Sequence[_Group], taken: Sequence[_Group]) -> list[_Group]:
    gone = {group.group_id for group in taken}
    return [group for group in groups if group.group_id not in gone]


def _images(groups: Sequence[_Group]) -> int:
    return sum(group.images for group in groups)


def _refuse_few_groups(dataset: str, class_key: str, found: int, needed: int) -> None:
    if found < needed:
        raise UserError(
            f"{dataset}: class {class_key} has {found} groups, a split needs {needed} "
            f"(three in test, one in each other part); leave it out with exclude_classes: {{{dataset}: [{class_key}]}}"
        )
