"""What is told of runs: their list, their states, and a run that is not there or not finished."""

import shlex
from pathlib import Path

import pytest
from small_suite import toy_suite

from weckd.cli import main
from weckd.config import suite_json
from weckd.errors import UserError
from weckd.files import write_text
from weckd.locks import take_run_lock
from weckd.runs import (
    changed_files,
    note_end,
    note_start,
    refuse_untrained,
    results_text,
    run_list,
    run_summary,
)

COMMAND = ["snakemake", "--cores", "all"]
ENDS = "goes on with\n  snakemake --cores all"


@pytest.fixture
def run(tmp_path):
    """Return the folder of a run that was started."""
    folder = tmp_path / "toy"
    write_text(folder / "suite.json", suite_json(toy_suite()))
    note_start(folder, ["seeds=[1]"], COMMAND, {})
    return folder


def finish(run):
    """Make what tells that a run is finished."""
    suite = toy_suite()
    for file in ("ro-crate-metadata.json", "report.html", "tables/claims.md", "tables/main.md"):
        write_text(run / file, f"{file}\n")
    for file, text in (
        ("answers.csv", "claim\n"),
        ("main.csv", "dataset\n"),
        ("main.json", '[{"warning": ""}]'),
    ):
        write_text(run / "tables" / file, text)
    for key in suite.datasets:
        for seed in suite.seeds:
            write_text(run / f"predictions/{key}/seed{seed}.parquet", "")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1]", b'{"changes": 1, "command": []}', b"{}"])
def test_a_run_whose_call_is_damaged_is_listed_without_the_command_that_goes_on_with_it(content, run):
    listed = run_list(run.parent)
    assert "seeds=[1]" in listed
    assert listed.endswith(f"{run} {ENDS}")
    (run / ".call.json").write_bytes(content)
    listed = run_list(run.parent)
    assert str(run) in listed
    assert "goes on with" not in listed


def test_what_was_changed_is_wrapped_where_a_terminal_is_narrow_and_commands_are_not(run):
    long = ["note=[1,2]", "seeds=[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]"]
    note_start(run, long, COMMAND, {})
    width = len(str(run)) + len("  toy      interrupted  0 of 2") + 20
    lines = run_list(run.parent, width).splitlines()
    last = lines.index("--wide shows also: suite")
    assert all(len(line) <= width for line in lines[:last])
    assert lines[2].split()[:2] == [str(run), long[0]]
    assert "".join(line.split()[0] for line in lines[3:last]) == long[1]
    assert run_list(run.parent).splitlines()[3].split() == [long[1]]
    assert run_list(run.parent, width).endswith(f"{run} {ENDS}")


def test_the_state_of_a_run_is_that_of_its_latest_start(run):
    def state():
        return run_list(run.parent).splitlines()[2].split()[3]

    assert state() == "interrupted"
    with take_run_lock(run.parent / ".lock", ["toy"]):
        assert state() == "running"
    note_end(run, [], {}, {})  # of a part
    assert state() == "unfinished"
    finish(run)
    assert state() == "finished"
    assert "goes on with" not in run_list(run.parent)
    note_start(run, ["seeds=[1]"], COMMAND, {})
    logs = {"tables": run / "logs/tables.log", "figures": run / "logs/figures.log"}
    note_end(run, [], logs, {})
    assert state() == "failed"
    assert run_list(run.parent).endswith(
        f"{run}, where figures failed ({run}/logs/figures.log), and 1 more job, {ENDS}"
    )
    note_end(run, [], {}, {})
    assert state() == "finished"


def test_what_changed_is_told_until_all_of_the_run_was_made_again(run):
    images, splits, other = (
        "data/ears-32px/seen.json",
        str(run / "splits/ears/sums.json"),
        "results/b/sums.json",
    )
    prepared = {run.parent / "data/ears-32px"}
    changed = {str(run.parent / images): [["a.png", "b.png"]], splits: [["seed1.csv"]], other: [["c"]]}
    assert changed_files(run, prepared, changed) == ["a.png", "b.png", "seed1.csv"]
    note_start(run, [], COMMAND, changed)
    note_end(run, [f"{run}/splits/ears/seed1.csv"], {}, changed)
    assert changed_files(run, prepared, changed) == ["a.png", "b.png", "seed1.csv"]
    note_end(run, [f"{run}/ro-crate-metadata.json"], {"tables": None}, changed)
    assert changed_files(run, prepared, changed) == ["a.png", "b.png", "seed1.csv"]
    note_end(run, [f"{run}/ro-crate-metadata.json"], {}, changed)
    assert changed_files(run, prepared, changed) == []
    assert changed_files(run, prepared, {**changed, splits: [["seed1.csv"], ["seed2.csv"]]}) == ["seed2.csv"]
    new = run.with_name("new")
    note_start(new, [], COMMAND, changed)
    assert changed_files(new, prepared, changed) == []


@pytest.mark.parametrize("command", ["tables", "figures"])
def test_of_a_run_without_a_trained_cell_nothing_is_drawn(command, run, monkeypatch, capsys):
    def told():
        assert main([command, "--run", str(run)]) == 1
        return capsys.readouterr().err

    finish_it = "finish it with snakemake --cores all"
    none = "0 of 15 cells are trained"
    assert told() == f"weckd: {run}: no predictions, {none}, the run is interrupted; {finish_it}\n"
    monkeypatch.setattr("weckd.runs.runs_under_way", lambda _: {run.name})
    assert told() == f"weckd: {run}: no predictions yet, {none}; wait for the end of the run\n"
    assert not (run / command).exists()
    write_text(run / "predictions/toy_two/seed1.parquet", "")
    refuse_untrained(run, toy_suite())  # what is missing is named in the tables


