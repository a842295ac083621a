"""What was trained for a run, each fit counted once."""

from collections.abc import Sequence

from weckd.config import Suite
from weckd.manifests import TrainedCell
from weckd.report.blocks import Block, text_block

_CAPTION = (
    "Sums over the seeds, each fit counted once although several methods may use it; what the search for settings "
    "took, if any, is not in it. Times are no part of a run, because two runs that agree differ in them; they stand "
    "with the stored fits."
)


def cost_block(suite: Suite, cells: Sequence[TrainedCell]) -> Block:
    """Return a row a data set, and their sum: seeds, networks, optimiser steps, images seen, diverged fits."""
    numbers = {key: _numbers([cell for cell in cells if cell.dataset == key]) for key in suite.datasets}
    total = tuple(sum(column) for column in zip(*numbers.values(), strict=True))
    rows = [(key, *map(_thousands, row)) for key, row in [*numbers.items(), ("all", total)]]
    header = ("data set", "cells", "networks trained", "optimiser steps", "images seen", "diverged fits")
    return text_block("What was trained", _CAPTION, header, rows)


def _numbers(cells: Sequence[TrainedCell]) -> tuple[int, ...]:
    fits = {identity: fit for cell in cells for identity, fit in cell.fits.items()}.values()
    return (
        len(cells),
        sum(fit["networks"] for fit in fits),
        sum(fit["steps_run"] * fit["networks"] for fit in fits),
        sum(fit["images"] for fit in fits),
        sum(fit["status"] != "finished" for fit in fits),
    )


def _thousands(count: int) -> str:
    return f"{count:,}"
