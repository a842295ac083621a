import pytest
from trained_phantom import export, trained


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A run of one seed; tests only read it."""
    return trained(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def exported(place, tmp_path_factory):
    """The folder of its chain's last model; tests only read it."""
    folder = tmp_path_factory.mktemp("exported") / "weckd"
    export(place, folder)
    return folder


@pytest.fixture(scope="session")
def with_onnx(place, tmp_path_factory):
    """The same with an ONNX file beside; tests only read it."""
    folder = tmp_path_factory.mktemp("onnx") / "weckd"
    export(place, folder, onnx=True)
    return folder
