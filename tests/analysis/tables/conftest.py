import pytest
from small_suite import with_plan
from wide_suite import only, wide_suite, write_wide_predictions

from weckd.analysis.results import load_run


@pytest.fixture(scope="session")
def wide_folder(tmp_path_factory):
    """The wide suite's run; tests only read it."""
    folder = tmp_path_factory.mktemp("wide")
    write_wide_predictions(folder / "predictions")
    return folder


@pytest.fixture(scope="session")
def wide(wide_folder):
    return load_run(wide_suite(), wide_folder)


@pytest.fixture(scope="session")
def few(wide_folder):
    """Two seeds: too few for a test."""
    return load_run(wide_suite(seeds=(1, 2)), wide_folder)


@pytest.fixture(scope="session")
def unplanned(wide_folder):
    """No family, so no chain to follow."""
    return load_run(with_plan(wide_suite(), families=(), claims=(), metrics=("accuracy", "nll")), wide_folder)


@pytest.fixture(scope="session")
def primary_nll(wide_folder):
    """A primary metric that is no share of right answers."""
    return load_run(with_plan(wide_suite(), metrics=("nll",)), wide_folder)


@pytest.fixture(scope="session")
def chain_and_single(tmp_path_factory):
    """Two methods, one metric."""
    return only(tmp_path_factory.mktemp("chain_and_single"), "weckd", "single")
