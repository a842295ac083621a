import pytest
from toy_cell import toy_networks


@pytest.fixture(scope="module")
def networks():
    """The toy cell's networks, built once for the tests of a module."""
    return toy_networks()
