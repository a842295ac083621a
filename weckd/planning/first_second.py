"""What can be known of a suite before any job runs: what it trains, and whether it can. Needs no torch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weckd.config import BackboneSettings, Suite
from weckd.data.catalogue import Dataset, suite_datasets
from weckd.data.shares import refuse_more_than_all, split_problems
from weckd.errors import UserError
from weckd.gpus import visible_gpus
from weckd.methods.catalogue import find_method, kept_fits, suite_methods
from weckd.methods.chain import trial_budget
from weckd.methods.fits import Fit, Method
from weckd.training.limits import host_memory, job_need, network_problems, refuse_lack_of_memory, suite_shapes
from weckd.tuning.chosen import tunable_methods

RESULTS = Path("results")


@dataclass(frozen=True)
class Passes:
    """Passes of a batch through networks of one kind."""

    training: int  # forward, backward and optimiser step of one batch of views
    teaching: int  # forward alone


@dataclass(frozen=True)
class Work:
    """What is trained for some data sets and seeds."""

    fits: int
    steps: int  # optimiser steps of all networks
    passes: Mapping[BackboneSettings, Passes]
    kept: Mapping[BackboneSettings, int]  # fits whose weights the store keeps


def cell_work(suite: Suite, cells: int = 1) -> Work:
    """Return what cells train, each of one data set and one seed; equal for all cells of a suite."""
    methods = suite_methods(suite)
    fits = tuple(dict.fromkeys(_fits(methods)))
    kept = kept_fits(suite, methods)
    return _work(suite, fits, cells, [fit for fit in fits if fit in kept])


def total_work(suite: Suite) -> Work:
    """Return what all cells train."""
    return cell_work(suite, len(suite.datasets) * len(suite.seeds))


def total_tuning(suite: Suite) -> Work:
    """Return what the search for all methods' settings trains on all data sets; it shares no fits and keeps none."""
    tuned = [find_method(name)(trial_budget(suite)) for name in tunable_methods(suite)]
    trials, others = suite.tuning.trials, len(suite.tuning.seeds) - 1
    rounds = trials + min(suite.tuning.finalists, trials) * others
    return _work(suite, _fits(tuned), rounds * len(suite.datasets))


def _fits(methods: Sequence[Method]) -> tuple[Fit, ...]:
    return tuple(fit for method in methods for fit in method.fits())


def _work(suite: Suite, fits: Sequence[Fit], times: int, kept: Sequence[Fit] = ()) -> Work:
    """Return what fits train so many times; teachers are counted as networks of their own kind."""
    training: Counter[BackboneSettings] = Counter()
    teaching: Counter[BackboneSettings] = Counter()
    for fit in fits:
        training[fit.backbone or suite.backbone] += times * fit.steps * fit.loss.views
        for teacher in fit.taught_by:
            teaching[teacher.backbone or suite.backbone] += times * fit.steps * fit.loss.teacher_views
    return Work(
        times * len(fits),
        times * sum(fit.steps * fit.networks for fit in fits),
        {backbone: Passes(training[backbone], teaching[backbone]) for backbone in training | teaching},
        Counter(fit.backbone or suite.backbone for fit in kept for _ in range(times)),
    )


def refuse_impossible(suite: Suite, results: Path = RESULTS) -> None:
    """Refuse a suite that a later job would; what is known of networks is kept in the folder of results.

    Raises:
        UserError: a network cannot be had, or do what fits ask of it; stages take more than the training part; a class
            has too few images for a split, or a part cannot have its share. The message has a line each, which begins
            with the key.
    """
    refuse_more_than_all(suite.split)
    problems = network_problems(suite, _fits(suite_methods(suite)), suite_shapes(suite, results))
    for key, images in class_images(suite).items():
        problems += split_problems(key, suite.facts[key].classes, images, suite.split)
    if problems:
        raise UserError("\n".join(problems))


def refuse_small_machine(suite: Suite, fits: Sequence[Fit] = ()) -> int:
    """Return the bytes that a training job needs at least, and refuse what this machine's memory cannot hold.

    Where there is a GPU its memory decides, which a job looks at itself. All of the suite's fits are trained
    unless told.

    Raises:
        UserError: see `weckd.training.limits.refuse_lack_of_memory`.
    """
    images = {key: sum(counts.values()) for key, counts in class_images(suite).items()}
    need = job_need(suite, fits or _fits(suite_methods(suite)), suite_shapes(suite, RESULTS), images)
    there = host_memory()
    if there is not None and not visible_gpus():
        refuse_lack_of_memory(suite, need, images, there)
    return need.of(suite.training.batch_size)


def memory_told(suite: Suite) -> str:
    """Return why this machine's memory cannot hold a training job of a suite that is only planned here, or "".

    Raises:
        UserError: nor can it hold one step of each network, which a plan measures.
    """
    try:
        refuse_small_machine(suite)
    except UserError as problem:
        try:
            refuse_small_machine(suite, [Fit(("D1",), 1, backbone=each) for each in total_work(suite).passes])
        except UserError:
            raise problem from None
        return str(problem)
    return ""


def too_many_jobs(need: int, jobs: int) -> str:
    """Return what is told where memory does not hold as many jobs at once, each of `need` bytes, or ""."""
    there = host_memory()
    if there is None or visible_gpus() or jobs * need <= there:
        return ""
    return (
        f"{jobs} training jobs at once need about {jobs * need / 1e9:,.1f} GB of memory, there are "
        f"{there / 1e9:,.1f} GB; use --cores {there // need}"
    )


def class_images(suite: Suite) -> dict[str, dict[str, int]]:
    """Return the images of each class of each data set, as far as they are known without reading any.

    The catalogue's counts where they were checked at the source; else the files in the class folders of the user's own
    copy. Phantoms, whose images are drawn, are not counted.
    """
    found = {}
    for dataset in suite_datasets(suite).values():
        known = {entry.key: entry.count for entry in dataset.classes if "count" not in entry.unverified}
        found[dataset.key] = counts = {key: count for key, count in known.items() if count is not None}
        if len(counts) < len(dataset.classes) and suite.data_root and dataset.layout == "class-folders":
            found[dataset.key] = _files_of_classes(dataset, Path(suite.data_root), suite.image_size) | counts
    return found


def patients(suite: Suite, key: str) -> int | None:
    """Return how many patients the table of the user's own copy names; None where there is no such table."""
    from weckd.data.layouts import locate  # noqa: PLC0415 - with it come decoders
    from weckd.data.layouts.tables import column, read_table  # noqa: PLC0415

    dataset = suite_datasets(suite)[key]
    if not (suite.data_root and dataset.table and dataset.table.patient):
        return None
    folder = locate(dataset, Path(suite.data_root) / key, suite.image_size)
    if folder is None:
        return None
    file = folder / dataset.table.file
    return len({*column(file, read_table(file), dataset.table.patient, "table.patient")})


def _files_of_classes(dataset: Dataset, data_root: Path, image_size: int) -> dict[str, int]:
    from weckd.data.layouts import is_clutter, locate  # noqa: PLC0415 - with it come decoders

    folder = locate(dataset, data_root / dataset.key, image_size)
    counts: Counter[str] = Counter()
    if folder is None:
        return counts
    for entry in dataset.classes:
        for place in (folder / place.path / str(entry.folder) for place in dataset.folders):
            files = place.iterdir() if place.is_dir() else ()
            counts[entry.key] += sum(not is_clutter(file.name) for file in files)
    return counts
