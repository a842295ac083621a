"""Writes all figures of a run from its saved predictions."""

from pathlib import Path

from weckd.analysis.figures.attention import attention_figure
from weckd.analysis.figures.gains import chain_figure, forest_figure, variance_figure
from weckd.analysis.figures.methods import labels_figure, ranks_figure, reliability_figure
from weckd.analysis.figures.style import save, styled
from weckd.analysis.results import load_run
from weckd.config import Suite
from weckd.files import FOLDER_SUMS, write_sums

MADE_BY = {
    "forest": forest_figure,
    "chain": chain_figure,
    "labels": labels_figure,
    "variance": variance_figure,
    "reliability": reliability_figure,
    "ranks": ranks_figure,
    "attention": attention_figure,
}
"""Name in the registry -> the function that draws it of the results of a run."""


def write_figures(suite: Suite, run: Path, out: Path) -> None:
    """Write every figure of the run as .svg and .png, and their sums, into the folder `out`.

    The run's folder holds predictions/, splits/, manifests/, attention/ and audit/.

    Raises:
        UserError: a file is unreadable or inconsistent; what is missing is drawn as missing instead.
    """
    results = load_run(suite, run)
    with styled():
        figures = {name: draw(results) for name, draw in MADE_BY.items()}
    for name, figure in figures.items():
        save(figure, out, name)
    write_sums(out / FOLDER_SUMS, (out / f"{name}.{kind}" for name in figures for kind in ("svg", "png")))
