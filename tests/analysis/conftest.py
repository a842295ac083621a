import pytest
from small_suite import write_toy_run


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory):
    """The small suite as a run; tests only read it."""
    folder = tmp_path_factory.mktemp("toy")
    write_toy_run(folder)
    return folder


@pytest.fixture(scope="session")
def toy_predictions(toy_folder):
    return toy_folder / "predictions"
