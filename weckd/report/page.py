"""The whole page as HTML, and its file; what a person sees first: are the images real, and what is the answer?"""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from weckd.analysis.registry import VERDICTS
from weckd.committed import beside_quick_look, plan_sentence, with_plans
from weckd.config import Suite, load_suite
from weckd.errors import UserError
from weckd.files import write_text
from weckd.places import few_seeds, undeclared_sentence, with_finding
from weckd.report.fill import fill
from weckd.report.tables import NOT_STATED, Block, stated_terms, text_block
from weckd.run_files import RunFiles
from weckd.tables.captions import PHANTOM, amended_sentence, has_phantom
from weckd.tables.cells import NOTHING


def write_report(run: Path, out: Path) -> None:
    """Write the page of the run in the folder `run` into the file `out`; equal runs give equal bytes.

    Raises:
        UserError: the folder holds no run, or a file of it cannot be read; what is missing is named on the page.
    """
    suite = RunFiles(run).suite
    if not suite.is_file():
        raise UserError(f"{run}: no suite.json; name the folder of a finished run, such as results/demo")
    write_text(out, page(load_suite(suite), run))


def page(suite: Suite, run: Path) -> str:
    """Return the page of a run: one HTML file without scripts that loads nothing.

    Raises:
        UserError: a file of the run cannot be read; what is missing is named instead.
    """
    files = RunFiles(run)
    suite = with_plans(with_finding(suite, files.across), files)
    sections = fill(suite, run)
    blocks = [block for filled in sections for block in filled.blocks]
    templates = Environment(
        loader=PackageLoader("weckd.report", "template"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return templates.get_template("page.html").render(
        suite=suite,
        sections=sections,
        terms=terms(blocks),
        once=told_once(blocks),
        banner=banner(suite),
        licences=_licences(suite, files) if suite.quick_look else [],
        phantom=has_phantom(suite),
        real=any(not suite.facts[key].phantom for key in suite.datasets),
        undeclared=undeclared_sentence(suite),
        plan=plan_sentence(suite),
        drawn=files.drawn_from.exists(),
        beside=_beside(suite),
        few_seeds=few_seeds(suite),
        level=f"{100 * (1 - suite.analysis.alpha):g} %",
        answers=answers(suite, files.tables / "answers.csv"),
        verdicts=VERDICTS,
        amended=amended_sentence(suite),
    )


def _licences(suite: Suite, files: RunFiles) -> list[str]:
    terms = {key: stated_terms(suite, key, files) for key in suite.datasets}
    return [
        f"{suite.facts[key].title}: {told.licence if told else NOT_STATED}" for key, told in terms.items()
    ]


def _beside(suite: Suite) -> Block | None:
    told = beside_quick_look(suite)
    if not told:
        return None
    order = sorted(
        range(len(told.header)), key=lambda n: (n > 0, told.header[n] != "verdict")
    )  # seen on a phone
    header, *rows = (tuple(row[n] for n in order) for row in (told.header, *told.rows))
    return text_block("Verdicts of the committed reference", told.says, header, rows)


def terms(blocks: Iterable[Block]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what the headers of the page's tables mean: each meaning once, with the headers that have it.

    A header of several meanings is told with the table of each.
    """
    found: dict[str, dict[str, list[str]]] = {}  # meaning -> header -> titles
    for block in blocks:
        for header, meaning in block.terms.items():
            titles = found.setdefault(meaning, {}).setdefault(header, [])
            titles.append(block.title.partition(", suite ")[0])
    meanings = Counter(header for headers in found.values() for header in headers)
    return tuple(
        (
            meaning,
            tuple(name if meanings[name] == 1 else _of(name, titles) for name, titles in headers.items()),
        )
        for meaning, headers in found.items()
    )


def _of(header: str, titles: Sequence[str]) -> str:
    return f"{header} (“{titles[0]}”{f' and {len(titles) - 1} more' if len(titles) > 1 else ''})"


def told_once(blocks: Iterable[Block]) -> tuple[str, ...]:
    """Return the notes that more than half of the run's tables have: the page has them once, for the whole run."""
    of_run = [block for block in blocks if block.label]
    counts = Counter(note for block in of_run for note in block.notes)
    return tuple(note for note, count in counts.items() if 2 * count > len(of_run))


@dataclass(frozen=True)
class Banner:
    """The line that no reader may miss; `phantom` where any image is drawn by the suite."""

    phantom: bool
    headline: str
    text: str


@dataclass(frozen=True)
class Verdict:
    """What came of one question to a claim, and what decides."""

    question: str
    verdict: str
    effect: str
    compared: str
    comparisons: str
    margin: str
    chance: str
    why: str


@dataclass(frozen=True)
class Answer:
    """A claim in the paper's words, and its verdicts: as worded, and for the chain."""

    claim: str
    says: str  # the paper's words, shortened; empty where the plan has no claim of this name
    verdicts: tuple[Verdict, ...]


def banner(suite: Suite) -> Banner:
    """Return whether the run's images are phantoms, real, or both."""
    drawn = [key for key in suite.datasets if suite.facts[key].phantom]
    one, count = len(suite.datasets) == 1, len(suite.datasets)
    whole = "The data set" if one else f"All {count} data sets"
    if not drawn:
        return Banner(False, "Real images", f"{whole} {'holds' if one else 'hold'} real medical images.")
    if len(drawn) == count:
        be = "is a synthetic stand-in" if one else "are synthetic stand-ins"
        return Banner(True, PHANTOM, f"{whole} {be}: the numbers show that the suite works, and no more.")
    be = "is such a stand-in" if len(drawn) == 1 else "are such stand-ins"
    return Banner(True, PHANTOM, f"{len(drawn)} of {count} data sets {be}: {', '.join(drawn)}.")


def answers(suite: Suite, file: Path) -> tuple[Answer, ...]:
    """Return the verdicts of claims, as in answers.csv, each with the words of the paper that the plan has.

    `file` is answers.csv of the run's tables, by stable names whatever the printed tables are relabelled to; there are
    no answers where it is missing, and none for a claim of which nothing is compared.

    Raises:
        UserError: the file cannot be read.
    """
    found: dict[str, list[Verdict]] = {}
    try:
        with file.open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                found.setdefault(row.pop("claim"), []).append(Verdict(**row))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise UserError(
            f"{file}: not the answers of a run ({problem!r}); make the run's tables again"
        ) from problem
    says = {claim.name: claim.says for claim in suite.analysis.claims}
    return tuple(
        Answer(claim, says.get(claim, ""), tuple(verdicts))
        for claim, verdicts in found.items()
        if any(verdict.effect != NOTHING for verdict in verdicts)
    )
