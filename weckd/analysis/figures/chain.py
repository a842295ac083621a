"""The gain along a chain's stages over methods at the same stage."""

import math
from typing import Any

from matplotlib.figure import Figure

from weckd.analysis.comparisons import OWN_STAGE, chain_method
from weckd.analysis.contrasts import Result, evaluate_all, gain
from weckd.analysis.figures.style import ACCENT, GREY, INK, PALE, nothing_figure, short_name, wrapped
from weckd.analysis.inference.reader_study import half_width
from weckd.analysis.metrics import METRICS
from weckd.analysis.predictions import SuitePredictions
from weckd.config import Suite
from weckd.places import MACRO, few_seeds, independent
from weckd.tables.captions import NO_STAGES, missing_sentence, run_note, title

WHAT = "Gain along the stages"
OWN_START = f"{OWN_STAGE} 1"


def chain_figure(suite: Suite, predictions: SuitePredictions) -> Figure:
    """Return a row a reference and a column a data set.

    References are the chain's own first stage, and the methods with as many stages as the chain.
    """
    chain = chain_method(suite)
    stages = predictions.stages[chain] if chain else 1
    if chain is None or stages < 2:
        return nothing_figure(suite, WHAT, NO_STAGES)
    alike = [name for name in suite.methods if name != chain and predictions.stages[name] == stages]
    references = (OWN_START, *alike)
    names = (*suite.datasets, MACRO)
    gains = {
        reference: [_gains(suite, predictions, chain, stage, reference) for stage in range(1, stages + 1)]
        for reference in references
    }
    results = [result for along in gains.values() for by_name in along for result in by_name.values()]
    if not any(result.study for result in results):
        why = missing_sentence(name for result in results for name in result.missing)
        return nothing_figure(suite, WHAT, why)
    figure = Figure(
        figsize=(1.0 + 1.45 * max(len(names), 5), 1.25 * len(references) + 1.3), layout="constrained"
    )
    axes = figure.subplots(len(references), len(names), sharex=True, sharey=True, squeeze=False)
    for (reference, along), row in zip(gains.items(), axes, strict=True):
        for name, axis in zip(names, row, strict=True):
            _panel(suite, axis, [by_name[name] for by_name in along])
        row[0].set_ylabel(wrapped(f"over {reference}", 26))
    for name, axis in zip(names, axes[0], strict=True):
        macro = f"{MACRO} of {len(independent(suite))}"
        axis.set_title(macro if name == MACRO else short_name(suite, name))
    metric = METRICS[suite.analysis.metrics[0]].name
    what = f"Gain of {chain} along its stages, {metric}, percentage points, suite {suite.run}"
    figure.suptitle(title(suite, what), weight="bold")
    figure.supxlabel(f"stage (the reference is read at the same stage)\n{_notes(suite)}", fontsize=8)
    return figure


def _gains(
    suite: Suite, predictions: SuitePredictions, chain: str, stage: int, reference: str
) -> dict[str, Result]:
    contrast = (
        gain(chain, stage, chain, 1) if reference == OWN_START else gain(chain, stage, reference, stage)
    )
    return evaluate_all(suite, predictions.datasets, contrast, suite.analysis.metrics[0])


def _panel(suite: Suite, axis: Any, along: list[Result]) -> None:
    studies = [result.study for result in along]
    stages = list(range(1, len(studies) + 1))
    nothing = float("nan")
    means = [100 * study.estimate if study else nothing for study in studies]
    for position in range(len(suite.seeds)):
        seed = [100 * study.per_seed[position] if study else nothing for study in studies]
        axis.plot(stages, seed, color=GREY, linewidth=0.7, zorder=2)
    if not few_seeds(suite):
        halves = [
            100 * half_width(study, 1 - suite.analysis.alpha) if study else nothing for study in studies
        ]
        low = [mean - half for mean, half in zip(means, halves, strict=True)]
        high = [mean + half for mean, half in zip(means, halves, strict=True)]
        axis.fill_between(stages, low, high, color=PALE, linewidth=0, zorder=1)
    axis.axhline(0, color=INK, linewidth=0.8, zorder=1)
    axis.plot(stages, means, "o-", color=ACCENT, linewidth=1.6, markersize=3, zorder=3)
    for stage, mean in zip(stages, means, strict=True):
        if math.isnan(mean):
            where = axis.get_xaxis_transform()
            axis.text(stage, 0.95, "missing", transform=where, ha="center", va="top", rotation=90)
    axis.set_xticks(stages)
    axis.set_xlim(0.7, len(stages) + 0.3)
    axis.tick_params(length=2)


def _notes(suite: Suite) -> str:
    level = f"{100 * (1 - suite.analysis.alpha):g} %"
    band = (
        "too few seeds for a band: description only"
        if few_seeds(suite)
        else f"band: {level} two-way interval"
    )
    return f"thin lines: seeds; thick line: mean; {band}\n{run_note(suite)}"
