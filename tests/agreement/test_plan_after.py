"""A reference under a plan that came after its run: the same predictions, and the plan that was there before."""

import json
import shutil

import pyarrow.parquet as pq
import pytest
from small_suite import with_plan
from test_agreement import LOCK, changed_probability, suite, write_run

from weckd.agreement.agree import agreement_table, compare, summary
from weckd.agreement.freeze import freeze_run, unfreeze
from weckd.agreement.reference import frozen_suite, read_reference
from weckd.analysis.write_tables import write_tables
from weckd.committed import plan_sentence, with_plans
from weckd.config import load_suite, suite_json
from weckd.errors import UserError
from weckd.files import write_text
from weckd.report.page import page
from weckd.run_files import RunFiles
from weckd.runs import run_summary

AFTER = with_plan(suite(plan_hash="feedfeedfeed"), margin_pp=3.0)
SENTENCE = "Plan feedfeedfeed; trained under 0123456789ab, before it was changed."


def told(run, plan=AFTER):
    """Return what is said of the plans that a run was trained under."""
    return plan_sentence(with_plans(plan, RunFiles(run)))


def recorded(run, change):
    """Change what each manifest of a run says of the plans that its cells were trained under."""
    for file in (run / "manifests").glob("*/*.json"):
        content = json.loads(file.read_text())
        for seed, cell in content["seeds"].items():
            cell["plans"] = change(int(seed))
        write_text(file, json.dumps(content))


@pytest.fixture(scope="module")
def lock(tmp_path_factory):
    file = tmp_path_factory.mktemp("lock") / "requirements.lock"
    file.write_text(LOCK)
    return file


@pytest.fixture(scope="module")
def before(tmp_path_factory, lock):
    """Return a finished run, and a reference of it under the plan that was there before."""
    folder = tmp_path_factory.mktemp("before")
    freeze_run(write_run(folder / "run"), folder / "reference", lock)
    return folder


@pytest.fixture(scope="module")
def drawn(before):
    """Return what is laid out and drawn of that reference under another plan."""
    out = before / "drawn"
    unfreeze(before / "reference", out, AFTER)
    write_tables(AFTER, out, out / "tables")
    return out


def test_it_keeps_what_the_run_was_and_the_first_plan_however_often_it_is_frozen(before, drawn, tmp_path):
    old, out = read_reference(before / "reference"), tmp_path / "reference"
    assert old.plan_before is None
    freeze_run(drawn, out, None)  # without a lock: the run's own counts, not the one of today
    new = read_reference(out)
    assert (new.plan_hash, new.plan_before, new.made_with) == ("feedfeedfeed", "0123456789ab", old.made_with)
    kept = [name for name in old.files if name.startswith(("predictions/", "records"))]
    assert {name: new.files[name] for name in kept} == {name: old.files[name] for name in kept}
    assert (out / "tables/answers.csv").read_bytes() == (drawn / "tables/answers.csv").read_bytes()
    assert load_suite(out / "suite.json") == AFTER
    later = with_plan(suite(plan_hash="beefbeefbeef"), margin_pp=4.0)
    for plan, expected in ((later, "0123456789ab"), (suite(), None)):
        again = tmp_path / plan.plan_hash
        unfreeze(out, again, plan)
        write_tables(plan, again, again / "tables")
        freeze_run(again, out, None)
        assert read_reference(out).plan_before == expected
    assert read_reference(out).made_with == old.made_with


def test_the_trained_run_itself_keeps_it_too_where_its_results_were_known(before, lock, tmp_path):
    for plan in (suite(), AFTER):
        write_text(before / "run/suite.json", suite_json(plan))
        freeze_run(before / "run", tmp_path / "reference", lock)
    assert read_reference(tmp_path / "reference").plan_before == "0123456789ab"


def test_a_run_that_was_trained_under_the_plan_of_today_is_compared_by_its_csv_files(
    before, drawn, lock, tmp_path
):
    # Its other tables and its figures do not say that the plan was changed, as those of the reference do.
    freeze_run(drawn, tmp_path / "reference", None)
    run = tmp_path / "run"
    shutil.copytree(before / "run", run)
    write_text(run / "suite.json", suite_json(AFTER))
    recorded(run, lambda _: ["feedfeedfeed"])
    write_tables(AFTER, run, run / "tables")
    found = compare(run, tmp_path / "reference", lock)
    files = [cell.name for cell in found.cells if cell.what in ("table", "figure")]
    assert found.exact
    assert "tables/gains.csv" in files
    assert all(name.endswith(".csv") for name in files)
    assert found.reproduced, [cell for cell in found.cells if not cell.agrees]
    told_of_it = "so tables and figures say other things of their plans: the .csv files alone are compared\n"
    assert told_of_it in summary(found, tmp_path)
    gains = run / "tables/gains.csv"
    gains.write_text(gains.read_text().replace("weckd", "other", 1))
    assert [cell.name for cell in compare(run, tmp_path / "reference", lock).cells if not cell.agrees] == [
        "tables/gains.csv"
    ]


