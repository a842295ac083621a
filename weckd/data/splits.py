"""Splits: a test part that all seeds share, and per seed validation, the stages' subsets and the rest.

Sizes and words are those of `weckd.config.SplitSettings`. Everything is drawn by group and stratified by class; a
group with images of several classes counts for its most frequent one (the first of equals). Shares are shares of a
class's images; a part misses its share by no more than half a group, unless the groups that it, or a part drawn
later, needs at least are too large or too few. A group of twice a part's share or more is left to a later part, in
the end to the rest.

Beside the disjoint D1, D2, .. there are overlapping draws E2, E3, ..: as large, each drawn from the whole training part
for itself (the first of them would be D1). Where the settings ask for halves, H1, H2, .. are draws too: each about half
of its subset's images, of every class that has any.

With the protocol `official` the test part is the source's own, copies of training images included: all other parts are
drawn as ever. A group that the source's border cuts becomes two: its test images are a group of their own, whose name
says so (`CUT_MARK`).
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weckd.config import SplitSettings
from weckd.data.prepared import read_facts, read_index, refuse_unprepared
from weckd.data.shares import (
    OTHER_GROUPS,
    REFUSED,
    TEST_GROUPS,
    TOLD,
    least_groups,
    missed,
    share_problem,
    too_few,
)
from weckd.errors import UserError, counted, unreadable
from weckd.files import FOLDER_SUMS, refuse_changed, write_sums, write_text
from weckd.seeds import generator

COLUMNS = ("image_id", "group_id", "class", "y", "part", "draws")
CUT_MARK = "-cut"
"""Ends the name of a group of official test images that have copies among the source's images for training."""


@dataclass(frozen=True)
class _Group:
    group_id: str
    class_key: str
    images: int
    first_image: str  # names the group whatever the order of the index
    official_test: bool  # whether it is of the source's own test part, where that is the protocol


def write_splits(
    dataset: str,
    classes: Sequence[str],
    settings: SplitSettings,
    seeds: Sequence[int],
    prepared: Path,
    groups: Path,
    out: Path | None,
) -> None:
    """Split a prepared data set for every seed; write `seed<k>.csv` and sums into the folder `out`, None: nowhere.

    A part that misses its share by more than `TOLD` of it is told on stderr.

    Raises:
        UserError: see `draw_split`; the index or the groups are not what was written, or of another data set; or a part
            misses its share by more than `REFUSED` of it.
    """
    refuse_unprepared(prepared, read_facts(prepared, dataset), "index.csv")
    refuse_changed(groups, groups.with_name(FOLDER_SUMS))
    index = read_index(prepared)
    group_of = _read_groups(groups, index, dataset)
    splits = {seed: draw_split(index, group_of, dataset, classes, settings, seed) for seed in seeds}
    _tell_shares(dataset, settings, splits)
    if out is None:
        return
    files = {out / f"seed{seed}.csv": split for seed, split in splits.items()}
    for file, split in files.items():
        write_text(file, split.to_csv(index=False, lineterminator="\n"))
    write_sums(out / FOLDER_SUMS, files)


def _tell_shares(dataset: str, settings: SplitSettings, splits: Mapping[int, pd.DataFrame]) -> None:
    """Tell of each part's share that misses by most what is set, or refuse it."""
    worst: dict[str, tuple[float, float, str]] = {}
    for seed, split in splits.items():
        sizes = split["part"].value_counts()
        learnt = len(split) - sizes["test"]
        shares = {
            "test": ("test", sizes["test"] / len(split)),
            "validation": ("validation", sizes["validation"] / learnt),
        }
        for number in range(1, settings.stages + 1):
            shares[f"D{number}"] = ("stage", sizes[f"D{number}"] / (learnt - sizes["validation"]))
        for part, (key, share) in shares.items():
            off = missed(getattr(settings, key), share)
            if off > worst.get(key, (-1.0,))[0] and not (key == "test" and settings.protocol == "official"):
                worst[key] = (off, share, f"groups under seed {seed} ({part})")
    for key, (off, share, found) in worst.items():
        problem = share_problem(dataset, key, getattr(settings, key), share, found)
        if off > REFUSED:
            raise UserError(problem)
        if off > TOLD:
            print(f"[{dataset}] {problem.partition(';')[0]}", file=sys.stderr, flush=True)


