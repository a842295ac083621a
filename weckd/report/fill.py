"""The sections with what the run holds for them; what it lacks is named, and nothing that it holds is lost."""

import base64
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from weckd.config import Suite
from weckd.report.blocks import Block, read_blocks
from weckd.report.contents import MORE, PICTURE_FOLDERS, SECTIONS, TABLE_FOLDERS, Pictures, Section, Tables

HEAD = 10_000  # bytes of an SVG that hold its metadata
_KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


@dataclass(frozen=True)
class Picture:
    """A picture within the page: as a data URI its ids cannot clash with another's, and nothing is loaded."""

    title: str
    alt: str
    uri: str
    folded: bool


@dataclass(frozen=True)
class Filled:
    """A section with its tables, its pictures, what is there but has nothing to show, and what is missing."""

    section: Section
    blocks: tuple[Block, ...]
    pictures: tuple[Picture, ...]
    empty: tuple[str, ...]  # titles with the reason that they share
    missing: tuple[str, ...]


def fill(suite: Suite, run: Path) -> tuple[Filled, ...]:
    """Return all sections in order, and one of what is left over where there is any.

    Raises:
        UserError: a table is no UTF-8 text.
    """
    shelf = _Shelf(suite, run)
    filled = [shelf.fill(section) for section in SECTIONS]
    rest = shelf.rest()
    return (*filled, rest) if rest.blocks or rest.pictures else tuple(filled)


class _Shelf:
    """The run's tables and pictures; each is taken once."""

    def __init__(self, suite: Suite, run: Path) -> None:
        self._suite, self._run = suite, run
        files = [file for folder in TABLE_FOLDERS for file in sorted((run / folder).glob("*.md"))]
        self._blocks = {self._name(file): list(read_blocks(file)) for file in files}
        self._pictures = [self._name(file) for file in _pictures(run)]

    def fill(self, section: Section) -> Filled:
        missing: list[str] = []
        empty: dict[str, list[str]] = {}  # reason -> titles
        blocks = [block for source in section.tables for block in self._take_blocks(source, missing, empty)]
        pictures = [x for source in section.pictures for x in self._take_pictures(source, missing, empty)]
        said = tuple(f"{', '.join(titles)}: {why}" for why, titles in empty.items())
        return Filled(section, tuple(blocks), tuple(pictures), said, tuple(missing))

    def rest(self) -> Filled:
        blocks = tuple(block for left in self._blocks.values() for block in left)
        pictures = tuple(self._picture(name, name, f"{name} of this run.", True) for name in self._pictures)
        return Filled(MORE, blocks, pictures, (), ())

    def _take_blocks(
        self, source: Tables, missing: list[str], empty: dict[str, list[str]]
    ) -> Iterator[Block]:
        if source.file not in self._blocks:
            missing += [source.file] if source.expected else []
            return
        left = self._blocks[source.file]
        for start in source.titles or ("",):
            found = [block for block in left if block.title.startswith(start)]
            if start and not found:
                missing.append(f"{source.file}: no table {start!r}")
            for block in found:
                left.remove(block)
                if block.only_sentence:
                    title = block.title.removesuffix(f", suite {self._suite.run}")
                    empty.setdefault(block.only_sentence, []).append(title)
                else:
                    yield block

    def _take_pictures(
        self, source: Pictures, missing: list[str], empty: dict[str, list[str]]
    ) -> Iterator[Picture]:
        datasets = self._suite.datasets if "{dataset}" in source.file else ("",)
        for dataset in datasets:
            name, title, alt = (
                text.replace("{dataset}", dataset) for text in (source.file, source.title, source.alt)
            )
            if name in self._pictures:
                self._pictures.remove(name)
                why = _nothing_drawn(self._run / name)
                if why:
                    empty.setdefault(why, []).append(title)
                else:
                    yield self._picture(name, title, alt, source.folded)
            elif source.expected:
                missing.append(name)

    def _picture(self, name: str, title: str, alt: str, folded: bool) -> Picture:
        file = self._run / name
        content = base64.b64encode(file.read_bytes()).decode("ascii")
        return Picture(title, alt, f"data:{_KINDS[file.suffix]};base64,{content}", folded)

    def _name(self, file: Path) -> str:
        return file.relative_to(self._run).as_posix()


def _nothing_drawn(file: Path) -> str:
    """Return why a figure has nothing to show, which its SVG says as its description; empty where it has."""
    head = file.read_bytes()[:HEAD].decode("utf-8", "replace") if file.suffix == ".svg" else ""
    found = re.search(r"<dc:description>(.*?)</dc:description>", head, re.DOTALL)
    return html.unescape(found[1]) if found else ""


def _pictures(run: Path) -> Iterator[Path]:
    """Yield every picture once: the drawing where there is one, else the pixels."""
    for folder in PICTURE_FOLDERS:
        for file in sorted((run / folder).glob("*")):
            if file.suffix == ".svg" or (file.suffix == ".png" and not file.with_suffix(".svg").exists()):
                yield file
