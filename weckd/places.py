"""Where a number of a run is of: its data sets, and the means over those that are independent."""

from weckd.config import Suite

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
