"""A run's tables, figures and words of verdicts by name, once: for workflow, tables, page and documents."""

from collections.abc import Iterable

TABLES = {
    "claims": "weckd.analysis.sheets.claims:claims_table",
    "main": "weckd.analysis.sheets.main:main_table",
    "along": "weckd.analysis.sheets.chain:along_table",
    "copied": "weckd.analysis.sheets.copied:copied_table",
    "attention": "weckd.analysis.sheets.attention:attention_table",
    "published": "weckd.analysis.sheets.claims:published_table",
    "panel": "weckd.analysis.sheets.panel:panel_table",
    "across": "weckd.analysis.sheets.gains:across_table",
    "curves": "weckd.analysis.curves:curves_table",
    "modality": "weckd.analysis.sheets.gains:modality_table",
    "leave-one-out": "weckd.analysis.sheets.gains:leave_one_out_table",
    "sensitivity": "weckd.analysis.sheets.robustness:sensitivity_table",
    "variance": "weckd.analysis.sheets.robustness:variance_table",
    "gains": "weckd.analysis.sheets.gains:gains_tables",
    "accuracy": "weckd.analysis.sheets.methods:accuracy_tables",
    "metrics": "weckd.analysis.sheets.methods:metrics_table",
    "classes": "weckd.analysis.sheets.methods:classes_table",
    "confusion": "weckd.analysis.sheets.confusion:confusion_table",
    "checks": "weckd.analysis.sheets.checks:checks_table",
    "splits": "weckd.analysis.sheets.inputs:splits_table",
    "budgets": "weckd.analysis.sheets.inputs:budgets_table",
    "tuned": "weckd.analysis.sheets.inputs:tuned_table",
}
"""Name of the files -> the function that makes the table of the results of a run, `(Results) -> TableFile`.

The report shows them in this order under "Other tables", but for those that have a section of their own.
"""
FIGURES = (
    *("summary", "forest", "equivalence", "chain", "copied", "labels", "curves"),
    *("variance", "reliability", "ranks", "attention"),
)
FIGURES_OF_DATASET = ("confusion", "roc")
"""Of which there is one a data set, see `figure_names`."""
KINDS = ("csv", "md", "tex", "json")
"""The files that a table is written as."""
VERDICTS = ("shown here", "contradicted here", "not shown here", "not tested", "not tested (quick look)")
"""What a run may say of a claim."""


def figure_names(datasets: Iterable[str]) -> tuple[str, ...]:
    """Return the names of all figures of a run: those of the run, then those of each of its data sets."""
    of_sets = (f"{figure}-{dataset}" for figure in FIGURES_OF_DATASET for dataset in datasets)
    return (*FIGURES, *of_sets)
