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
from weckd.data.duplicates import near_duplicates
from weckd.data.groups import assign_groups
from weckd.data.prepared import read_facts, read_images, read_index, read_thumbnails
from weckd.errors import UserError, counted
from weckd.files import write_json, write_text
from weckd.models.export import load_model
from weckd.models.find import own_options, prepare_here
from weckd.models.folder import PARTS, Origin, Score, read_origin
from weckd.models.images import WHOLE, too_small
from weckd.models.intervals import in_percent, of_groups, one_network
from weckd.models.overlap import (
    copies_of_seen,
    lacking,
    prepared_folder,
    refuse_unknown_copies,
    trained_images,
)
from weckd.models.predict import smaller
from weckd.training.batches import outputs
from weckd.training.gather import probabilities_of
from weckd.training.limits import memory_for
from weckd.training.networks import prepare_device

_OF_PROBABILITIES = ("ECE", "Brier", "NLL")
_LEARNT_FROM = ("training", "validation")
"""Parts of its images that decided the network or its temperature."""
_UNKNOWN = "unknown"
_TEXT, _NUMBERS, _TABLE = "evaluation.md", "evaluation.json", "predictions.csv"
_OWN_OPTIONS = {"skip_bad=true": "--skip-bad", "catalogue=FILE": "--catalogue FILE"}
"""What messages on data sets call otherwise than this command, beside --data-root."""


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
    near: Mapping[str, int] | str  # near-duplicates beside them; "unknown" where its images are not at hand
    left_out: int  # images of its classes in a group with one that it learnt from
    not_known: Mapping[str, int]  # images of each class that the network does not have
    not_there: tuple[str, ...]  # classes of the network of which no image counts
    mapped: Mapping[str, str]  # classes of the data set, by --map, as classes of the network
    most_frequent: (
        str  # class of the most images, and how many of all are right where it is always the answer
    )
    always_most_frequent: float
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
        UserError: the folder is no exported model; the data set is not there, or has no class of the network's; no
            image is left; `out` holds something else; or the data set shares a source with the images that the network
            was trained on, and near-duplicates of those cannot be looked for.
    """
    origin = read_origin(folder)
    _refuse_taken(out)
    with own_options(_OWN_OPTIONS):
        entry = find_dataset(key, catalogue)
    mapped = _mapped(entry, origin, mapping)
    class_of = _classes(entry, origin, mapped)
    own = trained_images(origin, trained_on)
    refuse_unknown_copies(origin, key, catalogue, own)
    with tempfile.TemporaryDirectory() as name:
        prepared = Path(name, "prepared")
        of_run = Path("data", key, f"source-{origin.image_size}px.json")
        source = Path(name, "source.json") if data_root or not of_run.exists() else of_run
        with own_options(_OWN_OPTIONS):
            prepare_here(entry, origin.image_size, prepared, source, Path("data"), data_root, skip_bad)
        facts = read_facts(prepared)
        thumbnails, images = read_thumbnails(prepared, facts), read_images(prepared, facts)
        index, bad = read_index(prepared), _bad(key, prepared, skip_bad)
    kept = ~index["image_id"].isin(bad)
    index, thumbnails, images = index[kept].reset_index(drop=True), thumbnails[kept], images[kept]
    threshold = float(origin.settings["groups_threshold"])
    groups = assign_groups(index, near_duplicates(thumbnails, threshold).pairs.rows)["group_id"]
    seen = copies_of_seen(origin, images, thumbnails, own, threshold)
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
    of_class = np.bincount(y[counts], minlength=len(origin.classes))
    evaluation = Evaluation(
        network=f"{origin.method} of {origin.dataset}, seed {origin.seed}",
        dataset=key,
        images=int(counts.sum()),
        groups=len(np.unique(numbers[counts])),
        bad=tuple(bad),
        exact={part: int(seen[part, "exact"].sum()) for part in PARTS},
        near=near or _UNKNOWN,
        left_out=int((known & ~counts).sum()),
        not_known=_counted(index.loc[~known, "class"]),
        not_there=tuple(
            name for number, name in enumerate(origin.classes) if number not in set(y[counts].tolist())
        ),
        mapped=mapped,
        most_frequent=origin.classes[int(of_class.argmax())],
        always_most_frequent=float(of_class.max() / of_class.sum()),
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
    patients = bool((index["given_group"] != "").any())
    text = _text(evaluation, facts, prepared_folder(origin), _swapped(entry, origin, mapped), patients)
    write_text(out / _TEXT, text)
    write_json(out / _NUMBERS, asdict(evaluation))
    rows = {f"p_{name}": probabilities[:, number] for number, name in enumerate(origin.classes)}
    told = {"image_id": index["image_id"], "group_id": groups, "class": index["class"], "counts": counts}
    frame = pd.DataFrame({**told, **rows})
    write_text(out / _TABLE, frame.to_csv(index=False, lineterminator="\n", float_format="%.6g"))
    return text


def _refuse_taken(out: Path) -> None:
    if not out.exists():
        return
    there = {path.name for path in out.iterdir()} if out.is_dir() else {out.name}
    if there and not (_TEXT in there and out.is_dir() and there <= {_TEXT, _NUMBERS, _TABLE}):
        raise UserError(f"{out}: there is something that is no evaluation; choose another folder")


def _mapped(entry: Dataset, origin: Origin, mapping: Sequence[str]) -> dict[str, str]:
    """Return the network's class of each of the data set's that --map names."""
    theirs, found = [each.key for each in entry.classes], dict[str, str]()
    for text in mapping:
        name, separator, ours = text.partition("=")
        if not separator:
            told = f"{entry.key} has {', '.join(theirs)}; the network has {', '.join(origin.classes)}"
            raise UserError(f"--map {text}: must be THEIRS=OURS; {told}")
        for value, known, whose in ((name, theirs, entry.key), (ours, origin.classes, "the network")):
            if value not in known:
                raise UserError(
                    f"--map {text}: {whose} has no class {value!r}; its classes are {', '.join(known)}"
                )
        if found.setdefault(name, ours) != ours:
            raise UserError(f"--map {text}: {name} is {found[name]} already; leave one out")
    return found


def _classes(entry: Dataset, origin: Origin, mapped: Mapping[str, str]) -> dict[str, int]:
    """Return the number of the network's class by that of the data set; others are in no pair."""
    theirs = [each.key for each in entry.classes]
    by_name = {name: name for name in theirs if name in origin.classes}
    if not (found := {**by_name, **mapped}):
        raise UserError(
            f"{entry.key}: none of its classes ({', '.join(theirs)}) is one of the network's "
            f"({', '.join(origin.classes)}); say which is which with --map THEIRS=OURS"
        )
    return {name: origin.classes.index(ours) for name, ours in found.items()}


