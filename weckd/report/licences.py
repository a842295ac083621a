"""The data sets of a run: where their images come from and what their owners allow."""

from weckd.config import DatasetFacts, Suite
from weckd.data.catalogue import load_catalogue
from weckd.report.blocks import Block, text_block

_ELSEWHERE = "not in the package's catalogue"


def licences_block(suite: Suite) -> Block:
    """Return a row a data set. A user's own catalogue is no file of the run: rows of its data sets say so."""
    caption = "Licences and sources as the package's catalogue states them."
    if suite.catalogue:
        caption += f" Your own data sets stand in {suite.catalogue}."
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
    rows = [_row(suite.facts[key]) for key in suite.datasets]
    return text_block("Data sets", caption, header, rows)


def _row(facts: DatasetFacts) -> tuple[object, ...]:
    entry = load_catalogue().get(facts.key)
    licence, source, citation = (entry.licence, entry.source, entry.citation) if entry else (_ELSEWHERE,) * 3
    return (
        facts.key,
        facts.title,
        "phantom" if facts.phantom else "real",
        facts.modality,
        len(facts.classes),
        licence,
        source,
        ", ".join(facts.derived_from) or "-",
        citation or "-",
    )
