"""The order of the tests, and the kernels that they compute with."""

import sys

import pytest

from weckd.numpy_kernels import settle_kernels

# As every command does, before NumPy is imported: the committed tables have the bytes of these kernels.
assert "numpy" not in sys.modules
settle_kernels()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Put the tests that run the workflow before all others: every core has work to the end."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)
