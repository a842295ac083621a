"""Where the chain's models look: examples of their attention maps, and two numbers over all test images."""

import textwrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from weckd.analysis.attention import QUANTITIES, AttentionMaps, has_chain, load_attention
from weckd.analysis.figures import style
from weckd.analysis.results import Results
from weckd.config import Suite
from weckd.tables.captions import NO_CHAIN, dataset_text

SHOWN = 2
"""Examples of each data set."""


def attention_figure(run: Results) -> Figure:
    """Return two rows a data set: a test image and the map of each model; beside them sharpness and agreement."""
    suite, maps = run.suite, load_attention(run.suite, run.files)
    if not has_chain(suite):
        return style.nothing(suite, "Attention maps", NO_CHAIN)
    if not maps:
        why = "no maps in this run; they are made where the chain transfers attention, distillation.beta above 0"
        return style.nothing(suite, "Attention maps", why)
    models, rows = suite.chain_length, SHOWN * len(suite.datasets)
    figure = style.figure(4.4 + 0.9 * models, 0.8 * rows + 1.4)
    widths = [0.25, *[1.0] * (models + 1), 2.0, 2.0]
    grid = figure.add_gridspec(rows, len(widths), width_ratios=widths)
    panels: dict[str, Any] = {}  # the first of each, whose scale the others share
    for number, dataset in enumerate(suite.datasets):
        found, first = maps.get(dataset), SHOWN * number
        block = slice(first, first + SHOWN)
        name = _blank(figure, grid[block, 0])
        name.text(0.5, 0.5, dataset_text(suite, dataset), rotation=90, ha="center", va="center")
        if found is None or found.examples is None:
            instead = "missing" if found is None else "no images in these records"
            _blank(figure, grid[block, 1 : models + 2]).text(0.5, 0.5, instead, ha="center", va="center")
        else:
            for example in range(min(SHOWN, len(found.examples.labels))):
                axes = [figure.add_subplot(grid[first + example, 1 + column]) for column in range(models + 1)]
                _example(suite, axes, found, example, titled=number == 0 and example == 0)
        for column, quantity in enumerate(QUANTITIES, start=models + 2):
            like = panels.get(quantity)
            axis = figure.add_subplot(grid[block, column], sharex=like, sharey=like)
            panels.setdefault(quantity, axis)
            _panel(axis, found, quantity, models)
            if number == 0:
                axis.set_title("agreement with\nthe model before" if quantity == "agreement" else quantity)
    sizes = {found.map_size: None for found in maps.values()}
    size = f" of {' or '.join(f'{height}x{width}' for height, width in sizes)}" if sizes else ""
    return style.captioned(
        figure,
        suite,
        "Attention maps of the chain's models on the same test images",
        f"maps{size}: mean over channels of the squared activation, deepest feature stage that attention transfer "
        "compares",
        "first seed; first test image of a class; brighter: more attention, one scale an image",
        "sharpness: 0 flat, 1 one point; agreement: cosine of two maps; thin lines: seeds; thick line: mean",
        "in no family of the plan: a description",
    )


def _blank(figure: Figure, place: Any) -> Any:
    axis = figure.add_subplot(place)
    axis.set_axis_off()
    return axis


def _example(suite: Suite, axes: list[Any], found: AttentionMaps, example: int, *, titled: bool) -> None:
    """Draw one test image and every model's map of it, on one scale of grey."""
    assert found.examples is not None  # noqa: S101 - the caller has looked
    examples = found.examples
    maps = examples.maps[:, example]
    brightest = max((float(shown.max()) for shown in maps if not np.isnan(shown).any()), default=1.0)
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_box_aspect(1)
    axes[0].imshow(examples.images[example])
    name = suite.facts[found.dataset].classes[examples.labels[example]]
    axes[0].set_ylabel(textwrap.fill(name.replace("_", " "), 12), fontsize=6.5)
    for axis, shown in zip(axes[1:], maps, strict=True):
        if np.isnan(shown).any():
            axis.text(0.5, 0.5, "diverged", transform=axis.transAxes, ha="center", va="center")
        else:
            axis.imshow(shown, cmap="gray", vmin=0, vmax=brightest, interpolation="nearest")
    if titled:
        for axis, heading in zip(axes, ("image", *(f"M{n}" for n in range(1, len(axes)))), strict=True):
            axis.set_title(heading)


def _panel(axis: Any, found: AttentionMaps | None, quantity: str, models: int) -> None:
    """Draw a quantity along the chain; agreement begins with the second model."""
    first = 2 if quantity == "agreement" else 1
    stages = list(range(first, models + 1))
    nothing = np.full((1, models), np.nan)
    seeds: NDArray[np.float64] = nothing if found is None else found.numbers[quantity].mean(axis=2)
    style.draw_stages(axis, stages, seeds[:, first - 1 :], seeds.mean(axis=0)[first - 1 :])
    axis.set_xticks(stages, [f"M{n}" if first == 1 else f"M{n} with M{n - 1}" for n in stages])
