"""What can be known of a suite before any job runs, told alike by every command and by the workflow."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from weckd.config import Suite
from weckd.data.catalogue import Dataset, find_dataset
from weckd.data.shares import split_problems
from weckd.errors import UserError
from weckd.gpus import visible_gpus
from weckd.methods.catalogue import suite_methods
from weckd.methods.fits import Fit
from weckd.planning.work import total_work
from weckd.training.limits import host_memory, job_need, network_problems, refuse_lack_of_memory, suite_shapes

RESULTS = Path("results")


def refuse_impossible(suite: Suite, results: Path = RESULTS) -> None:
    """Refuse a suite that a later job would.

    Args:
        suite: settings of the run.
        results: folder of results, where what is known of networks is kept if it is there.

    Raises:
        UserError: a network cannot be had, or do what fits ask of it; a class has too few images for a split, or a
            part cannot have its share. The message has a line each, which begins with the key.
    """
    problems = network_problems(suite, _fits(suite), suite_shapes(suite, results))
    for key, images in _images(suite).items():
        problems += split_problems(key, suite.facts[key].classes, images, suite.split)
    if problems:
        raise UserError("\n".join(problems))


def refuse_small_machine(suite: Suite, fits: Sequence[Fit] = ()) -> int:
    """Return the bytes that a training job needs at least, and refuse what this machine's memory cannot hold.

    Where there is a GPU its memory decides, which a job looks at itself.

    Args:
        suite: settings of the run.
        fits: what is trained; all of the suite's unless told.

    Raises:
        UserError: see `weckd.training.limits.refuse_lack_of_memory`.
    """
    images = {key: sum(counts.values()) for key, counts in _images(suite).items()}
    need = job_need(suite, fits or _fits(suite), suite_shapes(suite, RESULTS), images)
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
    """Return what is told where memory does not hold as many training jobs at once, or "".

    Args:
        need: bytes of one, see `refuse_small_machine`.
        jobs: that may run at once.
    """
    there = host_memory()
    if there is None or visible_gpus() or jobs * need <= there:
        return ""
    return (
        f"{jobs} training jobs at once need about {jobs * need / 1e9:,.1f} GB of memory, there are "
        f"{there / 1e9:,.1f} GB; use --cores {there // need}"
    )


def _fits(suite: Suite) -> tuple[Fit, ...]:
    return tuple(fit for method in suite_methods(suite) for fit in method.fits())


def _images(suite: Suite) -> dict[str, dict[str, int]]:
    """Return the images of each class of each data set, as far as they are known without reading any.

    The catalogue's counts where they were checked at the source; else the files in the class folders of the user's own
    copy. Phantoms, whose images are drawn, are not counted.
    """
    own = Path(suite.catalogue) if suite.catalogue else None
    found = {}
    for dataset in (find_dataset(key, own) for key in suite.datasets):
        known = {entry.key: entry.count for entry in dataset.classes if "count" not in entry.unverified}
        found[dataset.key] = counts = {key: count for key, count in known.items() if count is not None}
        if len(counts) < len(dataset.classes) and suite.data_root and dataset.layout == "class-folders":
            found[dataset.key] = _files_of_classes(dataset, Path(suite.data_root), suite.image_size) | counts
    return found


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
