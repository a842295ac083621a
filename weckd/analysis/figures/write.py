"""Writes all figures of a run from its saved predictions."""

from pathlib import Path

from weckd.analysis.attention import load_attention
from weckd.analysis.estimates import planned_gains
from weckd.analysis.figures.attention import attention_figure
from weckd.analysis.figures.gains import chain_figure, forest_figure, variance_figure
from weckd.analysis.figures.methods import labels_figure, ranks_figure, reliability_figure
from weckd.analysis.figures.style import save, styled
from weckd.analysis.results import load_run
from weckd.config import Suite
from weckd.files import FOLDER_SUMS, write_sums


def write_figures(suite: Suite, run: Path, out: Path) -> None:
    """Write every figure of the run as .svg and .png, and their sums, into the folder `out`.

    The run's folder holds predictions/, splits/, manifests/, attention/ and audit/.

    Raises:
        UserError: a file is unreadable or inconsistent; what is missing is drawn as missing instead.
    """
    suite, loaded = load_run(suite, run)
    with styled():
        gains = planned_gains(suite, loaded)
        figures = {
            "forest": forest_figure(suite, gains),
            "chain": chain_figure(suite, loaded),
            "labels": labels_figure(suite, loaded, run),
            "variance": variance_figure(suite, gains),
            "reliability": reliability_figure(suite, loaded),
            "ranks": ranks_figure(suite, loaded),
            "attention": attention_figure(suite, load_attention(suite, run / "attention")),
        }
    for name, figure in figures.items():
        save(figure, out, name)
    write_sums(out / FOLDER_SUMS, (out / f"{name}.{kind}" for name in figures for kind in ("svg", "png")))
