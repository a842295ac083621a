"""How the number of clusters depends on the threshold."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from weckd.analysis.figures.style import GREY, INK
from weckd.audit.sets import AuditedSet
from weckd.tables.captions import PHANTOM

_LINES = ("-", "--", ":", "-.")
_MARKERS = "os^vD<>"


def threshold_figure(sets: Sequence[AuditedSet], threshold: float) -> Figure:
    """Return clusters as a share of the images against the threshold, a line a data set."""
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    axis = figure.subplots()
    for number, audited in enumerate(sets):
        share = 100 * audited.clusters["clusters"] / len(audited.index)
        axis.plot(
            audited.clusters["threshold"],
            share,
            linestyle=_LINES[number % len(_LINES)],
            marker=_MARKERS[number % len(_MARKERS)],
            color=INK,
            markersize=3,
            linewidth=0.9,
            label=audited.key,
        )
    axis.axvline(threshold, color=GREY, linewidth=0.8)
    axis.text(threshold, 2, f" chosen: {threshold:g}", fontsize=7, color=GREY)
    axis.set_ylim(0, 102)
    axis.set_xlabel("correlation above which two images are near-duplicates")
    axis.set_ylabel("clusters, % of the images")
    axis.legend(frameon=False, fontsize=7)
    text = "Clusters of near-duplicates by threshold"
    phantom = any(audited.phantom for audited in sets)
    figure.suptitle(f"{PHANTOM.upper()}\n{text}" if phantom else text, weight="bold")
    return figure
