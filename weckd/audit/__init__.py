"""The audit of data sets before anything is trained: copies, label conflicts, leaks, overlap, with pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd

from weckd.analysis.figures.style import save, styled
from weckd.analysis.registry import KINDS
from weckd.audit.findings import SHARE, Findings, find, listed_pairs
from weckd.audit.pictures import pair_sheet, threshold_figure
from weckd.audit.sets import AuditedSet, Overlap, copied_elsewhere, load_set, overlaps, pairs_across
from weckd.data.variants import THRESHOLD
from weckd.errors import UserError
from weckd.files import FOLDER_SUMS, write_sums, write_text
from weckd.places import UNDECLARED
from weckd.tables.captions import PHANTOM, small_sentence
from weckd.tables.cells import Bold
from weckd.tables.render import Table, TableFile, csv_text, write_table_file
from weckd.tables.terms import terms_of

_NEAR = "near: grey thumbnails of 32x32 pixels correlate above {threshold:g} in one of the eight flips and rotations."
_COPIES = "Copies within each data set: identical images, and near copies."
_LEAKS = "Test images with a copy in training."
_VARIANTS = (
    "Suspected variants of one photograph in different groups, for the eye to judge; the search misses some."
)
_REGISTERED = f"A pair is found where, registered, its fine detail correlates above {THRESHOLD:g}."
_RANDOM = f"Where there is no official test part: a random {SHARE:.0%} of the "
_UNCROSSED = "The suite's own splits are drawn by group: none of these copies crosses them."
_NOT_SEARCHED = "Phantoms are not searched: their copies are planted."
_PATIENTS = "What a split by image would have learnt of patients."
_ACROSS = "Copies across data sets of one modality, and identical images across modalities."
_NO_OVERLAP = "No two data sets of this run have the same modality, and none share an identical image."
_SHARED = ["data set", "copies in", "images with a copy", "finding"]
_LISTED = 5  # images that a note names


def write_audit(
    prepared: Sequence[Path],
    groups: Sequence[Path],
    threshold: float,
    recorded: Mapping[str, bool | None],
    out: Path,
) -> None:
    """Write the audit of some data sets into the folder `out`.

    Tables audit and across (.csv .md .tex .json), pairs.csv, across-pairs.csv, clusters.csv, the figure thresholds
    (.svg .png), a sheet of example pairs a data set (.png), and their sums.

    Args:
        prepared: folders of prepared data sets.
        groups: the folders that `weckd group` wrote of them, in the same order.
        threshold: correlation that the groups were made with.
        recorded: by key, whether the prepared arrays are those of datasets.lock; None where nothing is recorded.
        out: folder to write.

    Raises:
        UserError: a folder is missing a file, or was made with another threshold.
    """
    if len(prepared) != len(groups):
        told = f"{len(prepared)} prepared data sets need as many folders of groups, not {len(groups)}"
        raise UserError(told)
    sets = [load_set(*folders) for folders in zip(prepared, groups, strict=True)]
    for audited, folder in zip(sets, groups, strict=True):
        chosen = audited.clusters.loc[audited.clusters["chosen"], "threshold"].tolist()
        if chosen != [threshold]:
            raise UserError(
                f"{folder}: made with the threshold {chosen}, not {threshold}; make it with `weckd group`"
            )
    across = pairs_across(sets, threshold)
    found = [find(a, recorded.get(a.key), copied_elsewhere(a.key, across)) for a in sets]
    shared = overlaps(sets, across)
    phantom = PHANTOM if any(audited.phantom for audited in sets) else ""
    near = _NEAR.format(threshold=threshold)
    small = small_sentence({audited.key: audited.title for audited in sets})

    def table(title: str, label: str, cells: pd.DataFrame, says: str, *notes: str) -> Table:
        below = tuple(note for note in (*notes, small) if note)
        meant = terms_of(f"audit-{label}", cells.columns)
        return Table(f"Audit: {title}", says, f"audit-{label}", cells, phantom, below, meant)

    copies, leaks, variants = (pd.DataFrame(map(cells, found)) for cells in (_copies, _leaks, _suspected))
    unsearched = _NOT_SEARCHED if phantom else ""
    tables = [
        table("copies", "copies", copies, _COPIES, near, _left_out_note(sets)),
        table("leaks into a test part", "leaks", leaks, _LEAKS, near, f"{_RANDOM}images.", _UNCROSSED),
        table(
            "suspected variants",
            "variants",
            variants,
            _VARIANTS,
            _REGISTERED,
            f"{_RANDOM}groups.",
            unsearched,
        ),
    ]
    if by_patient := [_by_patient(item) for item in found if item.folds]:
        tables.append(table("patients", "patients", pd.DataFrame(by_patient), _PATIENTS, near))
    write_table_file(out, TableFile("audit", pd.DataFrame(map(asdict, found)), tables))
    rows = [{**asdict(item), "verdict": item.verdict} for item in shared]
    frame = pd.DataFrame(rows, columns=[*(field.name for field in fields(Overlap)), "verdict"])
    cells = pd.DataFrame([_shared(item) for item in shared], columns=_SHARED)
    shown = table("copies across data sets", "across", cells, _ACROSS, near, "" if shared else _NO_OVERLAP)
    write_table_file(out, TableFile("across", frame, [shown]))
    pairs = [listed_pairs(audited, some) for audited in sets for some in (audited.pairs, audited.suspected)]
    write_text(out / "pairs.csv", csv_text(pd.concat(pairs)))
    write_text(out / "across-pairs.csv", csv_text(across))
    write_text(out / "clusters.csv", csv_text(pd.concat([a.clusters.assign(dataset=a.key) for a in sets])))
    with styled():
        figure, sheets = threshold_figure(sets, threshold), [pair_sheet(audited) for audited in sets]
    save(figure, out, "thresholds")
    for audited, sheet in zip(sets, sheets, strict=True):
        save(sheet, out, audited.key, kinds=("png",))
    written = [f"{name}.{kind}" for name in ("audit", "across") for kind in KINDS]
    written += ["pairs.csv", "across-pairs.csv", "clusters.csv", "thresholds.svg", "thresholds.png"]
    written += [f"{audited.key}.png" for audited in sets]
    write_sums(out / FOLDER_SUMS, [out / name for name in written])


def summary(out: Path) -> str:
    """Return the tables of a finished audit, as Markdown, and where the rest lies."""
    tables = [(out / f"{name}.md").read_text(encoding="utf-8").rstrip() for name in ("audit", "across")]
    return "\n\n".join([*tables, f"pairs, pictures and the curve of thresholds: {out}"])


def _shared(item: Overlap) -> list[Any]:
    copied = f"{item.copied} of {item.images} ({item.copied / item.images:.0%})"
    finding = Bold(item.verdict) if item.verdict == UNDECLARED else item.verdict
    return [item.dataset, item.other, copied, finding]


def _copies(item: Findings) -> dict[str, str]:
    patients = f"{item.patients} ({item.patients_in_several_classes} in several classes)"
    return {
        "data set": item.dataset,
        "images": f"{item.images}" + (f" ({item.left_out} left out)" if item.left_out else ""),
        "distinct": f"{item.distinct}",
        "clusters (largest)": f"{item.clusters} ({item.largest_cluster})",
        "patients": "-" if item.patients is None else patients,
        "groups": f"{item.groups}",
        "conflicts: identical": f"{item.conflicts_exact}",
        "conflicts: near": f"{item.conflicts_near}",
        "copied in other sets": f"{item.copied_elsewhere}",
        "recorded": item.recorded,
    }


def _leaks(item: Findings) -> dict[str, str]:
    return {
        "data set": item.dataset,
        "test part": item.test_part,
        "test images": f"{item.test_images}",
        "identical": f"{item.test_identical}",
        "identical or near": f"{item.test_leaked}",
        "leaked share": f"{item.test_leaked / item.test_images:.0%}",
        "1-NN, clean": _percent(item.neighbour_clean, item.test_images - item.test_leaked),
        "1-NN, leaked": _percent(item.neighbour_leaked, item.test_leaked),
    }


def _by_patient(item: Findings) -> dict[str, str]:
    return {
        "data set": item.dataset,
        "patients": f"{item.patients}",
        "copies (across patients)": f"{item.exact_pairs + item.near_pairs} ({item.pairs_across_patients})",
        "1-NN, folds by image": f"{item.neighbour_by_image:.1%}",
        "1-NN, folds by patient": f"{item.neighbour_by_patient:.1%}",
        "folds by patient": item.folds,
    }


def _suspected(item: Findings) -> dict[str, str]:
    if item.variant_test_images is None or item.variant_test_suspected is None:
        found = ["not searched", *"-----"]
    else:
        share = (
            f"{item.variant_test_suspected} ({item.variant_test_suspected / item.variant_test_images:.0%})"
        )
        counts = [item.suspected_pairs, item.suspected_images, item.groups, item.sources]
        found = [*map(str, counts), f"{item.variant_test_images}", share]
    names = ["pairs found", "images in them", "groups", "sources", "test images", "with one in training"]
    return {"data set": item.dataset, **dict(zip(names, found, strict=True))}


def _percent(accuracy: float | None, count: int) -> str:
    return "-" if accuracy is None else f"{accuracy:.0%} of {count}"


def _left_out_note(sets: Sequence[AuditedSet]) -> str:
    notes = []
    for audited in sets:
        rows = audited.left_out
        if len(rows):
            named = [f"{row.image_id} ({row.problem})" for row in rows.head(_LISTED).itertuples()]
            more = f" and {len(rows) - _LISTED} more" if len(rows) > _LISTED else ""
            notes.append(f"{audited.key}: {', '.join(named)}{more}")
    return f"Left out because they cannot be read: {'; '.join(notes)}." if notes else ""
