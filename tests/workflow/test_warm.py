"""What tests call through warm.py is what a user would call: the same output, errors and exit status."""

import subprocess
from pathlib import Path

import pytest
from engine import OWN, warm

pytestmark = pytest.mark.workflow


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("methods",), 0),
        (("verify", "nowhere"), 1),
        (("no-such-command",), 2),
        (("split", "--run", "a folder with spaces", "--dataset", "x"), 1),
    ],
)
def test_a_forked_job_ends_as_the_command_itself(arguments, status, tmp_path):
    def called(folder):
        done = subprocess.run(
            [folder / "weckd", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    forked = called(Path(warm()).parent)
    assert forked[0] == status
    assert forked == called(OWN)
