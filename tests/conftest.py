"""The order of the tests: the slowest files first, so that every core has work to the end."""

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Put the tests that run the workflow before all others."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)