def _swapped(entry: Dataset, origin: Origin, mapped: Mapping[str, str]) -> list[str]:
    """Return the classes of a name that both sides have, which --map takes for another one all the same."""
    return [name for name, ours in mapped.items() if name != ours and name in origin.classes]


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


def _text(
    found: Evaluation, facts: Mapping[str, Any], looked_in: Path, swapped: Sequence[str], patients: bool
) -> str:
    """Return the evaluation as Markdown."""
    near = dict.fromkeys(PARTS, found.near) if isinstance(found.near, str) else found.near
    copies = [f"| {part} | {found.exact[part]} | {near[part]} |" for part in PARTS]
    unknown = isinstance(found.near, str)
    warnings = []
    if unknown:
        told = "copies of other pixels are not found, and count as new images"
        warnings.append(f"**Overlap by near-duplicates is unknown**: {told}. {lacking(looked_in)}.\n")
    for name in swapped:
        told = f"{name} counts as {found.mapped[name]}, though the network has a class {name}"
        warnings.append(f"**By --map, {told}.**\n")
    names = tuple(found.scores)
    shares = [f"| {name} | {in_percent(found.scores[name])} |" for name in names[:2]]
    always = f"accuracy of always answering {found.most_frequent}, the most frequent class here"
    shares.append(f"| {always} | {100 * found.always_most_frequent:.1f} |")
    if found.accuracy_of_all:
        shares.append(f"| accuracy of all, with those left out | {in_percent(found.accuracy_of_all)} |")
    calibration = [
        f"| {name} | {_plain(found.scores[name])} | "
        f"{_plain(found.calibrated[name]) if found.calibrated else '-'} |"
        for name in _OF_PROBABILITIES
    ]
    predicted = list(next(iter(found.confusion.values())))
    theirs = {ours: [name for name in found.mapped if found.mapped[name] == ours] for ours in predicted}
    shown = {
        ours: f"{ours} (by --map: {', '.join(names)})" if names else ours for ours, names in theirs.items()
    }
    confusion = [
        f"| {shown[name]} | {' | '.join(str(number) for number in row.values())} |"
        for name, row in found.confusion.items()
    ]
    not_known = ", ".join(f"{name} ({counted(number, 'image')})" for name, number in found.not_known.items())
    mapped = ", ".join(f"{name} = {ours}" for name, ours in found.mapped.items())
    bad = [f"- Cannot be read, left out: {counted(len(found.bad), 'image')} ({', '.join(found.bad)})."]
    return "\n".join(
        [
            f"# {found.network}, on {found.dataset}",
            "",
            *warnings,
            f"{facts['title']}: {counted(found.images, 'image')} in {counted(found.groups, 'group')} count. "
            f"Licence: {facts['licence']}.",
            "",
            f"- Classes that the network does not have, left out: {not_known or 'none'}.",
            f"- Classes of the network without an image here: {', '.join(found.not_there) or 'none'}.",
            f"- In a group with an image that it was trained or calibrated on, left out: "
            f"{counted(found.left_out, 'image')}{' by the same pixels; others are unknown' if unknown else ''}.",
            *([f"- Classes called otherwise, by --map: {mapped}."] if mapped else []),
            *(bad if found.bad else []),
            "",
            "## Overlap",
            "",
            "Images here that are copies of those that the network knows. From its test part it learnt nothing: "
            "copies of that alone count.",
            "",
            "| its part | same pixels | near-duplicates |",
            "| --- | --- | --- |",
            *copies,
            "",
            "## Scores",
            "",
            "| | % [95 % interval] |",
            "| --- | --- |",
            *shares,
            "",
            f"Intervals are over groups ({of_groups(patients)}): another draw of images, the same network.",
            "",
            "## Calibration",
            "",
            "| | as it is | after temperature scaling |",
            "| --- | --- | --- |",
            *calibration,
            "",
            "Expected calibration error, Brier score and negative log-likelihood (nats): less is better.",
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
