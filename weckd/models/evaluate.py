"""An exported network on labelled images of another source; images that it was trained on are looked for first."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from weckd.analysis.metrics.confidence import brier, ece, nll, scaled
from weckd.analysis.metrics.scores import Predicted, class_mean_score, correct, share_right
from weckd.data.catalogue import Dataset, find_dataset
from weckd.data.duplicates import near_duplicates, pairs_between
from weckd.data.groups import assign_groups
from weckd.data.prepared import FACTS, read_facts, read_images, read_index, read_thumbnails
from weckd.errors import UserError, counted
from weckd.files import write_json, write_text
from weckd.models.export import load_model
from weckd.models.find import prepare_here
from weckd.models.folder import PARTS, Origin, Score, image_hashes, read_origin
from weckd.models.images import WHOLE, too_small
from weckd.models.intervals import in_percent, one_network
from weckd.models.predict import smaller
from weckd.training.batches import outputs
from weckd.training.gather import probabilities_of
from weckd.training.limits import memory_for
from weckd.training.networks import prepare_device

_OF_PROBABILITIES = ("ECE", "Brier", "NLL")
_LEARNT_FROM = ("training", "validation")
"""Parts of its images that decided the network or its temperature."""


@dataclass(frozen=True)
class Evaluation:
    """What an exported network makes of the images of a data set, of which n in G groups count."""

    network: str
    dataset: str
    images: int  # n
    groups: int  # G
    bad: tuple[str, ...]  # images that cannot be read or show nothing
    exact: Mapping[
        str, int
    ]  # images with the pixels of one that the network knows, by the part that this was in
    near: Mapping[str, int] | None  # near-duplicates beside them; None where its images are not at hand
    left_out: int  # images of its classes in a group with one that it learnt from
    not_known: Mapping[str, int]  # images of each class that the network does not have
    not_there: tuple[str, ...]  # classes of the network of which no image counts
    scores: Mapping[str, Score]  # fractions; nll in nats
    calibrated: Mapping[str, Score]  # after temperature scaling; empty where it has no temperature
    accuracy_of_all: Score | None  # with the images that are left out, where there are any
    confusion: Mapping[str, Mapping[str, int]]  # true class -> predicted class -> images


def evaluate(
    folder: Path,
    key: str,
    out: Path,
    *,
    catalogue: Path | None,
    data_root: Path | None,
    mapping: Sequence[str],
    trained_on: Path | None,
    skip_bad: bool,
    batch_size: int,
) -> str:
    """Write evaluation.md, evaluation.json and predictions.csv into a folder, and return the first as text.

    Args:
        folder: of an exported model.
        key: data set of the catalogue.
        out: folder to write.
        catalogue: file of the user's own entries.
        data_root: folder of the user's own copies; nothing is downloaded.
        mapping: `THEIRS=OURS` for classes of other names.
        trained_on: prepared images that the network was trained on; None: those of results/data, where they are.
        skip_bad: leave out images that cannot be read.
        batch_size: images a pass.

    Raises:
        UserError: the folder is no exported model; the data set is not there, or has no class of the network's; or no
            image is left.
    """
    origin, entry = read_origin(folder), find_dataset(key, catalogue)
    class_of = _classes(entry, origin, mapping)
    with tempfile.TemporaryDirectory() as name:
        prepared = Path(name, "prepared")
        of_run = Path("data", key, f"source-{origin.image_size}px.json")
        source = Path(name, "source.json") if data_root or not of_run.exists() else of_run
        prepare_here(entry, origin.image_size, prepared, source, Path("data"), data_root, skip_bad)
        facts = read_facts(prepared)
        thumbnails, images = read_thumbnails(prepared, facts), read_images(prepared, facts)
        index, bad = read_index(prepared), _bad(key, prepared, skip_bad)
    kept = ~index["image_id"].isin(bad)
    index, thumbnails, images = index[kept].reset_index(drop=True), thumbnails[kept], images[kept]
    threshold = float(origin.settings["groups_threshold"])
    groups = assign_groups(index, near_duplicates(thumbnails, threshold).pairs.rows)["group_id"]
    seen = _seen(origin, images, thumbnails, trained_on, threshold)
    learnt = np.logical_or.reduce([rows for (part, _), rows in seen.items() if part in _LEARNT_FROM])
    y = np.array([class_of.get(name, -1) for name in index["class"]], dtype=np.int64)
    counts = (y >= 0) & ~groups.isin(groups[learnt]).to_numpy()
    if not counts.any():
        raise UserError(
            f"{key}: no image is left: all that have a class of the network's are in a group with one that it was "
            "trained on; name images that it has not seen"
        )
    probabilities = probabilities_of(_logits(folder, images, batch_size)).astype(np.float32)
    numbers = np.unique(groups, return_inverse=True)[1]
    scores = _scores(probabilities[counts], y[counts], numbers[counts])
    calibrated = {}
    if origin.temperature is not None:
        softer = scaled(probabilities[None], np.array([origin.temperature]))[0]
        found = _scores(softer[counts], y[counts], numbers[counts])
        calibrated = {name: found[name] for name in _OF_PROBABILITIES}
    known, predicted = y >= 0, probabilities.argmax(axis=1)
    near = {part: int(rows.sum()) for (part, kind), rows in seen.items() if kind == "near"}
    evaluation = Evaluation(
        network=f"{origin.method} of {origin.dataset}, seed {origin.seed}",
        dataset=key,
        images=int(counts.sum()),
        groups=len(np.unique(numbers[counts])),
        bad=tuple(bad),
        exact={part: int(seen[part, "exact"].sum()) for part in PARTS},
        near=near or None,
        left_out=int((known & ~counts).sum()),
        not_known=_counted(index.loc[~known, "class"]),
        not_there=tuple(
            name for number, name in enumerate(origin.classes) if number not in set(y[counts].tolist())
        ),
        scores=scores,
        calibrated=calibrated,
        accuracy_of_all=None
        if counts[known].all()
        else _scores(probabilities[known], y[known], numbers[known])["accuracy"],
        confusion={
            name: {
                other: int(((y == row) & (predicted == column) & counts).sum())
                for column, other in enumerate(origin.classes)
            }
            for row, name in enumerate(origin.classes)
            if ((y == row) & counts).any()
        },
    )
    text = _text(evaluation, facts, trained_on or _prepared(origin))
    write_text(out / "evaluation.md", text)
    write_json(out / "evaluation.json", asdict(evaluation))
    rows = {f"p_{name}": probabilities[:, number] for number, name in enumerate(origin.classes)}
    told = {"image_id": index["image_id"], "group_id": groups, "class": index["class"], "counts": counts}
    frame = pd.DataFrame({**told, **rows})
    write_text(out / "predictions.csv", frame.to_csv(index=False, lineterminator="\n", float_format="%.6g"))
    return text


def _classes(entry: Dataset, origin: Origin, mapping: Sequence[str]) -> dict[str, int]:
    """Return the number of the network's class by that of the data set; others are in no pair."""
    theirs = [each.key for each in entry.classes]
    found = {name: origin.classes.index(name) for name in theirs if name in origin.classes}
    for text in mapping:
        name, separator, ours = text.partition("=")
        if not separator:
            raise UserError(f"--map {text}: must be THEIRS=OURS")
        for value, known, whose in ((name, theirs, entry.key), (ours, origin.classes, "the network")):
            if value not in known:
                raise UserError(
                    f"--map {text}: {whose} has no class {value!r}; its classes are {', '.join(known)}"
                )
        found[name] = origin.classes.index(ours)
    if not found:
        raise UserError(
            f"{entry.key}: none of its classes ({', '.join(theirs)}) is one of the network's "
            f"({', '.join(origin.classes)}); say which is which with --map THEIRS=OURS"
        )
    return found


