"""Critical-difference diagram: mean ranks of all methods over the data sets. A picture, which decides nothing."""

import pandas as pd
from matplotlib.figure import Figure

from weckd.analysis.contrasts import evaluate, own
from weckd.analysis.figures.style import INK, nothing_figure
from weckd.analysis.inference.ranks import Ranks, rank_methods
from weckd.analysis.metrics import METRICS
from weckd.analysis.predictions import SuitePredictions
from weckd.config import Suite
from weckd.errors import counted
from weckd.places import independent
from weckd.tables.captions import run_note, title
from weckd.tables.cells import P, Wording

FEWEST = 3  # data sets, and methods


def ranks_figure(suite: Suite, predictions: SuitePredictions) -> Figure:
    """Return the diagram of the last stages' seed means on the independent data sets (Demsar 2006)."""
    ranks = rank_methods(seed_means(suite, predictions))
    methods = len(ranks.mean_ranks)
    if min(methods, ranks.n_datasets) < FEWEST:
        few = f"{counted(methods, 'whole method')} on {counted(ranks.n_datasets, 'independent data set')}"
        return nothing_figure(suite, "Mean ranks", f"{few}; ranks need at least {FEWEST} of both")
    # Imported here: it loads other drawing libraries. It has no types.
    from scikit_posthocs import critical_difference_diagram  # type: ignore[import-untyped] # noqa: PLC0415

    figure = Figure(figsize=(7.5, 0.13 * methods + 2.2), layout="constrained")
    axis = figure.subplots()
    # By number, not by name: the order of its bars follows the labels' hash, which for text differs between runs.
    numbers = range(methods)
    critical_difference_diagram(
        pd.Series(ranks.mean_ranks.to_numpy(), index=numbers),
        pd.DataFrame(ranks.nemenyi_p.to_numpy(), index=numbers, columns=numbers),
        ax=axis,
        label_fmt_left="{label}",
        label_fmt_right="{label}",
        label_props={"fontsize": 8},
        elbow_props={"linewidth": 0.8},
        crossbar_props={"color": INK, "linewidth": 2},
        marker_props={"s": 8},
        color_palette=[INK] * methods,
        text_h_margin=0.02,
    )
    for text in axis.texts:
        number = int(text.get_text())
        name, rank = ranks.mean_ranks.index[number], f"({ranks.mean_ranks.iloc[number]:.1f})"
        text.set_text(f"{name} {rank}" if text.get_horizontalalignment() == "right" else f"{rank} {name}")
    figure.suptitle(
        title(suite, f"Mean ranks (1 is best), suite {suite.run}: description only"), weight="bold"
    )
    figure.supxlabel(_notes(suite, ranks), fontsize=8)
    return figure


def seed_means(suite: Suite, predictions: SuitePredictions) -> pd.DataFrame:
    """Return the primary metric's mean over seeds: independent data sets by methods, NaN where missing."""
    metric = suite.analysis.metrics[0]
    sign = -1.0 if METRICS[metric].lower_is_better else 1.0
    rows = {}
    for key in independent(suite):
        results = {
            method: evaluate(predictions.datasets[key], own(method, predictions.stages[method]), metric)
            for method in suite.methods
        }
        rows[key] = {
            method: sign * result.study.estimate if result.study else float("nan")
            for method, result in results.items()
        }
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(suite.methods))


def _notes(suite: Suite, ranks: Ranks) -> str:
    left_out = f"; missing a data set, not ranked: {', '.join(ranks.left_out)}" if ranks.left_out else ""
    metric = METRICS[suite.analysis.metrics[0]].name
    return (
        f"{metric}, seed means on J = {counted(ranks.n_datasets, 'independent data set')}; "
        f"Friedman p {P(ranks.friedman_p).text(Wording())}{left_out}\n"
        "bars join methods that Nemenyi's test does not part (5 %); few data sets: such ranks find\n"
        f"only large differences, and no claim rests on them; {run_note(suite)}"
    )
