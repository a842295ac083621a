"""How much of the package runs in a job on a CPU: docs/design.md counts the modules, and lists those of one fit."""

import inspect
import re
import sys
from pathlib import Path

import pytest
from prepared_phantom import KEY, SEED, make_workplace

import weckd
from weckd.locks import StopRequest
from weckd.training import fit, job

PACKAGE = Path(weckd.__file__).parent
PAGE = (PACKAGE.parent / "docs" / "design.md").read_text(encoding="utf-8")
BEFORE = 45
"""Modules that ran in the same job before the house was built again (commit 902542d)."""
SINCE = {
    "frozen_cells.py",
    *(f"training/{name}.py" for name in ("attention_file", "attention_maps", "gather")),
}
"""What they do was done by other jobs then, or by none."""


class Trace:
    """Collects the package's modules, as `training/fit.py`, of which a function is called while it is on.

    What runs once at the import of a module, and what `dataclass` makes, is none of its functions.
    """

    def __init__(self):
        self.modules = set()

    def __call__(self, frame, event, _):
        code = frame.f_code
        if (
            event == "call" and code.co_flags & inspect.CO_OPTIMIZED
        ):  # else it is a module's or a class's body
            file = Path(code.co_filename)
            if file.is_relative_to(PACKAGE):
                self.modules.add(file.relative_to(PACKAGE).as_posix())

    def __enter__(self):
        self.former = sys.getprofile()
        sys.setprofile(self)
        return self.modules

    def __exit__(self, *_):
        sys.setprofile(self.former)


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """Return the modules that run in a CPU's job of a chain of two fits, and those that run in the fits themselves."""
    place = make_workplace(tmp_path_factory.mktemp("place"), methods=["weckd"], chain_length=2, tuned=False)
    of_fits, of_models = set(), []

    def train_fit(declared, *arguments):
        of_models.append(declared)
        with Trace() as modules:
            result = fit.train_fit(declared, *arguments)
        of_fits.update(modules)
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch.cuda.is_available", lambda: False)  # on a card no layers are exchanged
        patch.setattr(job, "train_fit", train_fit)
        patch.setattr(
            job, "INTERVAL", float("inf")
        )  # a line of progress, on a slow machine, is no part of a fit
        with Trace() as of_job:
            job.train_batch(place.suite, place.run, KEY, [SEED], 60.0, StopRequest())
    assert [len(model.teachers) for model in of_models] == [0, 1]
    return of_job | of_fits, of_fits


def test_a_job_of_two_fits_runs_about_half_as_many_modules_as_before(traced):
    (before, now) = map(int, re.search(r"(\d+) modules of the package ran before, (\d+) now", PAGE).groups())
    assert before == BEFORE
    assert len(traced[0]) == now, sorted(traced[0])
    assert traced[0] > SINCE
    assert now - len(SINCE) <= BEFORE // 2 + 1


def test_the_page_lists_what_a_reader_of_one_fit_needs(traced):
    (listed,) = re.findall(r"^Read for one fit: (.*?)\.$", PAGE, re.DOTALL | re.MULTILINE)
    assert set(re.findall(r"`([^`]+)`", listed)) == traced[1]
    assert len(traced[1]) <= 15
