"""Sentences that every table and figure of a run must carry."""

from collections.abc import Iterable, Mapping
from typing import Literal

from weckd.committed import plan_sentence
from weckd.config import Suite
from weckd.errors import counted, named
from weckd.places import few_seeds, independent, means, undeclared_sentence
from weckd.tuning.chosen import tunable_methods

PHANTOM = "Phantom images drawn by this suite: says nothing about the paper's data."
TEST = "two-way random-effects t, seeds x groups"
SCOPE = "Scope: new seeds, new subset draws from this training pool, new test cases; not a new pool."
OFFICIAL = (
    "Official test parts: test images may have copies among the images for training "
    "(the table of splits counts them)."
)
"""Accuracies on copies measure memory."""
DERIVED_MARK = "†"
UNDECLARED_MARK = "‡"
# Why there is nothing to show, and what would change that.
NO_CHAIN = "no method of this run is a chain; add one, such as weckd"
NO_STAGES = "no method of this run has stages to follow; add a chain, such as weckd"
NO_FAMILY = (
    "none of the plan's families has its methods in this run; add those of one, such as weckd and single"
)


def has_phantom(suite: Suite) -> bool:
    """Say whether any data set of the suite is a phantom."""
    return any(suite.facts[key].phantom for key in suite.datasets)


def joined(*sentences: str) -> str:
    """Return the sentences that are not empty, as one paragraph."""
    return " ".join(sentence for sentence in sentences if sentence)


def warning(suite: Suite) -> str:
    """Return the sentence that no reader may miss, printed in bold; nothing where no data set is a phantom."""
    return PHANTOM if has_phantom(suite) else ""


def caption(
    suite: Suite,
    *lead: str,
    size: tuple[int, int] | Literal["not said"] | None = "not said",
    middle: Iterable[str] = (),
    notes: Iterable[str] = (),
    omit: str = "",
    missing: Iterable[str] = (),
) -> str:
    """Return a table's caption: what it shows, its design, its notes, its scope, what is missing, and the plan.

    What every table must say is said unless it is left out by name.

    Args:
        suite: the run.
        lead: what the table shows.
        size: test images and groups of the mean over all data sets, None where not known.
        middle: said before the design.
        notes: said behind it.
        omit: which of design, tuning, derived and scope are not said, with blanks between them.
        missing: names of what is missing.
    """
    said = {
        "design": design_sentence(suite),
        "tuning": tuning_sentence(suite),
        "derived": derived_sentence(suite),
        "scope": SCOPE,
    }
    for name in omit.split():
        del said[name]
    sizes = "" if size == "not said" else size_sentence(suite, size)
    head, tail = (
        joined(*(said.get(name, "") for name in names))
        for names in (("design", "tuning"), ("derived", "scope"))
    )
    return joined(*lead, sizes, *middle, head, *notes, tail, closing(suite, missing))


def design_sentence(suite: Suite) -> str:
    """Return the suite, its seeds, test and level."""
    fewest = suite.analysis.minimum_seeds
    return joined(
        f"Suite {suite.run}, k = {counted(len(suite.seeds), 'seed')} (readers), groups of images as cases; "
        f"{TEST}; alpha = {suite.analysis.alpha:g}.",
        f"Fewer than {fewest} seeds: description only, no interval and no p." if few_seeds(suite) else "",
        "A quick look, no test of the paper's claims." if suite.quick_look else "",
    )


def amended_sentence(suite: Suite) -> str:
    """Return how often the plan was changed after results were seen, and when last; nothing where it was not."""
    dates = sorted(item.date for item in suite.analysis.amendments if item.after_results)
    if not dates:
        return ""
    return f"Plan amended after results were seen: {counted(len(dates), 'change')}, the last of {dates[-1]}."


def tuning_sentence(suite: Suite) -> str:
    """Return which methods are tuned, with how many trials on which images."""
    if not suite.tuned:
        return "No method is tuned: committed settings."
    tuned = tunable_methods(suite)
    untuned = [method for method in suite.methods if method not in tuned]
    but = f" but {' and '.join(untuned)}" if untuned else ""
    return (
        f"Tuned: all methods{but}, {suite.tuning.trials} trials each on every data set, "
        f"scored on {tuning_images(suite)}."
    )


def tuning_images(suite: Suite) -> str:
    """Return the images that trials of the tuning are scored on."""
    first, *others = suite.tuning.seeds
    best = f", the best {min(suite.tuning.finalists, suite.tuning.trials)} also on {named('seed', others)}"
    return f"validation images of {named('seed', [first])}{best if others else ''}"


def confidence(suite: Suite) -> str:
    """Return the confidence level of the intervals."""
    return f"{100 * (1 - suite.analysis.alpha):g} %"


def size_sentence(suite: Suite, size: tuple[int, int] | None) -> str:
    """Return what the macro mean stands on; `size` is its images and groups."""
    count = counted(len(independent(suite)), "independent data set")
    return f"macro: unweighted mean of the J = {count} ({count_sentence(size)})."


def count_sentence(size: tuple[int, int] | None) -> str:
    """Return test images and groups in words."""
    return f"n = {counted(size[0], 'test image')} in {counted(size[1], 'group')}" if size else "n not known"


def derived_sentence(suite: Suite) -> str:
    """Return which data sets are marked as derived, if any."""
    sources = {key: suite.facts[key].derived_from for key in suite.datasets}
    derived = [f"{key} (from {', '.join(others)})" for key, others in sources.items() if others]
    return f"{DERIVED_MARK} derived, not in the macro mean: {'; '.join(derived)}." if derived else ""


def missing_sentence(missing: Iterable[str]) -> str:
    """Return what is missing where nothing else is left: the first few names, and how many more."""
    names = list(dict.fromkeys(missing))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"missing: {'; '.join(names[:3])}{more}"


def closing(suite: Suite, missing: Iterable[str] = ()) -> str:
    """Return the names of all that is missing or left out, and the plan's hash."""
    names, shared, left_out = dict.fromkeys(missing), undeclared_sentence(suite), suite.exclude_classes
    excluded = [f"{key}: {', '.join(left_out[key])}" for key in suite.datasets if left_out.get(key)]
    return joined(
        f"MISSING: {'; '.join(names)}." if names else "",
        f"{UNDECLARED_MARK} {shared}" if shared else "",
        f"Classes left out: {'; '.join(excluded)}." if excluded else "",
        small_sentence(_titles(suite)),
        OFFICIAL if suite.split.protocol == "official" else "",
        plan_sentence(suite) or f"Plan {suite.plan_hash}.",
    )


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


def title(text: str, phantom: bool) -> str:
    """Return a figure's title, below the phantom sentence where there are phantoms."""
    return f"{PHANTOM.upper()}\n{text}" if phantom else text


def run_note(suite: Suite) -> str:
    """Return the line that stands under every figure."""
    derived = any(suite.facts[key].derived_from for key in suite.datasets)
    mark = f"; {DERIVED_MARK} derived, not in the macro mean" if derived else ""
    if suite.undeclared:
        mark += f"; {UNDECLARED_MARK} shares images with a larger data set, not in the macro mean"
    official = (
        "; official test parts, copies in training included" if suite.split.protocol == "official" else ""
    )
    small = f"; {told[0].lower()}{told[1:-1]}" if (told := small_sentence(_titles(suite))) else ""
    return f"k = {counted(len(suite.seeds), 'seed')}; plan {suite.plan_hash}{mark}{official}{small}"