def _bad(key: str, prepared: Path, skip_bad: bool) -> list[str]:
    """Return the names of images that cannot be read, or are too small to show anything, and tell them.

    Raises:
        UserError: there is one, and it is not to be left out; or no other.
    """
    lost, read = read_index(prepared, left_out=True), read_index(prepared)
    bad = dict(zip(lost["image_id"], lost["problem"], strict=True))
    for name, width, height in read[["image_id", "width", "height"]].itertuples(index=False):
        if why := too_small(int(width), int(height)):
            bad[name] = why
            if not skip_bad:
                advice = f"{WHOLE}, or leave out what cannot be read with --skip-bad"
                raise UserError(f"{key}: {name}: {why}; {advice}")
    for name, why in bad.items():
        print(f"[evaluate] left out: {name}: {why}", file=sys.stderr, flush=True)
    if len(bad) == len(lost) + len(read):
        raise UserError(f"{key}: none of {counted(len(bad), 'image')} can be read; {WHOLE}")
    return list(bad)


def _prepared(origin: Origin) -> Path:
    return Path("results", "data", f"{origin.dataset}-{origin.image_size}px")


def _seen(
    origin: Origin,
    images: NDArray[np.uint8],
    thumbnails: NDArray[np.uint8],
    trained_on: Path | None,
    threshold: float,
) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """Return which images (n,) are copies of some that the network knows, by their part and kind (exact, near)."""
    hashes = image_hashes(images)
    found = {(part, "exact"): np.isin(hashes, origin.seen[part]) for part in PARTS}
    folder = trained_on or _prepared(origin)
    if trained_on is None and not (folder / FACTS).exists():
        return found
    facts = read_facts(folder, origin.dataset)
    if facts["fingerprint"] != origin.fingerprint:
        if trained_on is None:
            return found
        raise UserError(
            f"{folder}: not the images that the network was trained on; name those with --trained-on, or leave it out"
        )
    own, own_hashes = read_thumbnails(folder, facts), image_hashes(read_images(folder, facts))
    for part in PARTS:
        pairs = pairs_between(own[np.isin(own_hashes, origin.seen[part])], thumbnails, threshold)
        near = np.zeros(len(images), dtype=np.bool_)
        near[pairs.rows[:, 1]] = True
        found[part, "near"] = near & ~found[part, "exact"]
    return found


