"""Writes all figures of a run from its saved predictions."""

from pathlib import Path

from matplotlib.figure import Figure

from weckd.analysis.curves import curves_figure
from weckd.analysis.figures.attention import attention_figure
from weckd.analysis.figures.classes import confusion_figure, roc_figure
from weckd.analysis.figures.copied import copied_figure
from weckd.analysis.figures.gains import (
    chain_figure,
    equivalence_figure,
    forest_figure,
    summary_figure,
    variance_figure,
)
from weckd.analysis.figures.methods import labels_figure, ranks_figure, reliability_figure
from weckd.analysis.figures.style import save, styled
from weckd.analysis.results import Results, load_run
from weckd.config import Suite
from weckd.files import FOLDER_SUMS, write_sums

MADE_BY = {
    "summary": summary_figure,
    "forest": forest_figure,
    "equivalence": equivalence_figure,
    "chain": chain_figure,
    "copied": copied_figure,
    "labels": labels_figure,
    "curves": curves_figure,
    "variance": variance_figure,
    "reliability": reliability_figure,
    "ranks": ranks_figure,
    "attention": attention_figure,
}
"""Name in the registry -> the function that draws it of the results of a run."""
MADE_BY_OF_DATASET = {"confusion": confusion_figure, "roc": roc_figure}
"""Name in the registry -> the function that draws it of the results of a run and a data set."""


def drawn_figures(run: Results) -> dict[str, Figure]:
    """Return every figure of a run by its name, see `weckd.analysis.registry.figure_names`."""
    of_run = {name: draw(run) for name, draw in MADE_BY.items()}
    sets = run.suite.datasets
    return of_run | {f"{name}-{x}": draw(run, x) for name, draw in MADE_BY_OF_DATASET.items() for x in sets}


def write_figures(suite: Suite, run: Path, out: Path) -> None:
    """Write every figure of the run as .svg and .png, and their sums, into the folder `out`.

    The run's folder holds predictions/, splits/, manifests/, attention/ and audit/.

    Raises:
        UserError: a file is unreadable or inconsistent; what is missing is drawn as missing instead.
    """
    results = load_run(suite, run)
    with styled():
        figures = drawn_figures(results)
    for name, figure in figures.items():
        save(figure, out, name)
    write_sums(out / FOLDER_SUMS, (out / f"{name}.{kind}" for name in figures for kind in ("svg", "png")))
