r"""Tables in LaTeX as a paper prints them: floats over two columns, nothing smaller than 7 pt in a class of 10 pt.

What fits is estimated, for a text of 170 by 225 mm as A4 and letter pages of two columns have it, from the widths of
Computer Modern, which runs wider than Times. A document needs `\usepackage{array,booktabs}`.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from weckd.tables.cells import MISSING, NOTHING, Span, cell_key
from weckd.tables.layout import AS_IT_IS, Layout, Selection, printed

if TYPE_CHECKING:
    from weckd.tables.render import Table

WIDTH_MM, HEIGHT_MM = 170, 225
_WIDTH, _HEIGHT = WIDTH_MM * 72.27 / 25.4, HEIGHT_MM * 72.27 / 25.4  # points, as all below
_FONTS = {
    "normalsize": (5.0, 12.0, 12.0),
    "small": (4.63, 11.0, 12.0),
    "footnotesize": (4.25, 9.5, 10.0),
    "scriptsize": (3.98, 8.0, 8.0),
}
"""The width of a digit, the distance of lines and that of columns, from the largest to the smallest."""
_CHARACTERS = {0.56: "il.,:;'!|[]", 0.62: "fj", 0.67: " \u00a0-", 0.73: "I_", 0.79: "()rst", 0.89: "cez†‡"}
_CHARACTERS |= {1.0: "ago/*0123456789", 1.03: "J", 1.06: "kqvxy", 1.25: "LZ", 1.37: "EFP", 1.45: "BCRTw"}
_CHARACTERS |= {1.52: "ADGHNUVXY", 1.56: "KOQ+=<>&±≤≥\u2212\u00d7", 1.67: "m%", 1.84: "M", 2.06: "W→"}
_WIDTHS = {character: width for width, characters in _CHARACTERS.items() for character in characters}
"""Widths of characters in those of digits; that of any other is 1.12."""
_SKIPS = 24.0  # points around caption, rules and notes
_WORDS = 24.0  # digits above which the words of a cell may be broken into lines
_NUMBERS = 32.0  # digits from which a cell with a number is words
_LINES, _HEAD_LINES = 6, 3  # of such a cell, and of a header
_MINUS = re.compile(r"(?<![\w*])-(?=[\d.])")
_TOGETHER = re.compile(r"\[[^]]*\]|\d+ %|\(.{,12}\)")  # of a header, on one line
_WORD, _PART = re.compile(r"[^ ]+ ?"), re.compile(r"[^ _]*_|[^ _]+ ?")  # which a line may end behind
_SUITE = re.compile(r", suite \S+$")
_PLAN = re.compile(r" ?\bPlan [0-9a-f]{12}\b[^.]*\.")
_OTHER_PLAN = re.compile(r"\btrained under [0-9a-f]{12}(, before it was changed)?")
_NAMED = {"\\": "textbackslash", "~": "textasciitilde", "^": "textasciicircum", "|": "textbar", "…": "ldots"}
_NAMED |= {"\u2013": "textendash", "\u2014": "textemdash"}
_MATH = {"<": "<", ">": ">", "\u2212": "-", "±": r"\pm", "\u00d7": r"\times", "≤": r"\leq", "≥": r"\geq"}
_MATH |= {"→": r"\rightarrow", "†": r"\dagger", "‡": r"\ddagger"}
_ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {character: f"\\{name}{{}}" for character, name in _NAMED.items()}
    | {character: f"${name}$" for character, name in _MATH.items()}
    | {"\u00a0": "~", "“": "``", "”": "''"}
)


def latex(table: "Table", layout: Layout = AS_IT_IS) -> str:
    """Return a booktabs table, below a comment that names its suite, its plan and the columns that are left out.

    The largest font is taken in which all columns fit the page; where none does, the table's narrow form is taken, then
    as many columns as fit. A table that is longer than a page goes on in further floats.
    """
    headers, rows = printed(table.cells, table.label, layout)
    asked = [_Column(*names, [row[place] for row in rows]) for place, names in enumerate(headers.items())]
    selection = layout.tables.get(table.label, Selection())
    columns, (font, widths) = _that_fit(asked, () if selection.columns else table.narrow)
    caption, notes = _caption(table), _notes(table, columns, selection.rows)
    body = _Body(columns, font, widths)
    floats = []
    for part in body.parts(
        _HEIGHT - _height(caption, "normalsize") - sum(_height(note, "footnotesize") for note in notes)
    ):
        head = f"\\setlength{{\\belowcaptionskip}}{{4pt}}\n\\caption{{{caption}}}\n\\label{{tab:{table.label}}}\n"
        again = f"Table~\\ref{{tab:{table.label}}}, continued.\\par\\vspace{{4pt}}\n"
        below = "\\footnotesize\\raggedright\n" + "\\par\n".join(notes)
        below = f"\\par\\vspace{{4pt}}\n\\parbox{{\\linewidth}}{{{below}}}\n"
        floats.append(
            f"\\begin{{table*}}[tbp]\n\\centering\n{again if part.start else head}"
            f"\\{font}\n\\setlength{{\\tabcolsep}}{{{_FONTS[font][2] / 2:g}pt}}\n{body.tabular(part)}"
            f"{below if notes and part.stop == len(rows) else ''}\\end{{table*}}\n"
        )
    return _comment(table, [column.name for column in asked if column not in columns]) + "\n".join(floats)


def _comment(table: "Table", left_out: Sequence[str]) -> str:
    plan = max(_PLAN.findall(" ".join(["", table.caption, *table.notes])), key=len, default="")
    chosen = (
        f"% All columns are wider than {WIDTH_MM} mm at 7 pt. Left out: {'; '.join(left_out)}.\n% Choose others by "
        f"tables.{table.label}.columns in a layout (config/tables.yaml): weckd tables --run RUN --layout FILE\n"
    )
    return f"% {table.title}.{plan}\n{chosen if left_out else ''}"


def _caption(table: "Table") -> str:
    warned = f"\\textbf{{{escaped(table.warning)}}}" if table.warning else ""
    said = (f"{escaped(_SUITE.sub('', table.title))}.", warned, escaped(_PLAN.sub("", table.caption).strip()))
    return " ".join(filter(None, said))


def _notes(table: "Table", columns: "Sequence[_Column]", rows: Sequence[str]) -> list[str]:
    """Return what is below a table: notes but those on columns and rows that are not printed, and what columns mean."""
    terms: dict[str, list[str]] = {}
    for column in columns:
        if column.name in table.terms:
            terms.setdefault(table.terms[column.name], []).append(f"\\emph{{{escaped(column.label)}}}")
    ended = {meaning: meaning if meaning.endswith((".", "?")) else f"{meaning}." for meaning in terms}
    meanings = [f"{', '.join(names)}: {escaped(ended[meaning])}" for meaning, names in terms.items()]
    absent = {*map(str, table.cells.columns)} - {column.name for column in columns}
    absent |= {*map(cell_key, table.cells.iloc[:, 0])} - {*rows} if rows else set()
    notes = [_without_hashes(note) for note in table.notes if note.partition(":")[0] not in absent]
    paragraphs = (" ".join(map(escaped, filter(None, notes))), " ".join(meanings))
    return [*filter(None, paragraphs)]


def _without_hashes(note: str) -> str:
    """Return a note without plans' hashes, and without the plan where it tells no more than that."""
    plan, _, told = note.partition("; ")
    if not _PLAN.fullmatch(f"{plan}.") or "trained under" not in told:
        return _PLAN.sub("", note)
    told = _OTHER_PLAN.sub("trained under an earlier plan", told)
    return told[0].upper() + told[1:]


