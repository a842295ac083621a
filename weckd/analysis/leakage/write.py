"""Writes the leak study from the predictions of two runs."""

from dataclasses import replace
from pathlib import Path

from weckd.analysis.figures.style import save, styled
from weckd.analysis.leakage.figure import leakage_figure
from weckd.analysis.leakage.study import leaks
from weckd.analysis.leakage.table import leakage_table
from weckd.analysis.predictions import load_predictions
from weckd.analysis.tables.splits import splits_table
from weckd.config import Suite
from weckd.data.overlap import FINDING, with_finding
from weckd.errors import UserError
from weckd.tables.files import write_table_file


def write_leakage(official: Suite, grouped: Suite, official_run: Path, grouped_run: Path, out: Path) -> None:
    """Write tables/leakage and the table of splits that it names (.csv .md .tex), and figures/leakage (.svg .png).

    Args:
        official: the suite whose test parts are the sources' own.
        grouped: the suite that it was made from.
        official_run: folder with predictions/<dataset>/seed<k>.parquet and splits/<dataset>/seed<k>.csv of the one.
        grouped_run: likewise of the other, with its audit.
        out: folder to write them into.

    Raises:
        UserError: the runs are not of one suite, or a file is unreadable or inconsistent; what is missing is printed
            as missing instead.
    """
    _refuse_others(official, grouped)
    official = with_finding(official, grouped_run / FINDING)
    of_official = load_predictions(official, official_run / "predictions")
    beside = load_predictions(replace(grouped, datasets=official.datasets), grouped_run / "predictions")
    levels, gains = leaks(official, of_official, beside)
    write_table_file(out / "tables", leakage_table(official, levels, gains, of_official))
    write_table_file(out / "tables", splits_table(official, official_run / "splits"))
    with styled():
        figure = leakage_figure(official, levels)
    save(figure, out / "figures", "leakage")


def _refuse_others(official: Suite, grouped: Suite) -> None:
    if (official.split.protocol, grouped.split.protocol) != ("official", "grouped"):
        raise UserError(
            f"leak study: {official.run} and {grouped.run} must be a run on official test parts and the run on grouped "
            "ones that it was made from; make both with `snakemake leakage`"
        )
    for key in ("seeds", "training", "augmentation", "distillation", "backbone", "image_size"):
        if getattr(official, key) != getattr(grouped, key):
            raise UserError(
                f"leak study: {official.run} and {grouped.run} differ in {key}; make both with `snakemake leakage`"
            )
    absent = [
        name
        for own, others in ((official.datasets, grouped.datasets), (official.methods, grouped.methods))
        for name in own
        if name not in others
    ]
    if absent:
        raise UserError(
            f"leak study: {absent[0]} is not in {grouped.run}; make both with `snakemake leakage`"
        )
