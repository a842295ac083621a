"""What profiles/apptainer/README.md says of the engine's own way with Apptainer, against a stand-in of that program.

No container is made here: the stand-in tells its version, writes down what it was asked to do, and does none of it.
"""

import pytest
from engine import snakemake

pytestmark = pytest.mark.workflow
STAND_IN = """\
#!/bin/sh
[ "$1" = --version ] && echo "apptainer version 1.4.0" && exit
echo "$@" >> "{asked}"
exit 1
"""


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Return the file of what the stand-in was asked; it is the only Apptainer."""
    programs, asked = tmp_path / "programs", tmp_path / "asked"
    programs.mkdir()
    for name in ("apptainer", "singularity"):
        (programs / name).write_text(STAND_IN.format(asked=asked))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    return asked


def test_the_engine_would_pull_the_images_name_from_a_public_hub(asked, tmp_path):
    done = snakemake(
        tmp_path, "--cores", "1", "--software-deployment-method", "apptainer", "--until", "suite"
    )
    assert done.returncode == 1
    assert "Failed to pull singularity image from docker://weckd:0.1.0" in done.stdout
    [words] = asked.read_text().splitlines()
    assert words.startswith("pull --name ")
    assert words.endswith(".simg docker://weckd:0.1.0")


def test_without_that_option_apptainer_is_not_asked_for_anything(asked, tmp_path):
    done = snakemake(tmp_path, "--cores", "1", "--until", "suite")
    assert done.returncode == 0, done.stdout
    assert not asked.exists()
