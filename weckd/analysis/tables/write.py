"""Writes all tables of a run from its saved predictions and splits."""

from collections.abc import Sequence
from pathlib import Path

from weckd.analysis.attention import load_attention
from weckd.analysis.evaluation import Evaluation, evaluate_suite
from weckd.analysis.published import Published
from weckd.analysis.tables.accuracy import accuracy_tables
from weckd.analysis.tables.across import across_table
from weckd.analysis.tables.along import along_table
from weckd.analysis.tables.attention import attention_table
from weckd.analysis.tables.budgets import budgets_table
from weckd.analysis.tables.checks import checks_table
from weckd.analysis.tables.claims import answers_text, claims_table
from weckd.analysis.tables.classes import classes_table
from weckd.analysis.tables.gains import gains_tables
from weckd.analysis.tables.leave_one_out import leave_one_out_table
from weckd.analysis.tables.main import main_table
from weckd.analysis.tables.metrics import metrics_table
from weckd.analysis.tables.modality import modality_table
from weckd.analysis.tables.panel import panel_table
from weckd.analysis.tables.published import published_table
from weckd.analysis.tables.sensitivity import sensitivity_table
from weckd.analysis.tables.splits import splits_table
from weckd.analysis.tables.tuned import tuned_table
from weckd.analysis.tables.variance import variance_table
from weckd.config import Suite
from weckd.files import write_text
from weckd.tables.files import TableFile, write_table_file
from weckd.tables.layout import AS_IT_IS, Layout


def write_tables(
    suite: Suite, run: Path, out: Path, layout: Layout = AS_IT_IS, published: Sequence[Published] = ()
) -> None:
    """Write every table of the run as .csv, .md and .tex, and answers.csv, into the folder `out`.

    Args:
        suite: the run's settings; its plan says what is tested.
        run: folder with predictions/, splits/, manifests/, attention/ and audit/.
        out: folder for the tables.
        layout: labels, order, columns and digits.
        published: the paper's own numbers.

    Raises:
        UserError: a file is unreadable or inconsistent; what is missing is printed as missing instead.
    """
    evaluation = evaluate_suite(suite, run)
    whole = evaluation.suite
    evaluated = evaluated_tables(evaluation)
    claims = next(table for file in evaluated if file.name == "claims" for table in file.tables)
    write_text(out / "answers.csv", answers_text(claims, layout.wording))
    for file in (
        *evaluated,
        published_table(evaluation, published),
        splits_table(whole, run / "splits"),
        budgets_table(whole, run / "manifests"),
        tuned_table(whole, run / "manifests"),
        attention_table(whole, load_attention(whole, run / "attention")),
    ):
        write_table_file(out, file, layout)


def evaluated_tables(evaluation: Evaluation) -> tuple[TableFile, ...]:
    """Return every table that is made from predictions alone."""
    makers = (
        claims_table,
        main_table,
        gains_tables,
        along_table,
        panel_table,
        accuracy_tables,
        metrics_table,
        classes_table,
        across_table,
        modality_table,
        leave_one_out_table,
        sensitivity_table,
        variance_table,
        checks_table,
    )
    return tuple(make(evaluation) for make in makers)
