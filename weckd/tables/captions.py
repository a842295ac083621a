"""What every table and figure of a run must say: above it in the caption, below it in notes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from weckd.committed import plan_sentence
from weckd.config import Suite
from weckd.errors import counted, named
from weckd.places import by_modality, few_seeds, independent, means, overall, undeclared_sentence
from weckd.tuning.chosen import tunable_methods

PHANTOM = "Phantom images drawn by this suite: says nothing about the paper's data."
TEST = "two-way random-effects t, seeds x groups"
OFFICIAL = (
    "Official test parts: test images may have copies among the images for training "
    "(the table of splits counts them)."
)
"""Accuracies on copies measure memory."""
SAID_MISSING = re.compile(r"MISSING: \d+, named below\.")
"""What a caption says where a note names something that is missing; in bold where there is bold."""
DERIVED_MARK = "†"
UNDECLARED_MARK = "‡"
# Why there is nothing to show, and what would change that.
NO_CHAIN = "no method of this run is a chain; add one, such as weckd"
NO_STAGES = "no method of this run has stages to follow; add a chain, such as weckd"
NO_FAMILY = (
    "none of the plan's families has its methods in this run; add those of one, such as weckd and single"
)


@dataclass(frozen=True)
class Said:
    """The caption above a table, and the notes below it."""

    caption: str
    notes: tuple[str, ...] = ()


def has_phantom(suite: Suite) -> bool:
    """Say whether any data set of the suite is a phantom."""
    return any(suite.facts[key].phantom for key in suite.datasets)


def joined(*sentences: str) -> str:
    """Return the sentences that are not empty, as one paragraph."""
    return " ".join(sentence for sentence in sentences if sentence)


def warning(suite: Suite) -> str:
    """Return the sentence that no reader may miss, printed in bold; nothing where no data set is a phantom."""
    return PHANTOM if has_phantom(suite) else ""


def said(
    suite: Suite,
    lead: str = "",
    *,
    n: str = "",
    test: str | None = None,
    level: str = "",
    notes: Iterable[str] = (),
    missing: Iterable[str] = (),
) -> Said:
    """Return what is said of a table: in its caption what it shows, n, test, level and plan; the rest as notes.

    Args:
        suite: the run.
        lead: what the table shows, a sentence.
        n: test images and groups, see `overall_n` and `count_sentence`.
        test: how p is corrected; "" where nothing is tested, None where nothing is estimated either.
        level: of the intervals, where it is not the plan's.
        notes: what is particular to this run, a sentence each; empty ones are left out.
        missing: names of what is missing.
    """
    names = list(dict.fromkeys(missing))
    seeds = f"k = {counted(len(suite.seeds), 'seed')}"
    caption = joined(
        lead,
        f"{n}; {seeds}." if n else f"{seeds}." if lead else "",
        "" if test is None else _design_sentence(suite, test, level or confidence(suite)),
        f"MISSING: {len(names)}, named below." if names else "",
        f"Plan {suite.plan_hash}.",
    )
    few = f"Fewer than {suite.analysis.minimum_seeds} seeds: description only, no interval and no p."
    below = (
        f"MISSING: {'; '.join(names)}." if names else "",
        few if few_seeds(suite) and test is not None else "",
        "A quick look, no test of the paper's claims." if suite.quick_look and test is not None else "",
        *notes,
        "" if test is None else tuning_sentence(suite),
        *run_notes(suite),
    )
    return Said(caption, tuple(filter(None, below)))


def _design_sentence(suite: Suite, test: str, level: str) -> str:
    """Return the test, the level of the intervals, and of the tests with their correction."""
    if few_seeds(suite):
        return f"Fewer than {suite.analysis.minimum_seeds} seeds: no interval, no p."
    tested = f"alpha = {suite.analysis.alpha:g}, {test}" if test else "nothing is tested"
    tested = "a quick look, nothing is tested" if suite.quick_look else tested
    return f"{TEST[0].upper()}{TEST[1:]}; unadjusted {level} intervals; {tested}."


def run_notes(suite: Suite) -> list[str]:
    """Return what every table of a run says of its plan and its data sets."""
    shared, left_out = undeclared_sentence(suite), suite.exclude_classes
    excluded = [f"{key}: {', '.join(left_out[key])}" for key in suite.datasets if left_out.get(key)]
    found = (
        plan_sentence(suite),
        derived_sentence(suite),
        f"{UNDECLARED_MARK} {shared}" if shared else "",
        f"Classes left out: {'; '.join(excluded)}." if excluded else "",
        small_sentence(_titles(suite)),
        OFFICIAL if suite.split.protocol == "official" else "",
    )
    return [note for note in found if note]


def amended_sentence(suite: Suite) -> str:
    """Return how often the plan was changed after results were seen, and when last; nothing where it was not."""
    dates = sorted(item.date for item in suite.analysis.amendments if item.after_results)
    if not dates:
        return ""
    changes = counted(len(dates), "change")
    return f"The analysis plan was changed after results were seen: {changes}, the last of {dates[-1]}."


def tuning_sentence(suite: Suite) -> str:
    """Return which methods are tuned, with how many trials on which images."""
    if not suite.tuned:
        return "No method is tuned: committed settings."
    tuned = tunable_methods(suite)
    untuned = [method for method in suite.methods if method not in tuned]
    but, share = f" but {' and '.join(untuned)}" if untuned else "", suite.tuning.share_of_steps
    steps = f" at {100 * share:g} % of the run's steps" if share < 1 else ""
    return (
        f"Tuned: all methods{but}, {suite.tuning.trials} trials each on every data set{steps}, "
        f"scored on {tuning_images(suite)}."
    )


def tuning_images(suite: Suite) -> str:
    """Return the images that trials of the tuning are scored on."""
    first, *others = suite.tuning.seeds
    best = counted(min(suite.tuning.finalists, suite.tuning.trials) - 1, "best other")
    last = f", the committed settings and the {best} also on {named('seed', others)}"
    return f"validation images of {named('seed', [first])}{last if others else ''}"


def confidence(suite: Suite) -> str:
    """Return the confidence level of the intervals."""
    return f"{100 * (1 - suite.analysis.alpha):g} %"


def overall_n(suite: Suite, size: tuple[int, int] | None) -> str:
    """Return the data sets in the mean over all of them, or the only one, with test images and groups."""
    place = overall(suite)
    if place not in means(suite):
        return f"{place}: {count_sentence(size)}"
    return f"macro: {counted(len(independent(suite)), 'independent data set')}, {count_sentence(size)}"


def count_sentence(size: tuple[int, int] | None) -> str:
    """Return test images and groups in words."""
    return f"n = {counted(size[0], 'test image')} in {counted(size[1], 'group')}" if size else "n not known"


def derived_sentence(suite: Suite) -> str:
    """Return which data sets are marked as derived, if any."""
    sources = {key: suite.facts[key].derived_from for key in suite.datasets}
    derived = [f"{key} (from {', '.join(others)})" for key, others in sources.items() if others]
    return f"{DERIVED_MARK} derived, in no mean: {'; '.join(derived)}." if derived else ""


def missing_sentence(missing: Iterable[str]) -> str:
    """Return what is missing where nothing else is left: the first few names, and how many more."""
    names = list(dict.fromkeys(missing))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"missing: {'; '.join(names[:3])}{more}"


def small_copies(titles: Mapping[str, str]) -> list[str]:
    """Return the data sets that are small copies, as their titles say; `titles` by key."""
    return [key for key, text in titles.items() if "small copy" in text]


def small_sentence(titles: Mapping[str, str]) -> str:
    """Return which data sets are small copies, if any, see `small_copies`."""
    small = small_copies(titles)
    return f"Small copies, not the data sets themselves: {', '.join(small)}." if small else ""


def _titles(suite: Suite) -> dict[str, str]:
    return {key: suite.facts[key].title for key in suite.datasets}


def dataset_text(suite: Suite, key: str) -> str:
    """Return a data set's key, marked where it is derived."""
    return key + derived_mark(suite, key)


