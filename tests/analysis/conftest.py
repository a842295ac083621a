import pytest
from small_suite import write_toy_predictions, write_toy_splits


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory):
    """The small suite's predictions and splits; tests only read them."""
    folder = tmp_path_factory.mktemp("toy")
    write_toy_predictions(folder / "predictions")
    write_toy_splits(folder / "splits")
    return folder


@pytest.fixture(scope="session")
def toy_predictions(toy_folder):
    return toy_folder / "predictions"
