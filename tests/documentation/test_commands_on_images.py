"""The documents' commands on a user's own images or the paper's, as they stand or reduced as how_run.py says."""

import pytest
from how_run import ON_IMAGES
from play import play

pytestmark = pytest.mark.documentation


@pytest.mark.parametrize("command", [entry.command for entry in ON_IMAGES], ids=str)
def test_command(command, checkout):
    play(checkout, command)
