"""Whether a suite's images and pretrained weights are there, or could be fetched."""

from pathlib import Path

from weckd.config import Suite
from weckd.data.catalogue import Dataset, suite_datasets
from weckd.data.fetch.wanted import (
    Wanted,
    find_archives,
    find_folder,
    has_unpacked,
    not_there,
    origin,
    own_root,
)
from weckd.data.layouts import check_counts, list_sources
from weckd.data.splits import write_splits
from weckd.doctor.machine import Finding
from weckd.errors import UserError
from weckd.methods.catalogue import fetched_weights
from weckd.planning.first_second import RESULTS
from weckd.run_files import RunFiles


def image_findings(suite: Suite, downloads: Path) -> list[Finding]:
    """Return a finding for each data set and each pretrained weights of a suite; nothing is downloaded.

    Args:
        suite: settings of the run.
        downloads: folder that the workflow downloads to.
    """
    own = Path(suite.data_root).absolute() if suite.data_root else None
    found = [
        _dataset(
            Wanted(entry, suite.image_size, own_root(entry, own), downloads.absolute(), {}), suite.skip_bad
        )
        for entry in suite_datasets(suite).values()
    ]
    grouped = [finding for key in suite.datasets if (finding := _groups(suite, key))]
    return found + grouped + [_weights(name, own, downloads) for name in fetched_weights(suite)]


def _dataset(wanted: Wanted, skip_bad: bool) -> Finding:
    dataset = wanted.dataset
    what = f"images {dataset.key}"
    if dataset.phantom:
        return Finding("ok", what, "drawn by the suite")
    try:
        place = _place(wanted, skip_bad)
    except UserError as problem:
        return Finding("bad", what, str(problem))
    if place:
        return Finding("ok", what, place)
    if dataset.download is None:
        return Finding("bad", what, str(not_there(wanted)))
    return _to_be_downloaded(what, dataset)


def _place(wanted: Wanted, skip_bad: bool) -> str:
    """Return where the images are, "" where they are not on this machine; in the order in which `fetch` looks.

    Raises:
        UserError: they are not as the catalogue says, as far as can be told without reading them.
    """
    if folder := find_folder(wanted):
        listing = list_sources(wanted.dataset, folder.folder, wanted.image_size)
        if listing.lacking and not skip_bad:
            raise UserError(listing.lacking)
        if listing.class_counts is not None:
            check_counts(wanted.dataset, folder.folder, listing.class_counts)
        return str(folder.folder)
    if archives := find_archives(wanted):
        return f"to be unpacked from {', '.join(map(str, archives))}"
    return f"unpacked in {wanted.unpacked}" if has_unpacked(wanted) else ""


def _groups(suite: Suite, key: str) -> Finding | None:
    """Return whether a split can be drawn of the groups that an earlier start of the run has found."""
    run = RunFiles(RESULTS / suite.run)
    prepared, groups = run.prepared(suite, key), run.groups(key) / "groups.csv"
    if not (prepared / "index.csv").is_file() or not groups.is_file():
        return None
    try:
        write_splits(key, suite.facts[key].classes, suite.split, suite.seeds, prepared, groups, None)
    except UserError as problem:
        return Finding("bad", f"groups {key}", str(problem))
    return Finding("ok", f"groups {key}", "enough for a split")


def _to_be_downloaded(what: str, dataset: Dataset) -> Finding:
    source = origin(dataset)
    if source.startswith("kaggle:"):
        from weckd.data.fetch.kaggle import GIVE_CREDENTIALS, credentials_problem  # noqa: PLC0415 - takes a second

        if problem := credentials_problem():
            return Finding("bad", what, f"to be downloaded from {source}: {problem}", GIVE_CREDENTIALS)
    return Finding("note", what, f"to be downloaded from {source}: the first jobs need the network")


def _weights(name: str, own: Path | None, downloads: Path) -> Finding:
    what = f"weights {name}"
    folders = [root / "weights" for root in (own, downloads) if root is not None]
    files = [folder / f"{name}.safetensors" for folder in folders]
    if there := [file for file in files if file.is_file()]:
        return Finding("ok", what, str(there[0]))
    from huggingface_hub import constants  # noqa: PLC0415 - takes a while

    if constants.HF_HUB_OFFLINE:
        remedy = f"save them as {files[0]}, or unset HF_HUB_OFFLINE"
        return Finding("bad", what, "not here, and HF_HUB_OFFLINE forbids to download them", remedy)
    return Finding("note", what, "to be downloaded from timm's hub: the first jobs need the network")
