"""The table of checks that a run must pass before its gains mean anything."""

from collections.abc import Sequence

import pandas as pd

from weckd.analysis.blocks import PANEL
from weckd.analysis.checks import Check, checks_frame, evaluate_checks
from weckd.analysis.evaluation import Evaluation
from weckd.places import MACRO
from weckd.tables.captions import closing, design_sentence, joined, phantom_sentence, size_sentence
from weckd.tables.cells import Gain, Name, P
from weckd.tables.files import Table, TableFile


def checks_table(evaluation: Evaluation) -> TableFile:
    """Return the checks, a row each."""
    checks = evaluate_checks(evaluation.suite, evaluation.predictions)
    return TableFile("checks", checks_frame(evaluation.suite, checks), [_checks(evaluation, checks)])


def _checks(evaluation: Evaluation, checks: Sequence[Check]) -> Table:
    suite = evaluation.suite
    cells = pd.DataFrame(
        [
            {
                "check": check.check,
                "subject": Name(check.subject),
                "points [interval]": Gain(
                    100 * check.value,
                    100 * (check.value - check.half_width),
                    100 * (check.value + check.half_width),
                ),
                "level": f"{100 * check.level:g} %",
                "p (Holm)": P(check.p_adjusted),
                "passed": check.passed,
            }
            for check in checks
        ]
    )
    panel = any(suite.roles[method] == PANEL for method in suite.methods)
    but = " but the panel's, whose networks may be better than the bar's," if panel else ""
    caption = joined(
        phantom_sentence(suite),
        f"Checks on the macro mean, percentage points; {size_sentence(suite, evaluation.sizes[MACRO])}",
        design_sentence(suite),
        f"Family: all methods{but} against the supervised bar, Holm; the label check stands alone.",
        closing(suite),
    )
    return Table(f"Checks, suite {suite.run}", caption, "checks", cells)
