"""What a run cannot show, by what it holds: data sets, seeds, detectable gains, networks, settings, methods."""

import csv
import fnmatch
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from weckd.config import Suite
from weckd.errors import counted, unreadable
from weckd.places import MACRO, few_seeds, independent, overall
from weckd.report.tables import Block, text_block
from weckd.run_files import RunFiles
from weckd.tables.captions import small_copies

HEADER = ("of this run", "here", "so it cannot show")


def limits_block(suite: Suite, run: RunFiles) -> Block:
    """Return a row for each thing that limits what the run can show.

    Raises:
        UserError: the run's variance.csv cannot be read; where it is missing, so are the detectable gains.
    """
    caption = (
        "detectable: the gain that this run would find with 80 % power, percentage points, not corrected for several "
        "tests (see the table of variance)."
    )
    rows = (
        *_images(suite),
        *_data_sets(suite),
        *_seeds(suite),
        *_power(suite, run),
        *_training(suite),
        *_methods(suite),
    )
    return text_block("Limits of this run", caption, HEADER, rows)


_Row = tuple[str, str, str]


def _images(suite: Suite) -> Iterator[_Row]:
    if suite.quick_look:
        yield "quick look", "yes", "whether any claim of the paper holds: it tests none"
    drawn = [key for key in suite.datasets if suite.facts[key].phantom]
    if drawn:
        yield "phantoms", _these(suite, drawn), "anything about real images"
    small = small_copies({key: suite.facts[key].title for key in suite.datasets})
    if small:
        yield "small copies", _these(suite, small), "what the whole data sets would show"


def _these(suite: Suite, keys: list[str]) -> str:
    return (
        f"all {counted(len(keys), 'data set')}" if len(keys) == len(suite.datasets) > 1 else ", ".join(keys)
    )


def _data_sets(suite: Suite) -> Iterator[_Row]:
    of_modality = Counter(suite.facts[key].modality for key in independent(suite))
    single = [name for name, count in of_modality.items() if count == 1]
    yield (
        "independent data sets",
        ", ".join(f"{name} {count}" for name, count in of_modality.items()) or "none",
        (
            f"in {', '.join(single)}: whether a gain is the modality's or that one data set's; "
            if single
            else ""
        )
        + "what another data set would give, but for a wide prediction interval",
    )
    sources = {key: suite.facts[key].derived_from for key in suite.datasets}
    sources = {key: others for key, others in sources.items() if others} | suite.undeclared
    if sources:
        told = "; ".join(f"{key} ({', '.join(others)})" for key, others in sources.items())
        yield (
            "data sets made of others, or with images of them",
            told,
            "more than those do: they count in no mean",
        )


def _seeds(suite: Suite) -> Iterator[_Row]:
    if few_seeds(suite):
        cannot = f"any verdict or interval: at least {suite.analysis.minimum_seeds} seeds are needed"
    else:
        cannot = (
            "what another training pool, or another draw of the test part, would give: all seeds share both"
        )
    yield "seeds", str(len(suite.seeds)), cannot
    if suite.split.protocol == "official":
        yield (
            "test parts",
            "official ones",
            "how accurate a method is on images without copies in training: test images may have some",
        )
    else:
        yield (
            "test parts",
            f"drawn by group, {100 * suite.split.test:g} % of a data set",
            "accuracies to be set beside published ones on official parts, where copies may cross",
        )


def _power(suite: Suite, run: RunFiles) -> Iterator[_Row]:
    file = run.tables / "variance.csv"
    if not file.is_file():
        yield (
            "detectable gains",
            f"not known: tables/{file.name} is missing",
            "how large a gain it would have missed",
        )
        return
    mean, alone = _detectable(suite, file)
    if mean:
        of = "mean over data sets" if overall(suite) == MACRO else overall(suite)
        told = ", ".join(f"{points:.1f} over {reference}" for reference, points in mean.items())
        span = f"; one data set or modality: {min(alone):.1f} to {max(alone):.1f}" if alone else ""
        yield (
            "detectable gains",
            f"{of}: {told}{span}",
            "smaller gains reliably: a comparison without a verdict is no sign that two methods are alike",
        )


def _detectable(suite: Suite, file: Path) -> tuple[dict[str, float], list[float]]:
    """Return the detectable gain over each reference, on the mean over all data sets; and all others."""
    mean: dict[str, float] = {}
    alone: list[float] = []
    with (
        unreadable(file, "not the variances of a run", "make the run's tables again", repr),
        file.open(encoding="utf-8", newline="") as rows,
    ):
        table = csv.DictReader(rows)
        if table.fieldnames == ["data set"]:  # nothing of it is in this run; the table says why
            return mean, alone
        for row in table:
            points = float(row["min_detectable"] or "nan")
            if math.isnan(points) or not row["family"] or " " in row["reference"]:  # a slope, or an own stage
                continue
            if row["dataset"] == overall(suite):
                mean.setdefault(row["reference"], points)
            else:
                alone.append(points)
    return mean, alone


def _training(suite: Suite) -> Iterator[_Row]:
    backbone = f"{suite.backbone.name} ({suite.backbone.init}), {suite.image_size} px"
    panel = (
        counted(len(suite.panel.backbones), "network")
        if any(x.startswith("panel-") for x in suite.methods)
        else ""
    )
    yield (
        "backbones of the chain and its controls",
        backbone + (f"; {panel} in the panel, which has no chain" if panel else ""),
        "whether it is so with another network or image size",
    )
    if suite.tuned:
        yield (
            "settings",
            f"tuned, {suite.tuning.trials} trials a method and data set",
            "what a longer search, or the paper's own settings, would give",
        )
    else:
        yield (
            "settings",
            "committed ones, no method is tuned",
            "whether a comparison would turn with settings chosen for each method",
        )


def _methods(suite: Suite) -> Iterator[_Row]:
    lacking = {
        name: family.name
        for family in reversed(suite.analysis.families)
        for name in reversed((family.method, *family.references))
        if not fnmatch.filter(suite.methods, name)
    }
    if lacking:
        told = "; ".join(f"{name} ({family})" for name, family in reversed(lacking.items()))
        yield "methods of the plan that were not run", told, "how the chain compares with them"