def _read_groups(file: Path, index: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Return the group of every image; refuse a file of another data set, or that is none."""
    remedy = f"make it with `weckd group --dataset {dataset}`"
    with unreadable(file, "not a readable file of groups", remedy):
        groups = pd.read_csv(file, dtype=str, keep_default_na=False)
    if not {"image_id", "group_id"} <= set(groups.columns):
        raise UserError(f"{file}: columns must be image_id and group_id; {remedy}")
    strangers = index.loc[~index["image_id"].isin(groups["image_id"]), "image_id"]
    if len(strangers):
        raise UserError(f"{file}: has no group of {strangers.iloc[0]} of {dataset}; {remedy}")
    return groups


def draw_split(
    index: pd.DataFrame,
    groups: pd.DataFrame,
    dataset: str,
    classes: Sequence[str],
    settings: SplitSettings,
    seed: int,
) -> pd.DataFrame:
    """Return image_id, group_id, class, y, part and draws of every image of the kept classes, in index order.

    Draws names the draws beside the parts that hold the image, as "E2+E3" or "H1".

    Args:
        index: columns image_id and class, and official_split where the protocol is the official one.
        groups: columns image_id and group_id.
        dataset: key of the data set; names the random streams.
        classes: the kept classes; y is the position among them.
        settings: shares, the seed of the test part, and the protocol that chooses it.
        seed: seed of all other parts.

    Raises:
        UserError: a class has too few groups, an image no group, or the source no test part of its own.
    """
    frame = index.merge(groups, on="image_id", how="left", validate="one_to_one")
    if frame["group_id"].isna().any():
        missing = frame.loc[frame["group_id"].isna(), "image_id"].iloc[0]
        raise UserError(f"{dataset}: image {missing} has no group; make the groups again")
    frame = frame[frame["class"].isin(classes)].reset_index(drop=True)
    official = settings.protocol == "official"
    frame = _cut_groups(frame, dataset) if official else frame.assign(official_test=False)
    frame["y"] = frame["class"].map({name: y for y, name in enumerate(classes)}).astype(int)
    stages = [f"D{number}" for number in range(1, settings.stages + 1)]
    reserve = OTHER_GROUPS * (len(stages) + 1)  # the stages and the rest
    part_of: dict[str, str] = {}
    draws_of: dict[str, list[str]] = {}
    everything = _groups(frame, classes)
    for class_key in classes:
        own = [group for group in everything if group.class_key == class_key]
        if official:
            test = [group for group in own if group.official_test]
            _refuse_few_groups(dataset, class_key, counted(len(test), "test group"), len(test), TEST_GROUPS)
            training = len(own) - len(test)
            found = counted(training, "group") + " for training"
            _refuse_few_groups(dataset, class_key, found, training, reserve + OTHER_GROUPS)
        else:
            least, images, found = least_groups(settings.stages), _images(own), counted(len(own), "group")
            if images >= least:
                found += f" of {counted(images, 'image')} (near-duplicates, or a patient's, are one group)"
            _refuse_few_groups(dataset, class_key, found, len(own), least)
            own = _shuffled(own, "split", dataset, settings.seed, class_key)
            test = _take(own, settings.test * _images(own), TEST_GROUPS, reserve + OTHER_GROUPS)
        rest = _shuffled(_without(own, test), "subsets", dataset, seed, class_key)
        validation = _take(rest, settings.validation * _images(rest), OTHER_GROUPS, reserve)
        rest = _without(rest, validation)
        chosen = {"test": test, "validation": validation}
        target = settings.stage * _images(rest)
        for number in range(2, len(stages) + 1):
            pool = _shuffled(rest, "overlapping", dataset, seed, class_key, number)
            for group in _take(pool, target, OTHER_GROUPS, OTHER_GROUPS):
                draws_of.setdefault(group.group_id, []).append(f"E{number}")
        for number, stage in enumerate(stages):
            left = len(stages) - number  # later stages and the rest
            chosen[stage] = _take(rest, target, OTHER_GROUPS, left * OTHER_GROUPS)
            rest = _without(rest, chosen[stage])
            if settings.halves:
                pool = _shuffled(chosen[stage], "half", dataset, seed, class_key, number)
                for group in _take(pool, _images(pool) / 2, OTHER_GROUPS, 0):
                    draws_of.setdefault(group.group_id, []).append(f"H{number + 1}")
        chosen["rest"] = rest
        part_of |= {group.group_id: part for part, taken in chosen.items() for group in taken}
    frame["part"] = frame["group_id"].map(part_of)
    frame["draws"] = frame["group_id"].map(lambda group_id: "+".join(draws_of.get(group_id, [])))
    return frame[list(COLUMNS)]


def part_rows(split: pd.DataFrame) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each part and of each draw beside them, in the split's order."""
    members: dict[str, list[int]] = {}
    for row, (part, draws) in enumerate(zip(split["part"], split["draws"], strict=True)):
        for name in [part, *filter(None, draws.split("+"))]:
            members.setdefault(name, []).append(row)
    return {name: np.array(rows, dtype=np.int64) for name, rows in sorted(members.items())}


def written_split(file: Path) -> pd.DataFrame:
    """Return a split as `write_splits` wrote it.

    Raises:
        UserError: see `read_split`; or it was edited or damaged since.
    """
    split = read_split(file)
    refuse_changed(file, file.with_name(FOLDER_SUMS))
    return split


def read_split(path: Path) -> pd.DataFrame:
    """Read and check a split file.

    Raises:
        UserError: it is not one: a column is missing, an image is given twice, a part is unknown, a group crosses
            parts, or classes and y do not match. The message names the first offender.
    """
    with unreadable(path, "not a readable split file", "make it with `weckd split`"):
        split = pd.read_csv(path, dtype=str, keep_default_na=False)
    if tuple(split.columns) != COLUMNS:
        raise UserError(f"{path}: columns must be {','.join(COLUMNS)}; make it with `weckd split`")
    _refuse_any(path, split, split["image_id"].duplicated(), "image {image_id} is given twice")
    wrong_y = ~split["y"].str.fullmatch(r"[0-9]+")
    _refuse_any(path, split, wrong_y, "image {image_id} has y {y!r}, which is no class's number")
    unknown = ~split["part"].str.fullmatch(r"test|validation|D[1-9][0-9]*|rest")
    _refuse_any(path, split, unknown, "image {image_id} is in an unknown part {part!r}")
    held_out = split["part"].isin(["test", "validation"]) & (split["draws"] != "")
    _refuse_any(path, split, held_out, "image {image_id} is held out, and in a draw for training ({draws})")
    not_draws = ~split["draws"].str.fullmatch(r"([EH][1-9][0-9]*(\+[EH][1-9][0-9]*)*)?")
    _refuse_any(path, split, not_draws, "image {image_id} is in unknown draws {draws!r}")
    crossing = split.groupby("group_id")["part"].transform("nunique") > 1
    _refuse_any(path, split, crossing, "group {group_id} crosses parts; a group must stay together")
    two_numbers = split.groupby("class")["y"].transform("nunique") > 1
    _refuse_any(path, split, two_numbers, "class {class} has more than one y")
    two_classes = split.groupby("y")["class"].transform("nunique") > 1
    _refuse_any(path, split, two_classes, "y {y} belongs to more than one class")
    return split.astype({"y": int})


def _refuse_any(path: Path, split: pd.DataFrame, wrong: "pd.Series[bool]", message: str) -> None:
    if wrong.any():
        row = {str(column): str(value) for column, value in split[wrong].iloc[0].items()}
        raise UserError(f"{path}: {message.format_map(row)}; make it again with `weckd split`")


def _cut_groups(frame: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Return the frame with official_test, and no group on both sides of the official border."""
    test = frame["official_split"] == "test"
    if not test.any():
        raise UserError(
            f"{dataset}: its source has no test part of its own; set split.protocol to grouped, or leave it out"
        )
    cut = test & frame["group_id"].isin(frame.loc[~test, "group_id"])
    return frame.assign(
        official_test=test, group_id=frame["group_id"].where(~cut, frame["group_id"] + CUT_MARK)
    )


def _groups(frame: pd.DataFrame, classes: Sequence[str]) -> list[_Group]:
    """Return the groups in the order of their first image's name, so that the index's order plays no part."""
    counts = frame.groupby(["group_id", "y"]).size().unstack(fill_value=0)
    images = counts.sum(axis="columns").to_dict()
    majority = counts.idxmax(axis="columns").to_dict()  # columns are y in order: the first of equals
    first = frame.groupby("group_id")["image_id"].min().to_dict()
    test = frame.groupby("group_id")["official_test"].first().to_dict()
    found = [
        _Group(str(key), classes[majority[key]], images[key], str(first[key]), bool(test[key]))
        for key in images
    ]
    return sorted(found, key=lambda group: group.first_image)


def _shuffled(groups: Sequence[_Group], *axes: str | int) -> list[_Group]:
    ordered = sorted(groups, key=lambda group: group.first_image)
    return [ordered[position] for position in generator(*axes).permutation(len(ordered))]


def _take(groups: Sequence[_Group], target: float, minimum: int, reserve: int) -> list[_Group]:
    """Take each group, in order, that brings the number of images nearer to the target.

    At least `minimum` groups are taken, if need be the smallest of those passed over; at least `reserve` are left.
    """
    taken: list[_Group] = []
    count = 0
    for group in groups:
        if len(taken) < len(groups) - reserve and count + group.images / 2 < target:
            taken.append(group)
            count += group.images
    passed_over = sorted(_without(groups, taken), key=lambda group: group.images)
    return taken + passed_over[: max(0, minimum - len(taken))]


def _without(groups: Sequence[_Group], taken: Sequence[_Group]) -> list[_Group]:
    gone = {group.group_id for group in taken}
    return [group for group in groups if group.group_id not in gone]


def _images(groups: Sequence[_Group]) -> int:
    return sum(group.images for group in groups)


def _refuse_few_groups(dataset: str, class_key: str, found: str, number: int, needed: int) -> None:
    if number < needed:
        raise UserError(too_few(dataset, class_key, found, needed))
