"""Reliability diagrams: is confidence as high as accuracy, before and after temperature scaling?"""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from weckd.analysis.comparisons import REFERENCES, shown_methods
from weckd.analysis.contrasts import Contrast, evaluate, own
from weckd.analysis.figures.style import ACCENT, GREY, PALE, nothing_figure, short_name, wrapped
from weckd.analysis.metrics.calibration import BINS, reliability_curve
from weckd.analysis.metrics.temperature import scaled, temperatures
from weckd.analysis.predictions import DatasetPredictions, SuitePredictions
from weckd.config import Suite
from weckd.tables.captions import missing_sentence, run_note, title


def reliability_figure(suite: Suite, predictions: SuitePredictions) -> Figure:
    """Return a row a method (the chain, single, pooled, all labels) and a column a data set, all seeds pooled."""
    methods = shown_methods(suite)
    if not methods:
        why = f"neither a chain nor {', '.join(REFERENCES)} is in this run; add one of them"
        return nothing_figure(suite, "Reliability", why)
    missing = [
        data.missing(method, predictions.stages[method])
        for data in predictions.datasets.values()
        for method in methods
    ]
    if all(missing):
        why = missing_sentence(name for names in missing for name in names)
        return nothing_figure(suite, "Reliability", why)
    columns = len(suite.datasets)
    figure = Figure(figsize=(1.0 + 1.45 * max(columns, 5), 1.4 * len(methods) + 1.4), layout="constrained")
    axes = figure.subplots(len(methods), columns, sharex=True, sharey=True, squeeze=False)
    for method, row in zip(methods, axes, strict=True):
        stage = predictions.stages[method]
        for key, axis in zip(suite.datasets, row, strict=True):
            _panel(axis, predictions.datasets[key], method, stage)
        row[0].set_ylabel(f"{wrapped(method, 24)}\naccuracy")
    for key, axis in zip(suite.datasets, axes[0], strict=True):
        axis.set_title(short_name(suite, key))
    figure.suptitle(title(suite, f"Reliability, last stages, suite {suite.run}"), weight="bold")
    figure.supxlabel(
        f"confidence (highest probability), {BINS} bins of equal mass, seeds pooled; open: as predicted; filled: after "
        "temperature scaling on validation images;\nECE: mean over seeds, percent, before and after; on the diagonal "
        f"confidence equals accuracy\n{run_note(suite)}",
        fontsize=8,
    )
    return figure


def _panel(axis: Any, data: DatasetPredictions, method: str, stage: int) -> None:
    axis.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, zorder=1)
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    axis.tick_params(length=2)
    for scale in (axis.xaxis, axis.yaxis):
        scale.set_major_formatter(PercentFormatter(xmax=1, symbol=""))
        scale.set_ticks([0, 0.5, 1])
    if data.missing(method, stage):
        axis.text(0.5, 0.5, "missing", ha="center", va="center")
        return
    predicted, contrast = data.predicted(method, stage), own(method, stage)
    before = reliability_curve(predicted.probabilities, predicted.y)
    axis.plot(
        before.confidence, before.accuracy, "o-", color=GREY, markerfacecolor="white", markersize=3, zorder=2
    )
    text = _percent(data, contrast, "ece")
    if predicted.validation:
        probabilities = scaled(predicted.probabilities, temperatures(predicted.validation))
        after = reliability_curve(probabilities, predicted.y)
        axis.plot(after.confidence, after.accuracy, "o-", color=ACCENT, markersize=2.5, zorder=3)
        text += f" → {_percent(data, contrast, 'ece_scaled')}"
    axis.text(0.96, 0.04, f"ECE {text}", ha="right", va="bottom", fontsize=7, backgroundcolor=PALE)


def _percent(data: DatasetPredictions, contrast: Contrast, metric: str) -> str:
    study = evaluate(data, contrast, metric).study
    return f"{100 * study.estimate:.1f}" if study else "missing"
