"""Copied errors: does a model of the chain repeat the errors of the one before, more than models without a teacher?"""

from collections.abc import Mapping, Sequence
from itertools import product

from weckd.analysis import sheet
from weckd.analysis.copied import FEW, REFERENCES, Link, errors, evaluate_links
from weckd.analysis.estimates import CORRECTIONS, EXPLORATORY, NOT_KNOWN, no_verdict, why_untested
from weckd.analysis.inference.reader_study import adjust, p_value
from weckd.analysis.results import Results
from weckd.places import overall, places
from weckd.tables.captions import NO_STAGES, TEST, mean_or_dataset
from weckd.tables.cells import Cell, Joined, Number, P
from weckd.tables.render import TableFile

NAME, TITLE = "copied", "Copied errors"
BY = "fdr_bh"
NOBODY = "neither ensemble nor sequential, of as many stages as the chain, is in this run; add one of them"
CAUTION = "A model with fewer errors repeats fewer, whatever it copies; the CSV has how many each makes."


def copied_table(run: Results) -> TableFile:
    """Return the shares of copied errors by data set and link, and the chain's minus those of the references.

    The frame has a row for each method, link, data set and mean, and for the chain minus each other method; it has p on
    the mean over all data sets, for the references.
    """
    suite, found = run.suite, evaluate_links(run)
    tested = [link for link in found if link.method in REFERENCES]
    if not tested:
        return sheet.nothing(suite, NAME, TITLE, "data set", NOBODY if found else NO_STAGES)
    at = overall(suite)
    known = [
        p_value(x.study) if (x := link.beside[at]).study and not no_verdict(suite, x) else NOT_KNOWN
        for link in tested
    ]
    p_values = {
        (link.method, link.name): both for link, *both in zip(tested, known, adjust(known, BY), strict=True)
    }
    printed = [link for link in found if link in tested or not link.beside]
    few = {
        key: None
        for key, link in product(suite.datasets, printed)
        if _errors(run, key, link.method, link.stage) < FEW
    }
    says = sheet.caption(
        run,
        "Of the test images that a model gets wrong, the share that the next one calls the same wrong class, percent ± "
        "half-width.",
        test=f"p by {CORRECTIONS[BY]}",
        notes=(
            "Exploratory, in no family of the plan."
            + (
                ""
                if why_untested(suite)
                else f" p: of {mean_or_dataset(suite, at)}, corrected over this table."
            ),
            CAUTION,
            f"Fewer than {FEW:g} errors a seed, and intervals rather too narrow, on {', '.join(few)}."
            if few
            else "",
        ),
        missing=[name for link in printed for x in link.shares.values() for name in x.missing],
    )
    shown, (chain, reference, *_) = _cells(run, printed, p_values), dict.fromkeys(x.method for x in printed)
    narrow = ("data set", "link", chain, reference, f"{chain} - {reference}", f"p, {chain} - {reference}")
    return sheet.file(suite, NAME, TITLE, _rows(run, found, p_values), shown, says, narrow=narrow)


def _errors(run: Results, place: str, method: str, stage: int) -> float:
    """Return the errors of a model a seed; NaN for means over links or data sets."""
    data = run.predictions.datasets.get(place)
    return errors(data, method, stage) if data and stage else NOT_KNOWN


def _cells(
    run: Results, printed: Sequence[Link], p_values: Mapping[tuple[str, str], Sequence[float]]
) -> sheet.Columns:
    suite, of = run.suite, {(link.method, link.name): link for link in printed}
    chain, *references = dict.fromkeys(link.method for link in printed)

    def share(row: tuple[str, str], method: str) -> Cell:
        link = of[method, row[1]]
        level, count = sheet.level(link.shares[row[0]]), _errors(run, row[0], method, link.stage)
        return Joined((level, "of", Number(count))) if count > 0 else level

    def beside(row: tuple[str, str], method: str) -> Cell:
        return sheet.untested(of[method, row[1]].beside[row[0]])

    def p(row: tuple[str, str], method: str) -> Cell:
        return P(p_values[method, row[1]][1] if row[0] == overall(suite) else NOT_KNOWN)

    rows = [*product(places(suite), dict.fromkeys(link.name for link in printed))]
    head = {"data set": lambda row: sheet.place(suite, row[0]), "link": lambda row: row[1]}
    shares = sheet.pivoted(rows, head, {name: name for name in (chain, *references)}, {"{}": share})
    differences = {f"{chain} - {name}": name for name in references}
    return shares | sheet.pivoted(rows, {}, differences, sheet.with_p(suite, beside, p))


def _rows(
    run: Results, found: Sequence[Link], p_values: Mapping[tuple[str, str], Sequence[float]]
) -> list[dict[str, object]]:
    suite, chain = run.suite, found[0].method
    rows: list[dict[str, object]] = []
    of: dict[str, object]
    for link, place in product(found, places(suite)):
        made = [_errors(run, place, link.method, link.stage and link.stage + more) for more in (0, 1)]
        of = {"quantity": "share", "method": link.method, "reference": "", "link": link.name}
        of |= dict(zip(("errors", "next_errors"), made, strict=True))
        rows.append(sheet.row(run, place, of, "accuracy", link.shares[place], percent="percent"))
    for link, place in product(found, places(suite)):
        if not link.beside:
            continue
        told = dict(sheet.UNTESTED)
        if place == overall(suite) and (both := p_values.get((link.method, link.name))):
            told |= {"test": TEST, "family": EXPLORATORY, "alpha": suite.analysis.alpha}
            told |= {"correction": f"{CORRECTIONS[BY]} over {len(p_values)}"}
            told |= dict(zip(("p", "p_adjusted"), both, strict=True))
        of = {"quantity": "difference", "method": chain, "reference": link.method, "link": link.name}
        rows.append(sheet.row(run, place, of, "accuracy", link.beside[place], told))
    return [row | {"metric": "copied errors"} for row in rows]
