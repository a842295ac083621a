"""What is found changed at a start is kept, removed and said, so that its rule makes it again."""

import os

import pytest
from small_suite import toy_suite

from weckd.changes import forget_changes, kept_changes
from weckd.config import suite_json
from weckd.errors import UserError
from weckd.files import write_sums, write_text
from weckd.run_files import RunFiles


@pytest.fixture
def run(tmp_path):
    """Return the files of a run that is made of a frozen reference."""
    run = RunFiles(tmp_path / "results/toy")
    write_text(run.suite, suite_json(toy_suite()))
    return run


def found(run):
    kept = run.results / ".again.json"
    return forget_changes(kept, {run: toy_suite()}, frozen=True)


@pytest.mark.parametrize("text", ["{", "[]", '{"../a.csv": "00"}', None])
def test_sums_that_do_not_tell_are_removed_and_no_pipe_is_read(text, run):
    sums = run.tables / "sums.json"
    sums.parent.mkdir()
    os.mkfifo(sums) if text is None else sums.write_text(text)
    assert found(run).found == [str(sums)]
    assert not sums.exists()
    assert found(run).found == []


def test_a_folder_in_the_place_of_sums_is_told(run):
    sums = run.tables / "sums.json"
    sums.mkdir(parents=True)
    with pytest.raises(
        UserError, match=rf"^{sums}: cannot be removed \(Is a directory\); remove it by hand$"
    ):
        found(run)


def test_what_changed_is_kept_by_what_told_of_it_each_time_and_only_a_few_files_are_named(run, capsys):
    files = [run.tables / f"{number}.csv" for number in range(7)]
    for _ in range(2):
        for file in files:
            write_text(file, "as it was")
        write_sums(run.tables / "sums.json", files)
        for file in files:
            file.write_text("edited")
        changes = found(run)
        shown = [*map(str, files[:5]), "2 more files"]
        assert changes.found == shown
        told = [f"changed since it was read or made: {name}" for name in shown]
        assert capsys.readouterr().err.splitlines() == told
    run.suite.write_text("{}")
    assert found(run).found == [str(run.suite)]
    assert capsys.readouterr().err == f"{run.suite}: not what the suite files say; made again\n"
    times = {str(run.tables / "sums.json"): [shown, shown], str(run.suite): [[str(run.suite)]]}
    assert kept_changes(run.results / ".again.json").times == times


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}'])
def test_a_file_that_does_not_tell_what_changed_tells_nothing(text, tmp_path):
    kept = tmp_path / ".again.json"
    kept.write_text(text)
    assert kept_changes(kept).times == {}
