import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))  # for small_suite

from tiny_run import write_tiny_run


@pytest.fixture
def run(tmp_path):
    """A small run with every file that the page asks for; a test may change it."""
    write_tiny_run(tmp_path / "run")
    return tmp_path / "run"