def test_agree_and_the_report_say_which_plan_was_there_before(before, drawn, lock, tmp_path):
    freeze_run(drawn, tmp_path, None)
    write_text(before / "run/suite.json", suite_json(AFTER))
    agreement = compare(before / "run", tmp_path, lock)
    assert agreement.plans == {"the run": SENTENCE, "the reference": SENTENCE}
    assert f"\nthe run: {SENTENCE}\nthe reference: {SENTENCE}\n" in summary(agreement, tmp_path)
    table = agreement_table(AFTER, agreement, read_reference(tmp_path)).tables[0]
    assert SENTENCE in " ".join((table.caption, *table.notes))
    assert told(drawn) == SENTENCE
    text = page(AFTER, drawn)
    assert f'<p class="missing">{SENTENCE}</p>' in text
    assert "Each claim of the paper became a test; here are the answers" in text
    assert "Each claim of the paper became a test that was fixed before the run; here" in page(
        suite(), before / "run"
    )
    (drawn / "drawn-from.json").write_text("{")
    with pytest.raises(UserError, match=r"drawn-from\.json: not the facts of a reference \("):
        page(AFTER, drawn)


def test_every_table_and_both_first_screens_of_a_trained_run_say_under_which_plan_its_cells_were_trained(
    before, tmp_path
):
    run = tmp_path / "run"
    shutil.copytree(before / "run", run)
    write_text(run / "suite.json", suite_json(AFTER))
    write_tables(AFTER, run, run / "tables")
    for file in (run / "tables").glob("*.md"):
        assert SENTENCE in " ".join(file.read_text().split()), file
    assert f'<p class="missing">{SENTENCE}</p>' in page(AFTER, run)
    assert f"plan         {SENTENCE.removeprefix('Plan ')}" in " ".join(run_summary(run).split("\n"))
    write_text(run / "suite.json", suite_json(suite()))
    write_tables(suite(), run, run / "tables")
    assert "trained under" not in "".join(file.read_text() for file in (run / "tables").glob("*.*"))
    assert "trained under" not in page(suite(), run) + run_summary(run)


def test_some_cells_of_another_plan_are_counted_and_what_is_not_recorded_is_said_to_be_so(before, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(before / "run", run)
    recorded(run, lambda seed: ["feedfeedfeed", *(["0123456789ab"] if seed == 1 else [])])
    some = "Plan feedfeedfeed; 2 of 10 cells trained under 0123456789ab, before it was changed."
    assert told(run) == some
    recorded(run, lambda seed: [])  # as an earlier version wrote them
    assert told(run) == "Plan feedfeedfeed; trained under a plan that is not recorded."
    recorded(
        run, lambda seed: [""] if seed == 2 else ["feedfeedfeed"]
    )  # fits of which a record does not tell
    assert told(run) == "Plan feedfeedfeed; 2 of 10 cells trained under a plan that is not recorded."
    shutil.copy(before / "reference/reference.json", run / "drawn-from.json")  # but the reference does
    assert told(run) == some


def test_a_reference_of_a_trained_run_holds_the_plan_that_it_was_trained_under(before, lock, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(before / "run", run)
    write_text(run / "suite.json", suite_json(AFTER))
    freeze_run(run, tmp_path / "reference", lock)
    assert read_reference(tmp_path / "reference").plan_before == "0123456789ab"
    recorded(
        run, lambda seed: ["000000000000"] if seed == 1 else ["0123456789ab"]
    )  # of two, that of most cells
    freeze_run(run, tmp_path / "of two", lock)
    assert read_reference(tmp_path / "of two").plan_before == "0123456789ab"


def test_predictions_that_are_packed_otherwise_are_the_same_and_keep_the_plan_before(before, lock, tmp_path):
    run, out = tmp_path / "run", tmp_path / "reference"
    shutil.copytree(before / "run", run)
    freeze_run(run, out, lock)
    for file in (out / "predictions").glob("*.parquet"):  # as by another version of pyarrow
        pq.write_table(pq.read_table(file), file, compression="gzip", row_group_size=7)
    recorded(run, lambda seed: ["feedfeedfeed"])  # trained again, with those results known
    write_text(run / "suite.json", suite_json(AFTER))
    freeze_run(run, out, lock)
    assert read_reference(out).plan_before == "0123456789ab"
    changed_probability(run)  # other predictions: nothing is known of them
    freeze_run(run, out, lock)
    assert read_reference(out).plan_before is None


@pytest.mark.parametrize(
    ("key", "value"),
    [("datasets", ("toy_two",)), ("seeds", (1, 2)), ("methods", ("weckd",)), ("quick_look", True)],
)
def test_whatever_else_has_changed_is_refused_by_its_name(before, tmp_path, key, value):
    with pytest.raises(UserError, match=f"reference: made with another {key}: "):
        unfreeze(before / "reference", tmp_path / "out", suite(**{key: value}))
    assert not (tmp_path / "out").exists()


def test_an_older_plan_need_not_be_one_that_can_be_read(before, tmp_path):
    folder = before / "reference"
    values = json.loads((folder / "suite.json").read_text())
    values["analysis"]["gone"] = 1
    write_text(tmp_path / "suite.json", json.dumps(values))
    with pytest.raises(UserError, match=r"suite\.json: not a readable suite\.json"):
        load_suite(tmp_path / "suite.json")
    assert frozen_suite(AFTER, (tmp_path,)) == (AFTER, tmp_path)
