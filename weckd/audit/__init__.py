"""The audit of data sets before anything is trained: copies, label conflicts, leaks, overlap, with pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path

import pandas as pd

from weckd.analysis.figures.style import save, styled
from weckd.audit.across import Overlap, copied_elsewhere, overlaps, pairs_across
from weckd.audit.findings import find, listed_pairs
from weckd.audit.pictures import pair_sheet, threshold_figure
from weckd.audit.sets import load_set
from weckd.audit.tables import across_tables, audit_tables
from weckd.errors import UserError
from weckd.files import write_text
from weckd.tables.render import TableFile, csv_text, write_table_file


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
    phantom = any(audited.phantom for audited in sets)
    frame = pd.DataFrame(map(asdict, found))
    write_table_file(out, TableFile("audit", frame, audit_tables(sets, found, threshold)))
    rows = [{**asdict(item), "verdict": item.verdict} for item in shared]
    frame = pd.DataFrame(rows, columns=[*(field.name for field in fields(Overlap)), "verdict"])
    write_table_file(out, TableFile("across", frame, across_tables(shared, threshold, phantom)))
    write_text(out / "pairs.csv", csv_text(pd.concat(map(listed_pairs, sets))))
    write_text(out / "across-pairs.csv", csv_text(across))
    write_text(out / "clusters.csv", csv_text(pd.concat([a.clusters.assign(dataset=a.key) for a in sets])))
    with styled():
        figure, sheets = threshold_figure(sets, threshold), [pair_sheet(audited) for audited in sets]
    save(figure, out, "thresholds")
    for audited, sheet in zip(sets, sheets, strict=True):
        save(sheet, out, audited.key, kinds=("png",))


def summary(out: Path) -> str:
    """Return the tables of a finished audit, as Markdown, and where the rest lies."""
    tables = [(out / f"{name}.md").read_text(encoding="utf-8").rstrip() for name in ("audit", "across")]
    return "\n\n".join([*tables, f"pairs, pictures and the curve of thresholds: {out}"])
