"""A committed reference against this machine: one cell trained again, and everything drawn by the workflow itself."""

import subprocess
import sys

import pytest
from engine import REPOSITORY, environment, snakemake, unavailable

from weckd.agreement.reference import read_reference
from weckd.files import file_digest

pytestmark = pytest.mark.reference
REAL_SMALL = REPOSITORY / "config/real-small.yaml"
REFERENCES = REPOSITORY / "results/reference"
IMAGES = REPOSITORY.parent / "shared/data"


def test_one_cell_that_is_trained_again_agrees_with_the_reference(tmp_path, capsys):
    if not IMAGES.is_dir():
        unavailable("needs the real images in ../shared/data, beside the checkout")
    changes = [f"data_root={IMAGES}", "datasets=[brain_yesno]", "seeds=[1]", "methods=[weckd,single]"]
    done = snakemake(
        tmp_path, "--cores", "2", "--until", "gather", "--config", *changes, configfile=REAL_SMALL
    )
    assert done.returncode == 0, done.stdout[-5000:]
    [run] = tmp_path.glob("results/real-small+*")
    lock = str(REPOSITORY / "requirements.lock")
    command = [
        sys.executable,
        "-m",
        "weckd",
        "agree",
        str(run),
        str(REFERENCES / "real-small"),
        "--lock",
        lock,
    ]
    agreed = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    with capsys.disabled():
        print(f"\n{agreed.stdout}{agreed.stderr}")
    assert agreed.returncode == 0
    assert "Reproduced: " in agreed.stdout


def test_the_workflow_draws_every_output_of_the_references_again(tmp_path):
    arguments = ["--cores", "2", "--config", "records=reference", "--", "all", "leakage"]
    done = snakemake(tmp_path, *arguments, configfile=REAL_SMALL)
    assert done.returncode == 0, done.stdout[-5000:]
    for name in ("real-small", "real-small-official"):
        expected = read_reference(REFERENCES / name).outputs
        made = tmp_path / "results" / f"{name}-reference"
        assert {file: file_digest(made / file) for file in expected} == expected
    assert not (tmp_path / "results/fits").exists()  # nothing was trained