@dataclass(frozen=True)
class _Column:
    """A column by its header, what is printed for it, and its cells; widths are in digits."""

    name: str
    label: str
    cells: Sequence[Sequence[Span]]

    @cached_property
    def head(self) -> str:
        """The header, whose brackets stay on one line."""
        return _TOGETHER.sub(lambda part: part[0].replace(" ", "\u00a0"), self.label)

    @cached_property
    def texts(self) -> list[str]:
        return ["".join(text for text, _ in cell) for cell in self.cells]

    @cached_property
    def is_numbers(self) -> bool:
        told = [text for text in self.texts if text not in (NOTHING, MISSING, "")]
        numbers = sum(map(_is_number, told))
        return 0 < numbers >= len(told) / 8 and max(map(_width, told)) < _NUMBERS

    @cached_property
    def widths(self) -> list[float]:
        """The width of each cell on one line."""
        bold = [any(bold for _, bold in cell) for cell in self.cells]
        return [
            _width(text) * (1.15 if is_bold else 1) for text, is_bold in zip(self.texts, bold, strict=True)
        ]

    @cached_property
    def cell(self) -> float:
        """The width of its widest cell."""
        return max(self.widths, default=0.0)

    @cached_property
    def mean(self) -> float:
        """The mean width of the cells that hold something."""
        told = [
            width for text, width in zip(self.texts, self.widths, strict=True) if text not in (NOTHING, "")
        ]
        return sum(told) / max(1, len(told))

    @cached_property
    def natural(self) -> float:
        """Its width with each cell on one line, and its header on few lines."""
        return max(self.cell, self._header(_WORD))

    @cached_property
    def least(self) -> float:
        """The smallest width that reads well: sentences take some lines, a name may be broken at _, a number is not."""
        header = self._header(_PART)
        if not self.is_numbers and self.cell <= _WORDS:
            return max(self.cell, header)
        whole = [
            _is_number(text) or width <= _WORDS / 2
            for text, width in zip(self.texts, self.widths, strict=True)
        ]
        kept = zip(self.texts, self.widths, whole, strict=True)
        widest = max(width if is_whole else _longest(text, _PART) for text, width, is_whole in kept)
        return (
            max(header, widest) if self.is_numbers else max(header, widest, _WORDS * 0.75, self.cell / _LINES)
        )

    def _header(self, piece: re.Pattern[str]) -> float:
        widths = (9 + step / 2 for step in range(2 * len(self.head) + 1))
        longest = _longest(self.head, piece)
        enough = next(
            width for width in widths if len(_wrapped(self.head, max(width, longest))) <= _HEAD_LINES
        )
        return max(longest, min(enough, _width(self.head)))


