"""The suites of real images that answer the claims: how large each is."""

from pathlib import Path

import pytest

from weckd.planning.first_second import cell_work, total_work
from weckd.study_suites import readings_suite
from weckd.suite_file import resolve_suite

CONFIG = Path(__file__).resolve().parents[1] / "config"
BACKBONES = ("real", "real-backbones")


def suite(*names):
    return resolve_suite([CONFIG / f"{name}.yaml" for name in names], {})


@pytest.mark.parametrize(
    ("one", "cells", "fits", "steps"),
    [  # fits and steps of a cell
        (suite("real"), 40, 35, 5920),
        (readings_suite(suite("real")), 20, 66, 6480),
        (suite(*BACKBONES), 20, 15, 2320),
        (suite(*BACKBONES, "real-lite1"), 20, 13, 2160),
        (suite(*BACKBONES, "real-lite2"), 20, 15, 2320),
        (suite(*BACKBONES, "real-regnet"), 20, 13, 5040),
    ],
    ids=lambda value: getattr(value, "run", ""),
)
def test_a_suite_has_as_many_steps_as_its_documents_say(one, cells, fits, steps):
    assert len(one.datasets) * len(one.seeds) == cells
    work = cell_work(one)
    assert (work.fits, work.steps, total_work(one).steps) == (fits, steps, cells * steps)
