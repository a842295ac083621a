"""The data sets of a run: where their images come from and what their owners allow."""

import json
from dataclasses import dataclass

from weckd.config import Suite
from weckd.data.catalogue import load_catalogue
from weckd.errors import UserError
from weckd.report.blocks import Block, text_block
from weckd.run_files import RunFiles

_NOT_STATED = "not stated"


@dataclass(frozen=True)
class Terms:
    """What a catalogue says of a data set's images."""

    licence: str
    source: str
    citation: str


def stated_terms(suite: Suite, key: str, run: RunFiles) -> Terms | None:
    """Return the terms of a data set: as the package's catalogue has them, or as the user's own entry had.

    The user's entry is read where its images were prepared, since a catalogue may be edited or moved after the run.

    Args:
        suite: the run.
        key: of the data set.
        run: its files.

    Returns:
        None where the entry is the user's own and its prepared images are not there.

    Raises:
        UserError: the prepared data set's facts cannot be read.
    """
    entry = load_catalogue().get(key)
    if entry:
        return Terms(entry.licence, entry.source, entry.citation)
    file = run.prepared(suite, key) / "dataset.json"
    if not file.is_file():
        return None
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        return Terms(facts["licence"], facts["source"], facts["citation"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise UserError(
            f"{file}: not readable facts ({problem!r}); make it again with `weckd prepare`"
        ) from problem


def licences_block(suite: Suite, run: RunFiles) -> Block:
    """Return a row a data set; see `stated_terms`."""
    terms = {key: stated_terms(suite, key, run) for key in suite.datasets}
    own = [key for key in suite.datasets if key not in load_catalogue()]
    caption = "Licences and sources as the package's catalogue states them."
    if own:
        caption += (
            f" Your own data sets ({', '.join(own)}): as the entries that their images were prepared by."
        )
    if None in terms.values():
        caption += f" {_NOT_STATED}: those images are not beside this run."
    header = (
        "data set",
        "title",
        "images",
        "modality",
        "classes",
        "licence",
        "source",
        "derived from",
        "citation",
    )
    return text_block("Data sets", caption, header, [_row(suite, key, terms[key]) for key in suite.datasets])


def _row(suite: Suite, key: str, terms: Terms | None) -> tuple[object, ...]:
    facts = suite.facts[key]
    return (
        key,
        facts.title,
        "phantom" if facts.phantom else "real",
        facts.modality,
        len(facts.classes),
        terms.licence if terms else _NOT_STATED,
        terms.source if terms else _NOT_STATED,
        ", ".join(facts.derived_from) or "-",
        (terms.citation if terms else _NOT_STATED) or "-",
    )
