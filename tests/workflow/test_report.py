"""What a finished run shows: its page, the workflow's own report, and methods that were trained elsewhere."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from engine import environment, snakemake

pytestmark = pytest.mark.workflow
WECKD = Path(sys.executable).with_name("weckd")


def test_the_page_stands_alone_with_the_claims_first(finished):
    folder, _ = finished
    page = (folder / "results/tiny/report.html").read_text(encoding="utf-8")
    assert "PHANTOM" in page.upper()
    assert "<script" not in page
    headings = [
        page.index(f"<h2>{title}") for title in ("Claims", "Main results", "Methods and classes", "Data")
    ]
    assert headings == sorted(headings)
    assert "4: each link refines" in page


def test_every_table_of_the_page_links_to_the_file_of_its_numbers(finished):
    run = finished[0] / "results/tiny"
    page = (run / "report.html").read_text(encoding="utf-8")
    linked = set(re.findall(r'<a href="([^"#:]+)"', page))
    tables = {
        file.relative_to(run).with_suffix(".csv").as_posix(): json.loads(file.read_text(encoding="utf-8"))
        for name in ("tables", "audit")
        for file in run.glob(f"{name}/*.json")
        if file.name != "sums.json"
    }
    empty = {
        name for name, told in tables.items() if all(len(x["columns"]) == len(x["rows"]) == 1 for x in told)
    }
    assert linked == tables.keys() - empty
    assert all((run / name).is_file() for name in linked)


def test_the_workflows_own_report_has_captions_and_categories(copy):
    done = snakemake(copy, "--report", "all.html")
    assert done.returncode == 0, done.stdout
    text = (copy / "all.html").read_text(encoding="utf-8")
    for category in ("Report", "Tables", "Figures", "Audit"):
        assert f'"{category}"' in text, category
    assert "Example pairs of images of one data set" in text
    assert "Computed from stored predictions" in text


def test_a_method_trained_elsewhere_joins_the_tables_without_training(copy):
    predictions = [
        pd.read_parquet(file) for file in sorted(copy.glob("results/tiny/predictions/*/*.parquet"))
    ]
    whole = pd.concat(predictions)
    pooled = whole[(whole["method"] == "pooled") & (whole["split"] == "test")]
    columns = ["dataset", "seed", "split", "image_id", "y", *sorted(whole.filter(regex="^p_").columns)]
    pooled[columns].to_csv(copy / "mine.csv", index=False)
    options = ["--run", "results/tiny", "--name", "mine", "--selection", "validation"]
    command = [WECKD, "import-predictions", "mine.csv", *options]
    done = subprocess.run(command, cwd=copy, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    done = snakemake(copy, "--cores", "2")
    assert done.returncode == 0, done.stdout
    assert "rule train" not in done.stdout
    frame = pd.read_csv(copy / "results/tiny/tables/accuracy.csv")
    mine, theirs = (
        frame[frame["method"] == name].set_index(["dataset", "metric"]) for name in ("mine", "pooled")
    )
    assert mine["mean"].to_dict() == pytest.approx(theirs["mean"].to_dict())
    assert "made elsewhere" in (copy / "results/tiny/tables/accuracy.md").read_text(encoding="utf-8")
    assert "mine" in (copy / "results/tiny/report.html").read_text(encoding="utf-8")
