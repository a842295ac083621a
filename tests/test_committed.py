"""What is told of the committed reference beside a quick look."""

import json
from dataclasses import replace

import pytest
from small_suite import toy_suite

from weckd.committed import FULL, REFERENCES, beside_quick_look
from weckd.config import suite_json
from weckd.files import write_text

QUICK = toy_suite(quick_look=True)
ANSWERS = """claim,question,verdict,effect,compared,margin,chance,why
1: matches,as worded,not shown here,"-1.0 [-3.0, +1.0]",against full,any up to 3,.11,low
1: matches,for the chain,contradicted here,-,over pooled,-,-,low
"""


@pytest.fixture
def references(tmp_path):
    """Return a folder with a reference of the small suite in the place of the full one."""
    folder = tmp_path / FULL
    write_text(folder / "suite.json", suite_json(replace(toy_suite(), name=FULL, run=FULL)))
    write_text(folder / "reference.json", json.dumps({"plan_before": "feedfeedfeed"}))
    write_text(folder / "tables/answers.csv", ANSWERS)
    return tmp_path


def test_the_verdicts_are_those_that_the_reference_stores_named_as_its(references):
    found = beside_quick_look(QUICK, references)
    assert found.header == ("claim", "question", "verdict", "effect", "compared")
    assert found.rows == (
        ("1: matches", "as worded", "not shown here", "-1.0 [-3.0, +1.0]", "against full"),
        ("1: matches", "for the chain", "contradicted here", "-", "over pooled"),
    )
    assert found.says == (
        "Verdicts of the committed reference real (toy_three, toy_two, toy_copy; 32 px, 5 seeds, 24 steps a "
        "model; plan 0123456789ab; trained under feedfeedfeed, before it was changed). Other images and settings than "
        "this run's."
    )
    (references / FULL / "reference.json").write_text("{}")
    assert " 24 steps a model; plan 0123456789ab). Other images " in beside_quick_look(QUICK, references).says


def test_columns_of_other_names_are_left_out_and_words_are_the_files_own(references):
    (references / FULL / "tables/answers.csv").write_text("claim,verdict,new\n1: a,anything,x\n")
    found = beside_quick_look(QUICK, references)
    assert (found.header, found.rows) == (("claim", "verdict"), (("1: a", "anything"),))


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("suite.json", None, "there is no results/reference/real/suite.json"),
        ("tables/answers.csv", None, "there is no results/reference/real/tables/answers.csv"),
        ("tables/answers.csv", "", "results/reference/real cannot be read (IndexError("),
        ("suite.json", "{}", "results/reference/real cannot be read (KeyError("),
        ("reference.json", "{", "results/reference/real cannot be read (JSONDecodeError("),
    ],
)
def test_where_there_are_none_it_is_said_in_one_line(references, file, text, why):
    path = references / FULL / file
    path.unlink() if text is None else path.write_text(text)
    found = beside_quick_look(QUICK, references)
    assert found.says.startswith(
        f"No verdicts of the committed reference real are shown beside this quick look: {why}"
    )
    assert "\n" not in found.says
    assert not found.rows
    assert str(references) not in found.says


def test_only_a_quick_look_has_them():
    assert beside_quick_look(toy_suite()) is None
    assert REFERENCES.is_dir()
