"""The audit's numbers as tables for readers."""

from collections.abc import Sequence

import pandas as pd

from weckd.audit.across import Overlap
from weckd.audit.findings import SHARE, Findings
from weckd.audit.sets import AuditedSet
from weckd.data.overlap import UNDECLARED
from weckd.tables.captions import PHANTOM, joined
from weckd.tables.cells import Bold
from weckd.tables.render import Table

_CORRELATION = (
    "near: grey thumbnails of 32x32 pixels correlate above {threshold:g} in one of the eight flips and "
    "rotations"
)
_COPIES = (
    "Copies within each data set; identical: the same pixels; {correlation}. Clusters are connected components; groups "
    "join them with patients and stay together in every split. Conflicts: sets of identical images, and clusters of "
    "near copies, that carry more than one class. Recorded: whether the prepared images are those of datasets.lock."
)
_LEAKS = (
    "Test images with a copy in training, of the official test part where there is one, else of a random "
    f"{SHARE:.0%} of the images drawn by image; {{correlation}}. Accuracy of one nearest neighbour (Euclidean, "
    "thumbnails) on test images without and with a copy: what memory alone reaches. The suite's own splits are drawn "
    "by group and have no such images."
)
_LISTED = 5  # images that a note names


def audit_tables(sets: Sequence[AuditedSet], found: Sequence[Findings], threshold: float) -> list[Table]:
    """Return the tables of copies and of leaks, a row a data set."""
    warned = PHANTOM if any(item.phantom for item in found) else ""
    correlation = _CORRELATION.format(threshold=threshold)
    copies = joined(_COPIES.format(correlation=correlation), _left_out_note(sets))
    leaks = _LEAKS.format(correlation=correlation)
    return [
        Table("Audit: copies", copies, "audit-copies", pd.DataFrame(map(_copies, found)), warned),
        Table(
            "Audit: leaks into a test part", leaks, "audit-leaks", pd.DataFrame(map(_leaks, found)), warned
        ),
    ]


def across_tables(found: Sequence[Overlap], threshold: float, phantom: bool) -> list[Table]:
    """Return the table of copies across data sets."""
    rows = [
        {
            "data set": item.dataset,
            "copies in": item.other,
            "images with a copy": f"{item.copied} of {item.images} ({item.copied / item.images:.0%})",
            "finding": Bold(item.verdict) if item.verdict == UNDECLARED else item.verdict,
        }
        for item in found
    ]
    none = "No two data sets of this run have the same modality, and none share an identical image."
    caption = joined(
        "Copies across data sets of one modality, and identical images across modalities; "
        f"{_CORRELATION.format(threshold=threshold)}. Declared: the catalogue derives one of the two from the other. "
        "Only a set that shares no image with the others is independent of them in a test across data sets: of two "
        "that share images, undeclared, the smaller is left out of every mean.",
        "" if rows else none,
    )
    cells = pd.DataFrame(rows, columns=["data set", "copies in", "images with a copy", "finding"])
    return [
        Table("Audit: copies across data sets", caption, "audit-across", cells, PHANTOM if phantom else "")
    ]


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
