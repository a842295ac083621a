"""The suite of readings: every reading of the chain beside `single` and the pooled control of its length."""

from dataclasses import replace

from weckd.config import Suite
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


def readings_suite(suite: Suite) -> Suite:
    """Return the run that trains all readings with a suite's settings and tests none: they explore.

    Its split holds as many disjoint subsets as the longest chain needs.
    """
    readings = readings_of(suite)
    longest = max(reading.length for reading in readings)
    lengths = sorted({reading.length for reading in readings} - {REFERENCE.length})
    pooled = ["pooled", *(f"pooled-{length}" for length in lengths)]
    methods = ("single", *pooled, *(reading_name(reading) for reading in readings))
    datasets = suite.readings_datasets
    plan = {"datasets": datasets, "methods": methods, "seeds": suite.seeds}
    run = replace(
        suite,
        run=f"{suite.run}-readings{'' if suite.readings == 'changes' else '-full'}",
        datasets=datasets,
        methods=methods,
        split=replace(suite.split, stages=max(longest, suite.split.stages)),
        chain_length=REFERENCE.length,
        analysis=replace(suite.analysis, families=(), claims=()),
        facts={key: suite.facts[key] for key in datasets},
        plan_hash=digest(plan)[:12],
        tuned=False,
    )
    return replace(run, roles={method.name: method.role for method in suite_methods(run)})


def readings_of(suite: Suite) -> tuple[Reading, ...]:
    """Return the readings that a suite asks for, the reference first."""
    full = suite.readings == "full"
    combinations = every_combination() if full else drawn_combinations(COMBINATIONS, DRAWN_BY)
    of_size = changes_of_size(replace(suite_budget(suite), stages=REFERENCE.length))
    return tuple(dict.fromkeys((REFERENCE, *one_change_each(), *of_size, *combinations)))
