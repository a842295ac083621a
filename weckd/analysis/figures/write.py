"""Writes all figures of a run from its saved predictions."""

from pathlib import Path

from weckd.analysis.evaluation import load_run
from weckd.analysis.figures.chain import chain_figure
from weckd.analysis.figures.forest import forest_figure
from weckd.analysis.figures.style import save, styled
from weckd.analysis.gains import planned_gains
from weckd.config import Suite


def write_figures(suite: Suite, run: Path, out: Path) -> None:
    """Write `forest` and `chain` as .svg and .png into the folder `out`.

    Args:
        suite: the run; its plan says which gains are drawn.
        run: folder with predictions/.
        out: folder for the figures.

    Raises:
        UserError: a file is unreadable or inconsistent; what is missing is drawn as missing instead.
    """
    suite, loaded = load_run(suite, run)
    with styled():
        forest = forest_figure(suite, planned_gains(suite, loaded))
        chain = chain_figure(suite, loaded)
    save(forest, out, "forest")
    save(chain, out, "chain")
