"""Tables for the page, with all text escaped: from the run's JSON files, or made by the page itself.

Those are of licences of the data, machines and settings, and the cost.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from weckd import __version__
from weckd.config import Suite
from weckd.data.catalogue import load_catalogue
from weckd.errors import named, unreadable
from weckd.manifests import TrainedCell
from weckd.run_files import RunFiles
from weckd.tables.captions import SAID_MISSING

NOT_STATED = "not stated"
LONG = 40  # characters of a cell that may break into lines


@dataclass(frozen=True)
class Cell:
    """A cell as plain text and as HTML."""

    text: str
    html: str

    @property
    def long(self) -> bool:
        """Whether the cell is prose, which may break into lines."""
        return len(self.text) > LONG


@dataclass(frozen=True)
class Block:
    """A table with its title, its caption and notes (HTML), the label that names it, and the file of its numbers."""

    title: str
    caption: str
    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    label: str = ""  # empty for a table that the page makes itself
    notes: tuple[str, ...] = ()
    terms: Mapping[str, str] = field(default_factory=dict)  # header -> what it means
    narrow: tuple[str, ...] = ()  # headers of the narrow view; all where it is empty
    csv: str = ""  # below the run's folder; empty where there is none

    @property
    def extra(self) -> tuple[bool, ...]:
        """For each column, whether it is in the full view only."""
        shown = {cell.text for cell in self.header} & set(self.narrow)
        return tuple(bool(shown) and cell.text not in shown for cell in self.header)

    @property
    def nothing(self) -> str:
        """The only cell of a table that has nothing to show and says why; else empty."""
        return self.rows[0][0].text if len(self.header) == len(self.rows) == 1 else ""


def text_block(title: str, caption: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Block:
    """Return a table of plain text."""
    head, *cells = (tuple(Cell(str(x), escape(str(x))) for x in row) for row in (header, *rows))
    return Block(title, escape(caption), head, tuple(cells))


def read_blocks(file: Path, csv: str = "") -> tuple[Block, ...]:
    """Return the tables of a JSON file that `weckd.tables.render` wrote, in order; `csv` has their numbers.

    Raises:
        UserError: the file cannot be read, or holds something else.
    """
    with unreadable(file, "not tables of a run", "make them again, or move away what is no table", repr):
        return tuple(_block(table, csv) for table in json.loads(file.read_text(encoding="utf-8")))


def _block(told: Mapping[str, Any], csv: str) -> Block:
    warned = [{"bold": told["warning"]}, " "] if told["warning"] else []
    header, *rows = (tuple(map(_cell, row)) for row in (told["columns"], *told["rows"]))
    caption = SAID_MISSING.sub(r"<strong>\g<0></strong>", _cell([*warned, told["caption"]]).html)
    # The audit of a reference that was frozen before tables had these has none, and no image to be made again from.
    notes = tuple(_cell(note).html for note in told.get("notes", ()))
    terms, narrow = dict(told.get("terms", {})), tuple(told.get("narrow", ()))
    return Block(told["title"], caption, header, tuple(rows), told["label"], notes, terms, narrow, csv)


def _cell(told: str | Sequence[Any]) -> Cell:
    """Return a text, or a list of texts and of `{"bold": text}`."""
    text = html = ""
    for span in [told] if isinstance(told, str) else told:
        part = span if isinstance(span, str) else span["bold"]
        text += part
        safe = escape(part, quote=False).replace('"', "&quot;")  # no apostrophe: it can end no attribute here
        html += safe if part is span else f"<strong>{safe}</strong>"
    return Cell(text, html)


@dataclass(frozen=True)
class Terms:
    """What a catalogue says of a data set's images."""

    licence: str
    source: str
    citation: str


def stated_terms(suite: Suite, key: str, run: RunFiles) -> Terms | None:
    """Return the terms of a data set: as the package's catalogue has them, or as the user's own entry had.

    The user's entry is read where its images were prepared, since a catalogue may be edited or moved after the run;
    None where they are not there.

    Raises:
        UserError: the prepared data set's facts cannot be read.
    """
    entry = load_catalogue().get(key)
    if entry:
        return Terms(entry.licence, entry.source, entry.citation)
    file = run.prepared(suite, key) / "dataset.json"
    if not file.is_file():
        return None
    with unreadable(file, "not readable facts", "make it again with `weckd prepare`", repr):
        facts = json.loads(file.read_text(encoding="utf-8"))
        return Terms(facts["licence"], facts["source"], facts["citation"])


def licences_block(suite: Suite, run: RunFiles) -> Block:
    """Return a row a data set, see `stated_terms`."""
    terms = {key: stated_terms(suite, key, run) for key in suite.datasets}
    own = [key for key in suite.datasets if key not in load_catalogue()]
    caption = "Licences and sources as the package's catalogue states them."
    if own:
        caption += (
            f" Your own data sets ({', '.join(own)}): as the entries that their images were prepared by."
        )
    if None in terms.values():
        caption += f" {NOT_STATED}: those images are not beside this run."
    rows = []
    for key, told in terms.items():
        facts, known = suite.facts[key], told or Terms(NOT_STATED, NOT_STATED, NOT_STATED)
        images = "phantom" if facts.phantom else "real"
        described = (key, facts.title, images, facts.modality, len(facts.classes))
        derived = ", ".join(facts.derived_from) or "-"
        rows.append((*described, known.licence, known.source, derived, known.citation or "-"))
    stated = ("licence", "source", "derived from", "citation")
    header = ("data set", "title", "images", "modality", "classes", *stated)
    return text_block("Data sets", caption, header, rows)


