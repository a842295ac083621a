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


def macro_of(modality: str) -> str:
    """Return what is in the place of a data set in rows of the mean over a modality's independent data sets."""
    return f"{MACRO} {modality}"


def independent(suite: Suite) -> tuple[str, ...]:
    """Return the data sets that count in a mean over data sets: those that share no images with others that count."""
    return tuple(
        key for key in suite.datasets if not suite.facts[key].derived_from and key not in suite.undeclared
    )


def means(suite: Suite) -> dict[str, tuple[str, ...]]:
    """Return the means over data sets that a suite has, and the independent data sets in each.

    First that over all, then one for each modality.
    """
    keys = independent(suite)
    of_modality: dict[str, tuple[str, ...]] = {}
    for key in keys:
        name = macro_of(suite.facts[key].modality)
        of_modality[name] = (*of_modality.get(name, ()), key)
    return {MACRO: keys, **of_modality}


def places(suite: Suite) -> tuple[str, ...]:
    """Return the data sets, then the means over data sets."""
    return (*suite.datasets, *means(suite))


def is_phantom(suite: Suite, place: str) -> bool:
    """Say whether a data set, or any that a mean over data sets holds, is a phantom."""
    return any(suite.facts[key].phantom for key in means(suite).get(place, (place,)))


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
        f"not independent, not in the macro mean: {listed}; the larger of two counts. Say in your catalogue which was "
        "made of which, by derived_from."
    )
