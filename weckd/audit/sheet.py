"""A sheet of example pairs of one data set, for the eye to judge."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from weckd.audit.findings import listed_pairs
from weckd.audit.sets import AuditedSet
from weckd.tables.captions import PHANTOM

_PAIRS, _COLUMNS = 12, 3
_NAME = 24  # letters of an image id that fit
_CELL, _TITLE = 1.75, 0.55  # inches: of a pair's height, of the title


def pair_sheet(audited: AuditedSet) -> Figure:
    """Return up to twelve pairs: label conflicts first, then leaks, then the least alike, then identical ones."""
    chosen = _chosen(audited)
    rows = max(1, -(-len(chosen) // _COLUMNS))
    height = _CELL * rows + _TITLE
    figure = Figure(figsize=(2 * _CELL * _COLUMNS * 0.9, height))
    title = f"{audited.key}: example pairs, {len(chosen)} of {len(audited.pairs)}"
    figure.suptitle(
        f"{PHANTOM.upper()}\n{title}" if audited.phantom else title, weight="bold", y=1 - 0.1 / height
    )
    if not len(chosen):
        figure.text(0.5, 0.3, "no pairs found", ha="center")
        return figure
    images = np.load(audited.images, mmap_mode="r", allow_pickle=False)
    columns = listed_pairs(audited)
    for place, pair in enumerate(chosen.tolist()):
        row, column = divmod(place, _COLUMNS)
        bottom = (_CELL * (rows - 1 - row) + 0.25) / height
        cells = [
            figure.add_axes((left, bottom, 0.42 / _COLUMNS, (_CELL - 0.55) / height))
            for left in ((column + 0.05) / _COLUMNS, (column + 0.50) / _COLUMNS)
        ]
        _draw(cells, audited, images, columns, pair)
    return figure


def _chosen(audited: AuditedSet) -> np.ndarray:
    """Return rows of pairs in the order of interest, no cluster twice while there are others."""
    columns = listed_pairs(audited)
    interest = np.select(
        [columns["label_conflict"], columns["crosses_official_test"], columns["kind"] == "near"], [0, 1, 2], 3
    )
    order = np.lexsort((columns["correlation"], interest))
    groups = audited.index["group_id"].to_numpy()[audited.pairs["first"].to_numpy()[order]]
    seen: dict[str, int] = {}
    again = np.array([seen.setdefault(group, row) != row for row, group in enumerate(groups)], dtype=bool)
    return np.concatenate([order[~again], order[again]])[:_PAIRS].astype(np.int64)


def _draw(cells: Any, audited: AuditedSet, images: Any, columns: Any, pair: int) -> None:
    told = f"{columns['kind'][pair]}, r = {columns['correlation'][pair]:.3f}"
    if columns["label_conflict"][pair]:
        told += ", labels differ"
    if columns["crosses_official_test"][pair]:
        told += ", test and training"
    for cell, column, side in zip(cells, ("first", "second"), "ab", strict=True):
        cell.set_axis_off()
        cell.imshow(images[audited.pairs[column].iloc[pair]], interpolation="nearest")
        name = str(columns[f"image_{side}"][pair])
        short = name if len(name) <= _NAME else f"..{name[2 - _NAME :]}"
        cell.set_title(f"{short}\n{columns[f'class_{side}'][pair]}", fontsize=6, pad=2)
    cells[0].text(0.0, -0.06, told, transform=cells[0].transAxes, fontsize=6.5, va="top")
