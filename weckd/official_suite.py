"""The suite of the leak study: the same methods and seeds, tested on the sources' own test parts."""

from dataclasses import replace
from pathlib import Path

from weckd.config import Suite
from weckd.data.catalogue import find_dataset
from weckd.errors import UserError
from weckd.files import digest


def official_suite(suite: Suite) -> Suite:
    """Return the run that trains a suite's methods, but for readings, on its data sets with official test parts.

    It is set beside the suite, whose test parts are drawn by group, and tests nothing itself.

    Raises:
        UserError: no data set of the suite has a test part of its own, or the suite is tuned (its settings were chosen
            for other parts) or is official itself.
    """
    own = Path(suite.catalogue) if suite.catalogue else None
    datasets = tuple(key for key in suite.datasets if find_dataset(key, own).official_test)
    if not datasets:
        raise UserError(
            f"leak study: no data set of {suite.run} has an official test part; name one, such as ear_chile"
        )
    if suite.tuned:
        raise UserError("leak study: settings were tuned for the grouped parts; run it with tuned=false")
    if suite.split.protocol == "official":
        raise UserError("leak study: compares with grouped test parts; set split.protocol to grouped")
    methods = tuple(method for method in suite.methods if suite.roles[method] != "reading")
    plan = {"datasets": datasets, "methods": methods, "seeds": suite.seeds, "protocol": "official"}
    return replace(
        suite,
        run=f"{suite.run}-official",
        datasets=datasets,
        readings_datasets=datasets,
        methods=methods,
        split=replace(suite.split, protocol="official"),
        analysis=replace(suite.analysis, families=(), claims=()),
        facts={key: suite.facts[key] for key in datasets},
        roles={method: suite.roles[method] for method in methods},
        plan_hash=digest(plan)[:12],
    )