def derived_mark(suite: Suite, key: str) -> str:
    """Return the mark behind a data set's name where it is not independent: derived, or of shared images."""
    if suite.facts[key].derived_from:
        return f" {DERIVED_MARK}"
    return f" {UNDECLARED_MARK}" if key in suite.undeclared else ""


def mean_or_dataset(suite: Suite, name: str) -> str:
    """Return a data set's key, marked where it is derived, or a mean with the number of its data sets."""
    known = means(suite)
    return f"{name} of {len(known[name])}" if name in known else dataset_text(suite, name)


def place_text(suite: Suite, place: str) -> str:
    """Return a mean with the number of its data sets, or the data set on which it is told, with its modality."""
    return mean_or_dataset(suite, place) if place in means(suite) else part_text(suite, place) or place


def part_text(suite: Suite, place: str) -> str:
    """Return what of a run a test is on: nothing for all of it, a modality, or the only data set of one."""
    if place == overall(suite):
        return ""
    modality = next(name for name, of in by_modality(suite).items() if of == place)
    return modality if place in means(suite) else f"{place} ({modality})"


def title(text: str, phantom: bool) -> str:
    """Return a figure's title, below the phantom sentence where there are phantoms."""
    return f"{PHANTOM.upper()}\n{text}" if phantom else text


def run_note(suite: Suite) -> str:
    """Return the line below every figure."""
    derived = any(suite.facts[key].derived_from for key in suite.datasets)
    mark = f"; {DERIVED_MARK} derived, in no mean" if derived else ""
    if suite.undeclared:
        mark += f"; {UNDECLARED_MARK} shares images with a larger data set, in no mean"
    official = (
        "; official test parts, copies in training included" if suite.split.protocol == "official" else ""
    )
    small = f"; {told[0].lower()}{told[1:-1]}" if (told := small_sentence(_titles(suite))) else ""
    under = " and ".join(plan or "one that is not recorded" for plan in suite.trained_under)
    plan = suite.plan_hash + (f" (trained under {under})" if under else "")
    return f"k = {counted(len(suite.seeds), 'seed')}; plan {plan}{mark}{official}{small}"
