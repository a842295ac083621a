"""A committed reference against this machine: one cell trained again, and everything drawn by the workflow itself."""

import subprocess
import sys

import pytest
from engine import REPOSITORY, environment, snakemake, unavailable
from references import FILES, OFFICIAL, READINGS, REFERENCES, WITH_REPORT

from weckd.agreement.reference import read_reference
from weckd.files import file_digest

pytestmark = pytest.mark.reference
IMAGES = REPOSITORY.parent / "shared/data"
OF_STUDIES = {"real-small": {OFFICIAL: "leakage"}, "real": {READINGS: "readings"}}
"""What else is drawn of a suite: the reference, and the target of the workflow."""


@pytest.mark.parametrize(("suite", "dataset"), [("real-small", "brain_yesno"), ("real", "wbc_zheng")])
def test_one_cell_that_is_trained_again_agrees_with_the_reference(suite, dataset, tmp_path, capsys):
    if not IMAGES.is_dir():
        unavailable("needs the real images in ../shared/data, beside the checkout")
    changes = [f"data_root={IMAGES}", f"datasets=[{dataset}]", "seeds=[1]", "methods=[weckd,single]"]
    done = snakemake(
        tmp_path, "--cores", "2", "--until", "gather", "--config", *changes, configfile=FILES[suite]
    )
    assert done.returncode == 0, done.stdout[-5000:]
    [run] = tmp_path.glob(f"results/{suite}+*")
    lock = str(REPOSITORY / "requirements.lock")
    command = [
        sys.executable,
        "-m",
        "weckd",
        "agree",
        str(run),
        str(REFERENCES / suite),
        "--lock",
        lock,
    ]
    agreed = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    with capsys.disabled():
        print(f"\n{agreed.stdout}{agreed.stderr}")
    assert agreed.returncode == 0
    assert "Reproduced: " in agreed.stdout


@pytest.mark.parametrize("suite", FILES)
def test_the_workflow_draws_every_output_of_the_references_again(tmp_path, suite):
    studies = OF_STUDIES.get(suite, {})
    arguments = ["--cores", "2", "--config", "records=reference", "--", "all", *studies.values()]
    done = snakemake(tmp_path, *arguments, configfile=FILES[suite])
    assert done.returncode == 0, done.stdout[-5000:]
    for name in (suite, *studies):
        expected = read_reference(REFERENCES / name).outputs
        made = tmp_path / "results" / f"{name}-reference"
        assert {file: file_digest(made / file) for file in expected} == expected
        for table in (REFERENCES / name / "tables").iterdir():
            assert (made / "tables" / table.name).read_bytes() == table.read_bytes()
        if name in WITH_REPORT:
            report = REFERENCES / name / "report.html"
            assert report.read_bytes() == (made / "report.html").read_bytes(), f"{report}: run make readme"
    assert not (tmp_path / "results/fits").exists()  # nothing was trained
