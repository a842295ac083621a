"""A reference under a plan that came after its run: the same predictions, and the plan that was there before."""

import json

import pytest
from small_suite import with_plan
from test_agreement import LOCK, suite, write_run

from weckd.agreement.agree import compare, summary
from weckd.agreement.freeze import freeze_run, unfreeze
from weckd.agreement.reference import frozen_suite, read_reference
from weckd.analysis.write_tables import write_tables
from weckd.committed import plan_of
from weckd.config import load_suite, suite_json
from weckd.errors import UserError
from weckd.files import write_text
from weckd.report.page import page
from weckd.run_files import RunFiles

AFTER = with_plan(suite(plan_hash="feedfeedfeed"), margin_pp=3.0)
SENTENCE = (
    "Plan feedfeedfeed came after the run, with its results known; before the run the plan was 0123456789ab."
)


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
    freeze_run(before / "run", tmp_path / "new", lock)  # of which no plan is known from before
    assert read_reference(tmp_path / "new").plan_before is None


def test_agree_and_the_report_say_which_plan_was_there_before(before, drawn, lock, tmp_path):
    freeze_run(drawn, tmp_path, None)
    write_text(before / "run/suite.json", suite_json(AFTER))
    agreement = compare(before / "run", tmp_path, lock)
    assert agreement.plan == SENTENCE
    assert f"\nthe reference: {SENTENCE}\n" in summary(agreement, tmp_path)
    assert plan_of(RunFiles(drawn), AFTER.plan_hash) == SENTENCE
    text = page(AFTER, drawn)
    assert f'<p class="missing">{SENTENCE}</p>' in text
    assert "Each claim of the paper became a test; here are the answers" in text
    (drawn / "drawn-from.json").rename(tmp_path / "gone.json")
    assert plan_of(RunFiles(drawn), AFTER.plan_hash) == ""
    assert "Each claim of the paper became a test that was fixed before the run; here" in page(AFTER, drawn)
    (drawn / "drawn-from.json").write_text("{")
    with pytest.raises(UserError, match=r"drawn-from\.json: not the facts of a reference \("):
        page(AFTER, drawn)


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
