"""A camera-ready table from a layout file: labels, order, columns and digits, and no number touched in the CSV."""

import shutil
from pathlib import Path

import pytest
from small_suite import GOLDEN, toy_suite

from weckd.analysis.write_tables import write_tables
from weckd.cli import main
from weckd.config import suite_json
from weckd.errors import UserError
from weckd.tables.layout import read_layout

CONFIG = Path(__file__).resolve().parents[2] / "config"
LAYOUT = """
digits: 2
labels: {weckd: WeCKD (ours), toy_three: Three, toy_copy: Copy, gain over single: Gain}
tables:
  main: {columns: [data set, weckd, single, gain over single], rows: [toy_copy, toy_three, macro of 2]}
"""


def layout_file(tmp_path, text):
    file = tmp_path / "layout.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_layout_sets_labels_order_columns_and_digits(toy_folder, tmp_path):
    write_tables(toy_suite(), toy_folder, tmp_path, read_layout(layout_file(tmp_path, LAYOUT)))
    text = (tmp_path / "main.md").read_text(encoding="utf-8")
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.split("\n\n")[2].splitlines()
    ]
    assert [lines[0], *lines[2:]] == [
        ["data set", "WeCKD (ours)", "single", "Gain"],
        ["Copy †", "missing", "missing", "missing"],
        ["Three", "**76.67 ± 6.94**", "54.17 ± 4.06", "+22.50* [+11.81, +33.19]"],
        ["macro of 2", "77.08 ± 5.17", "54.58 ± 9.02", "+22.50* [+9.55, +35.45]"],
    ]
    assert r"Copy $\dagger$ & missing & missing & missing \\" in (tmp_path / "main.tex").read_text(
        encoding="utf-8"
    )
    assert "| WeCKD (ours) " in (tmp_path / "accuracy.md").read_text(encoding="utf-8")
    for file in set(GOLDEN.glob("*.csv")) - {GOLDEN / "answers.csv"}:  # which is text for people
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_the_layout_that_comes_with_the_suite_prints_everything(toy_folder, tmp_path):
    write_tables(toy_suite(), toy_folder, tmp_path, read_layout(CONFIG / "tables.yaml"))
    for name in ("main.md", "main.tex", "gains.md"):
        assert (tmp_path / name).read_bytes() == (GOLDEN / name).read_bytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "digit: 2",
            r"layout\.yaml: not a valid layout of tables\n  digit: no such key; did you mean 'digits'\? Keys here: ",
        ),
        ("digits: many", r"  digits: must be a whole number from 0 to 6, not 'many'"),
        ("labels: {weckd: 3.5}", r"  labels\.weckd: must be text, not 3\.5 \(a word in quotes is text\)"),
        (
            "tables: {main: {rows: []}}",
            r"  tables\.main\.rows: must be a list of 1 or more, none twice, each text, not \[\]",
        ),
        ("digits: [", r"layout\.yaml: not valid YAML: while parsing a flow node, .* \(line 1\)"),
    ],
)
def test_mistakes_in_a_layout_are_named(tmp_path, text, message):
    with pytest.raises(UserError, match=message):
        read_layout(layout_file(tmp_path, text))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "{columns: [data sets]}",
            r"tables\.main\.columns: 'data sets' is not there; there: data set, images",
        ),
        (
            "{rows: [ear_mars]}",
            r"tables\.main\.rows: 'ear_mars' is not there; there: toy_three, toy_two, toy_copy",
        ),
    ],
)
def test_columns_and_rows_that_are_not_there_are_named(toy_folder, tmp_path, table, message, capsys):
    file = layout_file(tmp_path, f"tables: {{main: {table}}}")
    with pytest.raises(UserError, match=message):
        write_tables(toy_suite(), toy_folder, tmp_path, read_layout(file))
    options = ["--run", str(toy_folder), "--out", str(tmp_path / "out"), "--layout", str(file)]
    assert main(["tables", *options]) == 1
    assert "layout.yaml: tables.main." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_table_that_is_not_there_is_named(toy_folder, tmp_path):
    file = layout_file(tmp_path, "tables: {mian: {columns: [data set]}}")
    with pytest.raises(
        UserError, match=r"layout\.yaml: tables\.mian: no such table; there: claims, claims-why, "
    ):
        write_tables(toy_suite(), toy_folder, tmp_path, read_layout(file))


def test_a_layout_prints_the_tables_of_a_run_beside_itself(toy_folder, tmp_path, capsys):
    run = shutil.copytree(toy_folder, tmp_path / "toy")
    (run / "suite.json").write_text(suite_json(toy_suite()), encoding="utf-8")
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    file = layout_file(tmp_path, LAYOUT)
    assert main(["tables", "--run", str(run), "--layout", str(file)]) == 0
    made = tmp_path / "layout" / "toy"
    assert capsys.readouterr().out == f"{made}: all tables, each as .csv, .md, .tex and .json\n"
    assert "WeCKD (ours)" in (made / "main.md").read_text(encoding="utf-8")
    assert (made / "main.csv").read_bytes() == (GOLDEN / "main.csv").read_bytes()
    assert {file: file.read_bytes() for file in run.rglob("*") if file.is_file()} == before


def test_a_frozen_reference_is_laid_out_first(tmp_path, capsys):
    (tmp_path / "reference.json").write_text("{}", encoding="utf-8")
    assert main(["tables", "--run", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"weckd: {tmp_path}: a frozen reference, whose predictions are packed; lay it out as a run first: "
        f"weckd unfreeze {tmp_path} --out FOLDER\n"
    )


def test_a_frozen_reference_is_not_an_unfinished_run(tmp_path, capsys):
    for name in ("reference.json", "suite.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert main(["show", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"weckd: {tmp_path}: a frozen reference has no tables; draw its tables with snakemake --cores all "
        "--configfile SUITE --config records=reference\n"
    )