def _logits(folder: Path, images: NDArray[np.uint8], batch_size: int) -> NDArray[np.float32]:
    device = prepare_device()
    with memory_for(f"predictions of {batch_size} images at a time", smaller(batch_size)):
        network = load_model(folder, device)
        batches = (torch.from_numpy(images[at : at + batch_size]) for at in range(0, len(images), batch_size))
        found = [outputs(network, batch.to(device), np.arange(len(batch))).cpu().numpy() for batch in batches]
    return np.concatenate(found)


def _scores(
    probabilities: NDArray[np.float32], y: NDArray[np.int64], groups: NDArray[np.int64]
) -> dict[str, Score]:
    """Return the scores of images (n, C) with classes and groups (n,); a mean over classes is over those of them."""
    numbers = np.unique(groups, return_inverse=True)[1]
    predicted = Predicted(probabilities[None], y, numbers, ())
    right = correct(predicted.probabilities, y)
    return {
        "accuracy": one_network(share_right(right, numbers)),
        "balanced accuracy": one_network(
            class_mean_score(right, np.unique(y, return_inverse=True)[1], numbers)
        ),
        "ECE": one_network(ece(predicted)),
        "Brier": one_network(brier(predicted), most=2.0),
        "NLL": one_network(nll(predicted), most=np.inf),
    }


def _counted(values: "pd.Series[str]") -> dict[str, int]:
    return {str(name): int(number) for name, number in values.value_counts(sort=False).items()}


def _text(found: Evaluation, facts: Mapping[str, Any], looked_in: Path) -> str:
    """Return the evaluation as Markdown."""
    copies = [
        f"| {part} | {found.exact[part]} | {found.near[part] if found.near else '-'} |" for part in PARTS
    ]
    lacking = (
        []
        if found.near
        else [
            "",
            f"Near-duplicates were not looked for: {looked_in} has not the images that it was trained on.",
        ]
    )
    names = tuple(found.scores)
    shares = [f"| {name} | {in_percent(found.scores[name])} |" for name in names[:2]]
    if found.accuracy_of_all:
        shares.append(f"| accuracy of all, with those left out | {in_percent(found.accuracy_of_all)} |")
    calibration = [
        f"| {name} | {_plain(found.scores[name])} | "
        f"{_plain(found.calibrated[name]) if found.calibrated else '-'} |"
        for name in _OF_PROBABILITIES
    ]
    predicted = list(next(iter(found.confusion.values())))
    confusion = [
        f"| {name} | {' | '.join(str(number) for number in row.values())} |"
        for name, row in found.confusion.items()
    ]
    not_known = ", ".join(f"{name} ({counted(number, 'image')})" for name, number in found.not_known.items())
    bad = [f"- Cannot be read, left out: {counted(len(found.bad), 'image')}."] if found.bad else []
    return "\n".join(
        [
            f"# {found.network}, on {found.dataset}",
            "",
            f"{facts['title']}: {counted(found.images, 'image')} in {counted(found.groups, 'group')} count. "
            f"Licence: {facts['licence']}.",
            "",
            f"- Classes that the network does not have, left out: {not_known or 'none'}.",
            f"- Classes of the network without an image here: {', '.join(found.not_there) or 'none'}.",
            f"- In a group with an image that it was trained or calibrated on, left out: "
            f"{counted(found.left_out, 'image')}.",
            *bad,
            "",
            "## Overlap",
            "",
            "Images here that are copies of those that the network knows:",
            "",
            "| its part | same pixels | near-duplicates |",
            "| --- | --- | --- |",
            *copies,
            *lacking,
            "",
            "## Scores",
            "",
            "| | % [95 % interval] |",
            "| --- | --- |",
            *shares,
            "",
            "Intervals are over groups (patients, and near-duplicates of each other): another draw of images, the same "
            "network.",
            "",
            "## Calibration",
            "",
            "| | as it is | after temperature scaling |",
            "| --- | --- | --- |",
            *calibration,
            "",
            "## Confusion matrix",
            "",
            f"| true / predicted | {' | '.join(predicted)} |",
            f"| --- |{' --- |' * len(predicted)}",
            *confusion,
            "",
        ]
    )


def _plain(score: Score) -> str:
    if score.low is None or score.high is None:
        return f"{score.value:.3f}"
    return f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]"
