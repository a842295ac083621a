"""The audit of data sets before anything is trained: copies, label conflicts, leaks, overlap, with pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from weckd.analysis.figures.style import save, styled
from weckd.audit.across import copied_elsewhere, overlaps, pairs_across
from weckd.audit.curve import threshold_figure
from weckd.audit.findings import find, listed_pairs
from weckd.audit.sets import load_set
from weckd.audit.sheet import pair_sheet
from weckd.audit.tables import across_tables, audit_tables
from weckd.errors import UserError
from weckd.files import write_text
from weckd.tables.files import TableFile, csv_text, write_table_file


def write_audit(
    prepared: Sequence[Path],
    groups: Sequence[Path],
    threshold: float,
    recorded: Mapping[str, bool | None],
    out: Path,
) -> None:
    """Write the audit of some data sets into the folder `out`.

    Tables audit and across (.csv .md .tex), pairs.csv, across-pairs.csv, clusters.csv, the figure thresholds (.svg
    .png) and a sheet of example pairs a data set (.png).

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
        raise UserError(
            f"{len(prepared)} prepared data sets need as many folders of groups, not {len(groups)}"
        )
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
    phantom = any(audited.phantom for audited in sets)
    found_frame = pd.DataFrame([asdict(item) for item in found])
    write_table_file(out, TableFile("audit", found_frame, audit_tables(sets, found, threshold)))
    shared_frame = pd.DataFrame(
        [{**asdict(item), "verdict": item.verdict} for item in shared],
        columns=["dataset", "other", "images", "copied", "declared", "verdict"],
    )
    write_table_file(out, TableFile("across", shared_frame, across_tables(shared, threshold, phantom)))
    write_text(out / "pairs.csv", csv_text(pd.concat([pd.DataFrame(listed_pairs(a)) for a in sets])))
    write_text(out / "across-pairs.csv", csv_text(across))
    write_text(out / "clusters.csv", csv_text(pd.concat([a.clusters.assign(dataset=a.key) for a in sets])))
    with styled():
        figure = threshold_figure(sets, threshold)
        sheets = {audited.key: pair_sheet(audited) for audited in sets}
    save(figure, out, "thresholds")
    for key, sheet in sheets.items():
        save(sheet, out, key, kinds=("png",))


def summary(out: Path) -> str:
    """Return the tables of a finished audit, as Markdown, and where the rest lies."""
    tables = [(out / f"{name}.md").read_text(encoding="utf-8").rstrip() for name in ("audit", "across")]
    return "\n\n".join([*tables, f"pairs, pictures and the curve of thresholds: {out}"])
