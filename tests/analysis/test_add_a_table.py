"""Follows docs/add-a-table.md to the letter, in a copy of the suite, and makes the tables of the toy run."""

import json
import re
import shutil
import sys

import pandas as pd
import pytest
from engine import REPOSITORY, TINY
from followed import Page, copy_of_what_runs, run
from small_suite import GOLDEN, write_predictions, write_toy_run

from weckd.analysis.registry import KINDS

ADDED = Page("add-a-table.md")
MADE = {f"over-single.{kind}" for kind in KINDS}
CAPTION = (
    "Gains of each method's last stage over single in accuracy, percentage points. macro: 2 independent data sets, "
    "n = 48 test images in 30 groups; k = 5 seeds. Two-way random-effects t, seeds x groups; unadjusted 95 % "
    "intervals; nothing is tested. MISSING: 2, named below. Plan 0123456789ab."
)
NOTES = [
    "MISSING: toy_copy seed 3; toy_two seed 2 pooled diverged.",
    "No method is tuned: committed settings.",
    "† derived, in no mean: toy_copy (from toy_three).",
]
COLUMNS = "method | toy_three | toy_two | toy_copy † | macro of 2"
CHAIN = "+22.5 [+11.8, +33.2] | +22.5 [-0.8, +45.8] | missing | +22.5 [+9.6, +35.4]"
ROWS = (
    f"weckd | {CHAIN}",
    "pooled | +28.3 [+20.4, +36.2] | missing | missing | missing",
    f"one-step | {CHAIN}",
    "full-converged | +34.2 [+27.4, +40.9] | +33.3 [+9.7, +57.0] | missing | +33.8 [+20.5, +47.0]",
    "permuted | -25.8 [-33.5, -18.2] | +5.8 [-27.3, +39.0] | missing | -10.0 [-24.7, +4.7]",
    "majority | -4.2 [-22.3, +13.9] | +7.5 [-12.2, +27.2] | missing | +1.7 [-10.9, +14.2]",
)


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    suite = copy_of_what_runs(tmp_path_factory.mktemp("suite"))
    ADDED.follow(suite)
    return suite


@pytest.fixture(scope="module")
def toy(followed):
    """The toy run with its tables and its page, made by the copy."""
    write_toy_run(followed / "toy")
    (followed / "config/published.yaml").unlink()  # the golden tables are beside no paper's numbers
    for command in ("tables", "report"):
        run(followed, sys.executable, "-m", "weckd", command, "--run", "toy")
    return followed / "toy"


def test_the_page_is_one_file_and_one_line():
    assert len(ADDED.files) == len(ADDED.lines) == 1
    ADDED.holds_no_other_code()
    assert len(ADDED.text.splitlines()) <= 90


def test_the_pages_table_has_these_rows_below_a_whole_caption(toy):
    (table,) = json.loads((toy / "tables/over-single.json").read_text(encoding="utf-8"))
    assert table["title"] == "Every method over single, suite toy"
    assert table["warning"] == "Phantom images drawn by this suite: says nothing about the paper's data."
    assert (table["caption"], table["notes"]) == (CAPTION, NOTES)
    assert [*table["terms"]] == ["macro of 2"]
    assert [" | ".join(row) for row in (table["columns"], *table["rows"])] == [COLUMNS, *ROWS]
    printed = (toy / "tables/over-single.md").read_text(encoding="utf-8")
    assert printed.startswith(f"### {table['title']}\n\n**{table['warning']}** {CAPTION[:40]}")
    frame = pd.read_csv(toy / "tables/over-single.csv")
    assert len(frame) == 6 * 4  # methods, data sets and their mean
    first = frame.iloc[0]
    assert (first["dataset"], first["method"], first["reference"], first["unit"]) == (
        *("toy_three", "weckd"),
        *("single", "points"),
    )
    assert first[["estimate", "ci_low", "ci_high"]].tolist() == [22.5, 11.8077315103, 33.1922684897]
    assert set(frame["family"]) == {"not tested"}


def test_all_other_tables_keep_their_bytes(toy):
    made = {file.name: file.read_bytes() for file in (toy / "tables").iterdir()}
    del made["sums.json"]  # of the files themselves
    assert made.keys() - MADE == made.keys() ^ MADE
    assert {name: made[name] for name in made.keys() - MADE} == {
        file.name: file.read_bytes() for file in GOLDEN.iterdir()
    }


def test_a_run_without_single_says_so(followed, tmp_path):
    write_toy_run(tmp_path)
    suite = json.loads((tmp_path / "suite.json").read_text(encoding="utf-8"))
    suite["methods"].remove("single")
    (tmp_path / "suite.json").write_text(json.dumps(suite), encoding="utf-8")
    for file in tmp_path.glob("predictions/*/*.parquet"):
        frame = pd.read_parquet(file)
        write_predictions(file, frame[frame["method"] != "single"])
    run(followed, sys.executable, "-m", "weckd", "tables", "--run", str(tmp_path))
    (table,) = json.loads((tmp_path / "tables/over-single.json").read_text(encoding="utf-8"))
    assert (table["columns"], table["rows"]) == (["method"], [["single is not in this run; add it"]])


def test_the_report_shows_it_among_the_other_tables(toy):
    page = (toy / "report.html").read_text(encoding="utf-8")
    others = re.search(r'<section id="tables">.*?</section>', page, re.DOTALL)[0]
    assert "<summary><h3>Every method over single, suite toy</h3></summary>" in others
    assert "<td>+22.5 [+11.8, +33.2]</td>" in others
    assert "tables/over-single.csv</a>" in others


def test_the_workflow_names_its_files(followed):
    suite = followed / TINY.relative_to(REPOSITORY)
    suite.parent.mkdir(parents=True)
    shutil.copy(TINY, suite)
    told = run(
        followed, sys.executable, "-m", "snakemake", "-n", "--quiet", "host", "--configfile", str(suite)
    )
    outputs = re.search(r"^rule tables:\n.*?^    output: (.*?)$", told, re.DOTALL | re.MULTILINE)[1].split(
        ", "
    )
    assert {f"results/tiny/tables/{name}" for name in MADE} <= set(outputs)
