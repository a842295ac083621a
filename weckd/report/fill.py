"""The sections with what the run holds for them; what it lacks is named, and nothing that it holds is lost."""

import base64
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from weckd.config import Suite
from weckd.files import FOLDER_SUMS
from weckd.manifests import trained_cells
from weckd.report import tables
from weckd.report.contents import MORE, OPTIONAL, PICTURE_FOLDERS, SECTIONS, TABLE_FOLDERS, Pictures, Section
from weckd.report.limits import limits_block
from weckd.report.tables import Block, read_blocks
from weckd.run_files import RunFiles

HEAD = 10_000  # bytes of an SVG that hold its metadata


@dataclass(frozen=True)
class Picture:
    """A picture within the page: as a data URI its ids cannot clash with another's, and nothing is loaded."""

    title: str
    alt: str
    uri: str  # free of single quotes
    folded: bool
    beside: bool  # small: two go side by side
    nothing: str  # why it has nothing to show; empty where it has


@dataclass(frozen=True)
class Filled:
    """A section with its tables, its pictures, what is there but has nothing to show, and what is missing."""

    section: Section
    blocks: tuple[Block, ...]
    pictures: tuple[Picture, ...]
    empty: tuple[str, ...] = ()  # titles with the reason that they share
    missing: tuple[str, ...] = ()


def fill(suite: Suite, run: Path) -> tuple[Filled, ...]:
    """Return all sections in order, and one of what is left over where there is any.

    Raises:
        UserError: a file of tables, or a manifest, cannot be read.
    """
    files = [file for folder in TABLE_FOLDERS for file in sorted((run / folder).glob("*.json"))]
    files = [file for file in files if file.name != FOLDER_SUMS]
    blocks = {file.relative_to(run).as_posix(): list(read_blocks(file, _csv(file, run))) for file in files}
    pictures = {file.relative_to(run).as_posix(): file for file in _pictures(run)}
    paths = RunFiles(run)
    cells = trained_cells(suite, paths.manifests)
    own = {
        "limits": [limits_block(suite, paths)],
        "data": [tables.licences_block(suite, paths)],
        "environment": [
            tables.machines_block(suite, cells),
            tables.settings_block(suite),
            tables.amendments_block(suite),
        ],
        "cost": [tables.cost_block(suite, cells)],
    }
    lacks = {"environment": tables.missing_cells(suite, cells)}
    filled = [  # each takes what it shows
        _filled(suite, section, own.get(section.key, []), [*lacks.get(section.key, ())], blocks, pictures)
        for section in SECTIONS
    ]
    left = tuple(block for of_file in blocks.values() for block in of_file)
    drawn = tuple(
        _picture(file, Pictures(name, name, f"{name} of this run.", True)) for name, file in pictures.items()
    )
    return (*filled, Filled(MORE, left, drawn)) if left or drawn else tuple(filled)


def _csv(file: Path, run: Path) -> str:
    csv = file.with_suffix(".csv")
    return csv.relative_to(run).as_posix() if csv.is_file() else ""


def _filled(
    suite: Suite,
    section: Section,
    taken: list[Block],
    missing: list[str],
    blocks: dict[str, list[Block]],
    pictures: dict[str, Path],
) -> Filled:
    """Add to what is taken and missing already; what is taken of `blocks` and `pictures` is not left in them."""
    drawn: list[Picture] = []
    for name in section.tables:
        of, _, label = name.partition("#")
        file = f"{of}.json" if "/" in of else f"tables/{of}.json"
        if file not in blocks:
            missing += [] if of in OPTIONAL else [file]
            continue
        found = [block for block in blocks[file] if label in ("", block.label)]
        if label and not found:
            missing.append(f"{file}: no table {label!r}")
        taken += found
        blocks[file] = [block for block in blocks[file] if block not in found]
    for source in _sources(suite, section):
        if source.file in pictures:
            drawn.append(_picture(pictures.pop(source.file), source))
        elif source.file not in OPTIONAL:
            missing.append(source.file)
    empty: dict[str, list[str]] = {}  # reason -> titles
    parts: list[Block | Picture] = [*taken, *drawn]
    for part in parts:
        if part.nothing:
            empty.setdefault(part.nothing, []).append(part.title.removesuffix(f", suite {suite.run}"))
    return Filled(
        section,
        tuple(block for block in taken if not block.nothing),
        tuple(picture for picture in drawn if not picture.nothing),
        tuple(f"{', '.join(titles)}: {why}" for why, titles in empty.items()),
        tuple(dict.fromkeys(missing)),
    )


def _sources(suite: Suite, section: Section) -> Iterator[Pictures]:
    """Yield the section's pictures in order; of those that each data set has, all of one before the next one's."""
    for of_each, pictures in groupby(section.pictures, lambda source: "{dataset}" in source.file):
        of_group = list(pictures)
        for dataset in suite.datasets if of_each else ("",):
            for source in of_group:
                file, title, alt = (
                    text.replace("{dataset}", dataset) for text in (source.file, source.title, source.alt)
                )
                yield replace(source, file=file, title=title, alt=alt)


def _picture(file: Path, source: Pictures) -> Picture:
    content = file.read_bytes()
    if file.suffix != ".svg":
        uri = f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"
        return Picture(source.title, source.alt, uri, source.folded, source.beside, "")
    drawing = content.decode("utf-8", "replace")
    # Why a figure has nothing to show, its SVG says as its description.
    found = re.search(r"<dc:description>(.*?)</dc:description>", drawing[:HEAD], re.DOTALL)
    nothing = html.unescape(found[1]) if found else ""
    return Picture(source.title, source.alt, _drawing_uri(drawing), source.folded, source.beside, nothing)


def _drawing_uri(drawing: str) -> str:
    """Return an SVG as text that an attribute in single quotes can hold: two thirds of what base64 takes.

    Comments go, and white space between elements; what an address or the attribute would end at is escaped.
    """
    lines = re.sub(r"\s*\n\s*", " ", re.sub(r"<!--.*?-->", "", drawing, flags=re.DOTALL))
    escaped = re.sub(r"[%#&'\t]", lambda found: f"%{ord(found[0]):02X}", lines.replace("> <", "><"))
    return f"data:image/svg+xml,{escaped.strip()}"


def _pictures(run: Path) -> Iterator[Path]:
    """Yield every picture once: the drawing where there is one, else the pixels."""
    for folder in PICTURE_FOLDERS:
        for file in sorted((run / folder).glob("*")):
            if file.suffix == ".svg" or (file.suffix == ".png" and not file.with_suffix(".svg").exists()):
                yield file