_Fit = tuple[str, list[float]]
"""A font, and the width of each column in digits."""


def _that_fit(whole: list[_Column], narrow: Sequence[str]) -> tuple[list[_Column], _Fit]:
    """Return the most columns that fit the page, see `latex`; the first is always among them."""
    columns = whole
    while not (fit := _fit(columns)):
        narrowed = [column for column in columns if column.name in narrow]
        columns = narrowed if 0 < len(narrowed) < len(columns) else columns[:-1]
    return columns, fit


def _fit(columns: list[_Column]) -> _Fit | None:
    """Return the largest font in which the columns fit the page, and their widths; at the smallest one always fits.

    Rather than in more than two lines, sentences are set in a font of 8 pt.
    """
    least = [column.least for column in columns]
    two_lines = [max(column.least, column.natural / 2) for column in columns]
    for widths, fonts in ((two_lines, [*_FONTS][:-1]), (least, [*_FONTS])):
        for font in fonts:
            digit, _, gap = _FONTS[font]
            room = (0.98 * _WIDTH - gap * (len(columns) - 1)) / digit - sum(widths)
            if room >= 0 or (len(columns) <= 1 and font == "scriptsize"):
                return font, _spread(columns, widths, room)
    return None


def _spread(columns: list[_Column], widths: list[float], room: float) -> list[float]:
    """Return wider widths: first as cells are wide on the average, then as the widest."""
    for wanted in ([column.mean for column in columns], [column.natural for column in columns]):
        lacks = [max(0.0, wish - width) for wish, width in zip(wanted, widths, strict=True)]
        share = max(0.0, min(1.0, room / sum(lacks))) if any(lacks) else 0.0
        widths = [width + share * lack for width, lack in zip(widths, lacks, strict=True)]
        room -= share * sum(lacks)
    return widths


