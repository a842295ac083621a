"""The documents' commands that need no images but phantoms, as they stand or reduced as how_run.py says."""

import pytest
from how_run import ON_THE_DEFAULT
from play import play

pytestmark = pytest.mark.documentation


@pytest.mark.parametrize("command", [entry.command for entry in ON_THE_DEFAULT], ids=str)
def test_command(command, checkout):
    play(checkout, command)
