"""What a number of a run is of: its data sets, and the means over those that its audit found to be independent."""

import csv
from dataclasses import replace
from pathlib import Path

from weckd.config import Suite
from weckd.errors import unreadable

UNDECLARED = "undeclared: not independent"
"""The audit's verdict on two data sets that share images where the catalogue derives neither from the other."""
MACRO = "macro"
"""In the place of a data set: the mean over the independent data sets."""


def independent(suite: Suite) -> tuple[str, ...]:
    """Return the data sets that count in a mean over data sets: those that share no images with others that count."""
    return tuple(
        key for key in suite.datasets if not suite.facts[key].derived_from and key not in suite.undeclared
    )


def means(suite: Suite) -> dict[str, tuple[str, ...]]:
    """Return the means over data sets that a suite has, and the independent data sets in each.

    First that over all, then those over a modality. None is over one data set, or over those of another mean: what a
    plan asks of such a mean is told on that data set, or on that mean.
    """
    where = _told(suite)
    return {name: keys for name, keys in _asked(suite).items() if where[name] == name}


def overall(suite: Suite) -> str:
    """Return where the mean over all independent data sets is told: on it, or on the only one."""
    return _told(suite)[MACRO]


def by_modality(suite: Suite) -> dict[str, str]:
    """Return where the mean over each modality's independent data sets is told: there, or on what it would repeat."""
    return {name.removeprefix(f"{MACRO} "): place for name, place in _told(suite).items() if name != MACRO}


def places_tested(suite: Suite) -> tuple[str, ...]:
    """Return the means, and the data sets on which means are told: all other data sets have intervals alone."""
    return tuple(dict.fromkeys(_told(suite).values()))


def sets_of(suite: Suite, place: str) -> tuple[str, ...]:
    """Return the data sets that a mean is over, or a data set itself."""
    return means(suite).get(place, (place,))


def _asked(suite: Suite) -> dict[str, tuple[str, ...]]:
    """Return the independent data sets of each mean that a plan may ask for."""
    keys = independent(suite)
    of_modality: dict[str, tuple[str, ...]] = {}
    for key in keys:
        name = f"{MACRO} {suite.facts[key].modality}"
        of_modality[name] = (*of_modality.get(name, ()), key)
    return {MACRO: keys, **of_modality}


def _told(suite: Suite) -> dict[str, str]:
    """Return where each mean that a plan may ask for is told."""
    first: dict[tuple[str, ...], str] = {}
    asked = _asked(suite).items()
    return {name: keys[0] if len(keys) == 1 else first.setdefault(keys, name) for name, keys in asked}


def places(suite: Suite) -> tuple[str, ...]:
    """Return the data sets, then the means over data sets."""
    return (*suite.datasets, *means(suite))


def sets_and_overall(suite: Suite) -> tuple[str, ...]:
    """Return the data sets, then the mean over all independent ones, where it is not one of them."""
    return tuple(dict.fromkeys((*suite.datasets, overall(suite))))


def is_phantom(suite: Suite, place: str) -> bool:
    """Say whether a data set, or any that a mean over data sets holds, is a phantom."""
    return any(suite.facts[key].phantom for key in sets_of(suite, place))


def few_seeds(suite: Suite) -> bool:
    """Say whether the suite has too few seeds for inference, so that its tables only describe."""
    return len(suite.seeds) < suite.analysis.minimum_seeds


def with_finding(suite: Suite, file: Path) -> Suite:
    """Return the suite with the data sets marked that share images, undeclared, with another that counts.

    Of two that share images the larger one counts, of equal ones the first in the suite. One that the catalogue derives
    from others counts in no case.

    Args:
        suite: the run.
        file: across.csv of its audit; where it is not there, nothing is known and nothing marked.

    Raises:
        UserError: the file cannot be read.
    """
    shared: dict[str, set[str]] = {key: set() for key in suite.datasets}
    images: dict[str, int] = {}
    if not file.exists():
        return suite
    unread = unreadable(file, "not a readable finding of the audit", "delete it and run again", repr)
    with unread, file.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            one, other = row["dataset"], row["other"]
            images[one] = int(row["images"])
            if row["verdict"] == UNDECLARED and one in shared and other in shared:
                shared[one].add(other)
                shared[other].add(one)
    counted: list[str] = []
    undeclared: dict[str, tuple[str, ...]] = {}
    for key in sorted(suite.datasets, key=lambda key: -images.get(key, 0)):
        if suite.facts[key].derived_from:
            continue
        others = tuple(other for other in suite.datasets if other in shared[key] and other in counted)
        if others:
            undeclared[key] = others
        else:
            counted.append(key)
    return replace(suite, undeclared={key: undeclared[key] for key in suite.datasets if key in undeclared})


def undeclared_sentence(suite: Suite) -> str:
    """Return which data sets are left out of the means for the images that they share, and the remedy; "" for none."""
    if not suite.undeclared:
        return ""
    listed = "; ".join(
        f"{key} (shares images with {', '.join(others)}, undeclared)"
        for key, others in suite.undeclared.items()
    )
    return (
        f"not independent, in no mean: {listed}; the larger of two counts. Say in your catalogue which was "
        "made of which, by derived_from."
    )