def machines_block(suite: Suite, cells: Sequence[TrainedCell]) -> Block:
    """Return a row for each device, versions and thread count that cells were trained with."""
    libraries = sorted({library for cell in cells for library in cell.versions})
    counts = Counter(
        (cell.device, cell.threads, *(cell.versions.get(library, "-") for library in libraries))
        for cell in cells
    )
    rows = [(*kind, count) for kind, count in sorted(counts.items())]
    caption = (
        "Cells: one data set and one seed each. The same device kind gives the same bytes; another one agrees within "
        "the intervals."
    )
    header = ("device", "threads", *libraries, f"cells, of {len(suite.datasets) * len(suite.seeds)}")
    return text_block("Machines and libraries", caption, header, rows)


def missing_cells(suite: Suite, cells: Sequence[TrainedCell]) -> tuple[str, ...]:
    """Return a name for each data set that lacks the manifest of a seed."""
    found = {(cell.dataset, cell.seed) for cell in cells}
    lacking = {key: [seed for seed in suite.seeds if (key, seed) not in found] for key in suite.datasets}
    return tuple(f"manifests/{key}, {named('seed', seeds)}" for key, seeds in lacking.items() if seeds)


def settings_block(suite: Suite) -> Block:
    """Return the settings that decide the numbers."""
    left_out = {key: suite.exclude_classes.get(key) for key in suite.datasets}
    excluded = "; ".join(f"{key}: {_listed(names)}" for key, names in left_out.items() if names)
    tuning = f"searched for: {suite.tuning.trials} trials each, on seeds {_listed(suite.tuning.seeds)}"
    rows = {
        "suite": suite.run,
        "seeds": _listed(suite.seeds),
        "methods": _listed(suite.methods),
        "models in the chain": suite.chain_length,
        "backbone": f"{suite.backbone.name}, initial weights: {suite.backbone.init}",
        "image size": f"{suite.image_size} px",
        "classes left out": excluded or "none",
        "near-duplicates": f"correlation above {suite.groups_threshold:g}",
        **{
            name: _parts(getattr(suite, name))
            for name in ("split", "training", "augmentation", "distillation")
        },
        "settings of each method": tuning if suite.tuned else "committed, no method is tuned",
        "alpha": f"{suite.analysis.alpha:g}",
        "margin of non-inferiority": f"{suite.analysis.margin_pp:g} points",
        "metrics, the first is primary": _listed(suite.analysis.metrics),
        "plan (hash)": suite.plan_hash,
        "made by": f"weckd {__version__}",
    }
    caption = "All settings are in suite.json of the run; config/README.md says what each one means."
    return text_block("Settings", caption, ("setting", "value"), list(rows.items()))


def amendments_block(suite: Suite) -> Block:
    """Return what was changed of the analysis plan since it was first committed."""
    when = {True: "after results were seen", False: "before"}
    rows = [(item.date, when[item.after_results], item.says) for item in suite.analysis.amendments]
    caption = f"These lines are part of the plan, whose hash every table names: {suite.plan_hash}."
    none = "nothing was changed of this plan"
    header = ("date", "when", "change") if rows else ("change",)
    return text_block("Amendments of the analysis plan", caption, header, rows or [(none,)])


def cost_block(suite: Suite, cells: Sequence[TrainedCell]) -> Block:
    """Return a row a data set, and their sum: seeds, networks, optimiser steps, images seen, diverged fits."""
    numbers = {key: _cost([cell for cell in cells if cell.dataset == key]) for key in suite.datasets}
    numbers["all"] = tuple(map(sum, zip(*numbers.values(), strict=True)))
    caption = (
        "Sums over the seeds, each fit counted once although several methods may use it; what the search for settings "
        "took, if any, is not in it. Times are no part of a run, because two runs that agree differ in them; they "
        "stand with the stored fits."
    )
    header = ("data set", "cells", "networks trained", "optimiser steps", "images seen", "diverged fits")
    rows = [(key, *(f"{number:,}" for number in row)) for key, row in numbers.items()]
    return text_block("What was trained", caption, header, rows)


def _cost(cells: Sequence[TrainedCell]) -> tuple[int, ...]:
    fits = {identity: fit for cell in cells for identity, fit in cell.fits.items()}.values()
    return (
        len(cells),
        sum(fit["networks"] for fit in fits),
        sum(fit["steps_run"] * fit["networks"] for fit in fits),
        sum(fit["images"] for fit in fits),
        sum(fit["status"] != "finished" for fit in fits),
    )


def _parts(settings: Any) -> str:
    told = asdict(settings).items()
    return ", ".join(
        f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in told
    )


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))
