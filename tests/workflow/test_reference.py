"""Tables and figures from a frozen reference: no training, no touch of the real run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from engine import environment, snakemake

pytestmark = pytest.mark.workflow
WECKD = Path(sys.executable).with_name("weckd")


@pytest.fixture(scope="module")
def frozen(finished, tmp_path_factory):
    """Return a folder with the finished run and a reference of it."""
    folder, _ = finished
    copy = tmp_path_factory.mktemp("frozen") / "copy"
    shutil.copytree(folder, copy, symlinks=True)
    done = weckd(copy, "freeze", "results/tiny")
    assert done.returncode == 0, done.stderr
    return copy


def weckd(folder, *arguments):
    command = [WECKD, *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


def times(folder):
    return {file: file.stat().st_mtime_ns for file in sorted(folder.rglob("*")) if file.is_file()}


def test_records_of_a_reference_give_the_tables_of_the_run(frozen):
    run, store = frozen / "results/tiny", frozen / "results/fits"
    before = times(run) | times(store)
    done = snakemake(frozen, "--cores", "2", "--config", "records=reference")
    assert done.returncode == 0, done.stdout
    assert times(run) | times(store) == before
    made = frozen / "results/tiny-reference"
    for file in sorted(run.glob("tables/*")):
        assert (made / "tables" / file.name).read_bytes() == file.read_bytes(), file.name
    for file in sorted(run.glob("figures/*")):
        same = (made / "figures" / file.name).read_bytes() == file.read_bytes()
        assert same == (file.stem not in ("attention", "sums")), file.name  # a reference holds no image
    assert "no images in these records" in (made / "figures" / "attention.svg").read_text(encoding="utf-8")
    assert (made / "report.html").exists()
    assert "\nrun tiny-reference: " in done.stdout
    assert "\nreport       results/tiny-reference/report.html" in done.stdout


def test_nothing_is_planned_but_tables_figures_and_the_page(frozen, tmp_path):
    shutil.copytree(frozen / "results/reference", tmp_path / "results/reference")
    done = snakemake(tmp_path, "-n", "--config", "records=reference")
    assert done.returncode == 0, done.stdout
    assert set(re.findall(r"^rule (\w+):", done.stdout, flags=re.MULTILINE)) == {
        "all",
        "unfreeze",
        "tables",
        "figures",
        "html_report",
        "provenance",
    }


def test_the_run_agrees_with_its_reference(frozen):
    done = weckd(frozen, "agree", "results/tiny", "results/reference/tiny")
    assert done.returncode == 0, done.stderr
    assert "Reproduced: " in done.stdout
    assert "compared by equal bytes" in done.stdout


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["records=frozen"], "records: 'frozen' is neither run nor reference"),
        (["records=reference", "seeds=[1]"], "there is no reference"),
    ],
)
def test_what_is_not_there_is_refused_before_any_job(frozen, changes, message):
    done = snakemake(frozen, "--cores", "1", "--config", *changes)
    assert done.returncode != 0
    assert message in done.stdout


def test_a_reference_of_another_plan_is_refused_by_its_key(frozen, tmp_path):
    shutil.copytree(frozen / "results/reference", tmp_path / "results/reference")
    file = tmp_path / "results/reference/tiny/suite.json"
    file.write_text(file.read_text().replace('"batch_size": 8', '"batch_size": 9'))
    done = snakemake(tmp_path, "-n", "--config", "records=reference")
    assert done.returncode != 0
    assert "made with another training" in done.stdout
