"""The suites of the two studies: the same methods on official test parts, and all readings of the chain."""

from dataclasses import asdict, replace

from weckd.config import Suite
from weckd.data.catalogue import suite_datasets
from weckd.errors import UserError
from weckd.files import digest
from weckd.methods.catalogue import suite_methods
from weckd.methods.chain import (
    REFERENCE,
    Reading,
    changes_of_size,
    drawn_combinations,
    every_combination,
    one_change_each,
    reading_name,
    suite_budget,
)

COMBINATIONS, DRAWN_BY = 16, 1
"""How many combinations of changes are drawn beside the single ones, and the seed that draws them."""


def official_suite(suite: Suite) -> Suite:
    """Return the run that trains a suite's methods, but for readings, on its data sets with official test parts.

    It is set beside the suite, whose test parts are drawn by group, and tests nothing itself.

    Raises:
        UserError: no data set of the suite has a test part of its own, or the suite is tuned (its settings were chosen
            for other parts) or is official itself.
    """
    datasets = tuple(key for key, dataset in suite_datasets(suite).items() if dataset.official_test)
    if not datasets:
        raise UserError(
            f"leak study: no data set of {suite.run} has an official test part; name one, such as ear_chile"
        )
    if suite.tuned:
        raise UserError("leak study: settings were tuned for the grouped parts; run it with tuned=false")
    if suite.split.protocol == "official":
        raise UserError("leak study: compares with grouped test parts; set split.protocol to grouped")
    methods = tuple(method for method in suite.methods if suite.roles[method] != "reading")
    split = replace(suite.split, protocol="official")
    return _study(replace(suite, split=split), "official", datasets, methods, protocol="official")


def readings_suite(suite: Suite) -> Suite:
    """Return the run that trains all readings with a suite's settings and tests none: they explore.

    Its split holds as many disjoint subsets as the longest chain needs.
    """
    readings = readings_of(suite)
    longest = max(reading.length for reading in readings)
    lengths = sorted({reading.length for reading in readings} - {REFERENCE.length})
    pooled = ["pooled", *(f"pooled-{length}" for length in lengths)]
    methods = ("single", *pooled, *(reading_name(reading) for reading in readings))
    suffix = "readings" if suite.readings == "changes" else "readings-full"
    split = replace(suite.split, stages=max(longest, suite.split.stages))
    seeds = suite.seeds[: suite.readings_seeds]
    longer = replace(
        suite, split=split, chain_length=REFERENCE.length, tuned=False, seeds=seeds, readings_seeds=None
    )
    return _study(longer, suffix, suite.readings_datasets, methods)


def _study(
    suite: Suite, suffix: str, datasets: tuple[str, ...], methods: tuple[str, ...], **plan: str
) -> Suite:
    """Return a suite's run of other methods on some data sets, which tests nothing.

    Hashed as its plan is `plan` too, and what is left of the suite's: the level of its intervals, its metrics.
    """
    analysis = replace(suite.analysis, families=(), claims=())
    hashed = {"datasets": datasets, "methods": methods, "seeds": suite.seeds, "analysis": asdict(analysis)}
    run = replace(
        suite,
        run=f"{suite.run}-{suffix}",
        datasets=datasets,
        readings_datasets=datasets,
        methods=methods,
        analysis=analysis,
        facts={key: suite.facts[key] for key in datasets},
        plan_hash=digest({**hashed, **plan})[:12],
    )
    return replace(run, roles={method.name: method.role for method in suite_methods(run)})


def readings_of(suite: Suite) -> tuple[Reading, ...]:
    """Return the readings that a suite asks for, the reference first."""
    full = suite.readings == "full"
    combinations = every_combination() if full else drawn_combinations(COMBINATIONS, DRAWN_BY)
    of_size = changes_of_size(replace(suite_budget(suite), stages=REFERENCE.length))
    return tuple(dict.fromkeys((REFERENCE, *one_change_each(), *of_size, *combinations)))
