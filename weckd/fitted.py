"""Lists that fit a terminal's width: columns are wrapped, and those that say least are left out."""

import textwrap
from collections.abc import Collection, Sequence

from tabulate import tabulate

_PADDING = 2  # columns that tabulate leaves beside a head
_READABLE = 30  # columns of text below which others are left out instead
_LEAST = 14  # columns of text that a wrapped cell keeps


def fitted_table(
    rows: Sequence[Sequence[object]],
    headers: Sequence[str],
    width: int | None,
    wrapped: Collection[str],
    dropped: Sequence[str] = (),
    tablefmt: str = "simple",
    right: Collection[str] = (),
) -> str:
    """Return a table of a terminal, no wider than it where its columns allow for that.

    Args:
        rows: its cells; a line break within one stays.
        headers: its columns; a line break within one stays.
        width: of the terminal; None: all columns as wide as they are.
        wrapped: columns whose cells may be wrapped.
        dropped: columns that may be left out, the first one first; the last line names those that were.
        tablefmt: "simple" or "grid"; "simple" where columns are left out.
        right: columns that end at one edge, as those of whole numbers do.
    """
    texts = [[str(cell) for cell in row] for row in rows]
    widths = {
        name: max(
            *(len(line) + _PADDING for line in name.split("\n")),
            *(len(line) for text in cells for line in text.split("\n")),
        )
        for name, *cells in zip(headers, *texts, strict=True)
    }

    def too_wide(least: int | None) -> bool:
        kept = (min(size, least or size) if name in wrapped else size for name, size in widths.items())
        lines = 3 * len(widths) + 1 if tablefmt == "grid" else 2 * len(widths) - 2
        return width is not None and sum(kept) + lines > width

    left_out = []
    for name in dropped:
        if too_wide(_READABLE):
            del widths[name]
            left_out.append(name)
            tablefmt = "simple"  # which has fewer lines
    narrower = [name for name in widths if name in wrapped]
    while too_wide(None) and (name := max(narrower, key=widths.__getitem__)) and widths[name] > _LEAST:
        widths[name] -= 1
    shown = [number for number, name in enumerate(headers) if name in widths]
    limits = {name: width is not None and name in wrapped for name in widths}
    table = tabulate(
        [[row[number] for number in shown] for row in texts],
        headers=[
            fitted_text(name, widths[name] - _PADDING) if limited else name
            for name, limited in limits.items()
        ],
        tablefmt=tablefmt,
        colalign=[
            "right"
            if headers[number] in right or all(isinstance(row[number], int) for row in rows)
            else "left"
            for number in shown
        ],
        disable_numparse=True,
        maxcolwidths=[widths[name] if limited else None for name, limited in limits.items()],
    )
    return f"{table}\n--wide shows also: {', '.join(left_out)}" if left_out else table


def fitted_text(text: str, width: int | None) -> str:
    """Return lines of text, each wrapped at the width of a terminal; None: as they are."""
    return "\n".join(textwrap.fill(line, width) if width else line for line in text.split("\n"))