def test_a_run_that_is_missing_or_unfinished_is_told_with_what_to_do(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = [*COMMAND, "--configfile", "mine.yaml", "--config", "seeds=[1]"]
    note_start(run, ["seeds=[1]"], command, {})

    def told(folder):
        with pytest.raises(UserError) as refused:
            run_summary(folder)
        return str(refused.value)

    monkeypatch.setattr("weckd.runs.runs_under_way", lambda _: {run.name})
    assert (
        told(run) == f"{run}: no tables/claims.md yet, 0 of 15 cells are trained; wait for the end of the run"
    )
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    finish_it = f"finish it with {shlex.join(command)}"
    assert (
        told(run)
        == f"{run}: no tables/claims.md, 0 of 15 cells are trained, the run is interrupted; {finish_it}"
    )
    note_end(run, [], {"split toy, ears": run / "logs/split.log"}, {})
    assert told(run) == (
        f"{run}: no tables/claims.md, 0 of 15 cells are trained, split toy, ears failed ({run}/logs/split.log); "
        f"{finish_it}"
    )
    (run / ".call.json").unlink()
    assert told(run).endswith("the run is unfinished; finish it with the command that began it")
    assert told(tmp_path / "nowhere") == (
        f"{tmp_path}/nowhere: no run; there are {run} (`weckd runs` tells of each)"
    )
    begin = "no run; begin one with snakemake --cores all --configfile SUITE"
    assert told(tmp_path / "a/b") == f"{tmp_path}/a/b: {begin}"
    write_text(tmp_path / "config/mine.yaml", "suite: mine\n")
    write_text(tmp_path / "config/tables.yaml", "main: {}\n")
    assert told(tmp_path / "a/b") == f"{tmp_path}/a/b: {begin}; suites are config/mine.yaml"
    with pytest.raises(UserError, match="none: no run; begin one with snakemake"):
        run_list(tmp_path / "none")


def test_results_are_shown_where_they_were_asked_for_and_else_what_was_done(run, monkeypatch):
    finish(run)
    text = results_text(run, [f"{run}/splits/ears/seed1.csv"], {"prepare": 2, "split": 1}, COMMAND)
    assert text == (
        f"\nmade         prepare (2 jobs), split (1 job)\nnot made     the tables and report of {run}, for which this "
        "command does not ask; they are by\n             snakemake --cores all"
    )
    nothing = "\nmade         nothing: all that this command asks for is there\nnot made     the tables and report of "
    assert results_text(run, [], {}, COMMAND).startswith(nothing)
    tables = ["tables/claims.md", "tables/main.md"]
    head = f"\nrun toy: 3 data sets, {len(toy_suite().methods)} methods, 5 seeds; plan 0123456789ab\n"
    assert results_text(run, [f"{run}/{table}" for table in tables], {"tables": 1}, COMMAND) == (
        f"{head}made         tables (1 job)\ntables       {run}/tables (.csv .md .tex .json)"
    )
    whole = results_text(run, [f"{run}/report.html"], {}, COMMAND)
    assert whole == run_summary(run)
    assert whole == f"{head}report       {run}/report.html"
    monkeypatch.chdir(run.parent)
    assert (
        run_summary(Path("toy")) == f"{head}report       toy/report.html (tables, figures, audit beside it)"
    )


def test_the_last_lines_name_the_audit_where_it_found_what_a_person_should_look_at(run, monkeypatch):
    finish(run)
    monkeypatch.chdir(run.parent)
    columns = "dataset,conflicts_exact,conflicts_near,pairs_across_patients,suspected_pairs,left_out\n"
    write_text(run / "audit/audit.csv", f"{columns}toy_two,0,0,,,0\n")
    assert "audit        " not in run_summary(Path("toy"))
    write_text(run / "audit/audit.csv", f"{columns}toy_two,1,2,40,,0\ntoy_three,0,1,2,,7\n")
    assert run_summary(Path("toy")).splitlines()[-3:-1] == [
        "audit        toy/audit/audit.md (label conflicts: 4; pairs of copies across",
        "patients: 42; images left out: 7)",
    ]
    write_text(run / "audit/audit.csv", f"{columns}toy_two,x,0,,,0\n")
    with pytest.raises(UserError, match=r"audit\.csv: not a readable finding of the audit \("):
        run_summary(Path("toy"))


def test_the_last_lines_name_the_methods_that_were_imported(run):
    finish(run)
    for name in ("mine", "half-half"):
        write_text(run / f"imported/{name}.parquet", "")
    assert "imported     half-half, mine, in tables, figures and report" in run_summary(run).splitlines()


@pytest.mark.parametrize("name", ["leakage", "readings"])
def test_of_a_study_its_own_table_is_shown(name, run):
    write_text(run / f"tables/{name}.md", "| study |\n")
    text = run_summary(run)
    assert text.startswith(f"\n| study |\n\ntables       {run}/tables ({name}")
    assert text.endswith(f"\nsplits       {run}/splits")
    assert results_text(run, [f"{run}/tables/{name}.md"], {}, COMMAND) == text