@dataclass(frozen=True)
class _Body:
    columns: list[_Column]
    font: str
    widths: list[float]

    @cached_property
    def _head(self) -> list[tuple[str, ...]]:
        """The lines of the headers, of which short ones are empty above."""
        heads = [_wrapped(c.head, width + 0.1) for c, width in zip(self.columns, self.widths, strict=True)]
        height = max(map(len, heads), default=0)
        return [*zip(*([*[""] * (height - len(head)), *head] for head in heads), strict=True)]

    @cached_property
    def _blocks(self) -> list[int]:
        """The rows with which blocks of one first cell begin, and the number of rows."""
        first = self.columns[0].texts if self.columns else []
        return [row for row in range(len(first)) if row == 0 or first[row] != first[row - 1]] + [len(first)]

    @cached_property
    def _gaps(self) -> set[int]:
        """The rows above which there is some space: of a block, and those around cells of several lines."""
        has_blocks = len(self._blocks) <= self._blocks[-1]
        several = {row for row, lines in enumerate(self._lines) if max(lines[has_blocks:], default=1) > 1}
        return several | {row + 1 for row in several} | ({*self._blocks} if has_blocks else set())

    @cached_property
    def _lines(self) -> list[list[int]]:
        """The number of lines of each cell of each row."""
        cells = zip(*(column.texts for column in self.columns), strict=True)
        return [[len(_wrapped(*cell)) for cell in zip(row, self.widths, strict=True)] for row in cells]

    def parts(self, room: float) -> list[slice]:
        """Return the rows of each float, whole blocks where they fit, if so many points are free on a page."""
        line = _FONTS[self.font][1]
        lines = [*map(max, self._lines)]
        gaps = [0.5 * (row in self._gaps) for row in range(len(lines))]
        before = [0.0, *accumulate(line * (count + gap) for count, gap in zip(lines, gaps, strict=True))]
        free = max(room - (len(self._head) + 2) * line - _SKIPS, 10 * line)
        blocks = self._blocks
        if any(before[end] - before[start] > free for start, end in pairwise(blocks)):
            blocks = [*range(len(lines) + 1)]
        starts = [0]
        for start, end in pairwise(blocks):
            if start > starts[-1] and before[end] - before[starts[-1]] > free:
                starts.append(start)
        return [slice(*ends) for ends in pairwise([*starts, len(lines)])]

    def tabular(self, part: slice) -> str:
        """Return a tabular of some of the rows; what repeats in the first column is printed once a block."""
        body = []
        for row in range(part.start, part.stop):
            cells = [*map(partial(self._cell, row), self.columns, self.widths)]
            if row > part.start and row in self._gaps:
                body.append("\\addlinespace\n")
            body.append(_row(cells if row == part.start or row in self._blocks else ["", *cells[1:]]))
        kinds = "".join(map(self._kind, self.columns, self.widths))
        return (
            f"\\begin{{tabular}}{{@{{}}{kinds}@{{}}}}\n\\toprule\n"
            + "".join(_row([*map(escaped, line)]) for line in self._head)
            + f"\\midrule\n{''.join(body)}\\bottomrule\n\\end{{tabular}}\n"
        )

    def _cell(self, row: int, column: _Column, width: float) -> str:
        text = "".join(map(_span, column.cells[row]))
        is_long = width < column.cell and width < _longest(column.texts[row], _WORD)
        return text.replace(r"\_", r"\_\allowbreak{}") if is_long else text

    def _kind(self, column: _Column, width: float) -> str:
        if width < column.cell:
            share = math.floor(1000 * width * _FONTS[self.font][0] / _WIDTH) / 1000
            side = "left" if column.is_numbers else "right"
            return f">{{\\ragged{side}\\arraybackslash}}p{{{share:g}\\linewidth}}"
        return "r" if column.is_numbers else "l"


def _row(cells: Sequence[str]) -> str:
    return f"{' & '.join(cells)} \\\\\n"


def _width(text: str) -> float:
    """Return the width of a text in digits."""
    return sum(_WIDTHS.get(character, 1.12) for character in _MINUS.sub("\u2212", text))


def _is_number(text: str) -> bool:
    """Return whether it is mostly of digits and signs: a unit or a name may be beside them."""
    return any(map(str.isdigit, text)) and sum(map(str.isalpha, text)) <= 0.4 * len(text)


def _longest(text: str, piece: re.Pattern[str]) -> float:
    return max((_width(part.rstrip(" ")) for part in piece.findall(text)), default=0.0)


def _wrapped(text: str, width: float) -> list[str]:
    """Return a text in lines of some width, in digits, broken at blanks, and behind _ where a word is too long."""
    lines = [""]
    for part in (_WORD if _longest(text, _WORD) <= width else _PART).findall(text):
        if lines[-1] and _width(lines[-1] + part.rstrip(" ")) > width:
            lines.append("")
        lines[-1] += part
    return [line.rstrip(" ") for line in lines]


def _height(text: str, font: str) -> float:
    digit, line, _ = _FONTS[font]
    return math.ceil(1.05 * _width(text) * digit / _WIDTH) * line


def _span(span: Span) -> str:
    text = "--" if span[0] == NOTHING else escaped(span[0])
    return f"\\textbf{{{text}}}" if span[1] else text


def escaped(text: str) -> str:
    """Return text with LaTeX's own characters escaped, true minus signs, and no line that begins with % or =."""
    minus = _MINUS.sub("\u2212", text).translate(_ESCAPES)
    tied = re.sub(r"(?<=\d) (?=\\%)| (?==)|(?<==) ", "~", minus)
    return re.sub(r'"([^"]*)"', r"``\1''", tied).replace("--", "-{}-")
