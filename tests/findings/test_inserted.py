"""README and docs/findings.md show what the frozen references hold, and no number of a result is typed by hand."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from weckd.agreement.reference import read_reference
from weckd.files import file_digest

ROOT = Path(__file__).resolve().parents[2]
TABLES = """### First

Caption.

| data set   | method   | gain             |
|:-----------|:---------|:-----------------|
| ears       | weckd    | **+1.5**         |
| ears       | single   | -0.5 [-1.0, 0.0] |

### Second

| method   | accuracy   |
|:---------|:-----------|
| weckd    | 71.0 ± 2.0 |
"""
RESULT = re.compile(r"(?<![\w.])[+±-]?\d+(?:\.\d+)*(?: ?(?:%|points?))?")
# What may be typed: no results, but the paper's words, names, versions and settings of the statistics.
TYPED = {
    "README.md": {"+23 points", "10 %", "3.11", "13", "580", "2510.14668", "95 %"},
    "docs/findings.md": {"10 %", "30 %", "95 %"},
    "docs/running.md": {"48", "16"},
}


@pytest.fixture(scope="module")
def insert():
    specification = importlib.util.spec_from_file_location("insert", ROOT / "docs" / "insert.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def references(tmp_path):
    (tmp_path / "mine/tables").mkdir(parents=True)
    (tmp_path / "mine/tables/main.md").write_text(TABLES)
    return tmp_path


@pytest.mark.parametrize("name", TYPED)
def test_a_document_shows_what_the_references_hold(insert, name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert name in insert.DOCUMENTS
    assert insert.inserted(text) == text, "run: make readme"
    assert len(insert.MARK.findall(text)) >= (1 if name == "docs/running.md" else 3)


def test_the_readme_is_read_in_a_minute():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("name", ["config/README.md", "docs/data-sets.md", "docs/results.md"])
def test_a_table_of_keys_is_made_of_their_declaration(insert, name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert name in insert.DOCUMENTS
    assert insert.inserted(text) == text, "run: make readme"
    assert len(insert.MARK.findall(text)) == (5 if name == "docs/results.md" else 1)


def test_every_picture_is_the_references_own(insert):
    shown = {
        target
        for name in insert.DOCUMENTS
        for target in re.findall(
            r"\((?:docs/)?(images/[\w-]+\.svg)\)", (ROOT / name).read_text(encoding="utf-8")
        )
    }
    assert {f"docs/{target}" for target in shown} == set(insert.FIGURES)
    for target, figure in insert.FIGURES.items():
        suite, _, rest = figure.partition("/")
        reference = read_reference(ROOT / "results/reference" / suite)
        assert file_digest(ROOT / target) == reference.outputs[rest], f"{target}: run make readme"


@pytest.mark.parametrize("name", TYPED)
def test_no_number_of_a_result_is_typed(insert, name):
    text = insert.MARK.sub(" ", (ROOT / name).read_text(encoding="utf-8"))
    text = re.sub(
        r"```.*?```|^    .*$|`[^`]*`|\]\([^)]*\)|<!--.*?-->", " ", text, flags=re.DOTALL | re.MULTILINE
    )
    text = re.sub(r"\b(?:M|D|T|C|Python |Q)\d\b|\b(?:19|20)\d\d\b|EfficientNet-Lite0|\S*/\S*", " ", text)
    assert set(RESULT.findall(text)) - TYPED[name] == set()


def test_the_search_for_typed_numbers_finds_them():
    assert RESULT.findall("gains +4.1 points, 77 % of it; 3 seeds, -0.5 [-1.0, ±2]") == [
        *("+4.1 points", "77 %", "3", "-0.5", "-1.0", "±2"),
    ]


def test_cells_and_tables_are_put_between_their_marks(insert, references):
    document = (
        "gain <!-- cell mine/main; ears / single; gain -->old<!-- end --> and "
        "<!-- cell mine/main; weckd; accuracy --><!-- end -->, "
        "<!-- cell mine/main#Second; weckd; accuracy --><!-- end -->, "
        "<!-- cell mine/main; ears; gain --><!-- end -->\n"
        "<!-- table mine/main -->\nold\n<!-- end -->\n"
    )
    text = insert.inserted(document, references)
    assert text.startswith(
        "gain <!-- cell mine/main; ears / single; gain -->-0.5 [-1.0, 0.0]<!-- end --> and "
        "<!-- cell mine/main; weckd; accuracy -->71.0 ± 2.0<!-- end -->, "
        "<!-- cell mine/main#Second; weckd; accuracy -->71.0 ± 2.0<!-- end -->, "
        "<!-- cell mine/main; ears; gain -->+1.5<!-- end -->\n<!-- table mine/main -->\n\n#### First\n\nCaption."
    )
    assert text.endswith("| weckd    | 71.0 ± 2.0 |\n\n<!-- end -->\n")
    assert insert.inserted(text, references) == text


def test_some_columns_of_a_table_are_put_between_their_marks(insert, references):
    (references / "mine/tables/main.md").write_text(f"{TABLES}| single   | -          |\n")
    text = insert.inserted("<!-- columns mine/main; gain; data set -->old<!-- end -->", references)
    assert text == (
        "<!-- columns mine/main; gain; data set -->\n\n| gain | data set |\n| --- | --- |\n| +1.5 | ears |\n"
        "| -0.5 [-1.0, 0.0] | ears |\n\n<!-- end -->"
    )
    assert insert.inserted(text, references) == text
    text = insert.inserted("<!-- columns mine/main; accuracy --><!-- end -->", references)
    assert text.count("|") == 3 * 2  # the row that has none is left out
    with pytest.raises(LookupError, match="mine/main: no table has the columns gain, accuracy"):
        insert.inserted("<!-- columns mine/main; gain; accuracy --><!-- end -->", references)


def test_verdicts_of_runs_with_different_plans_stand_beside_the_plan_of_each(insert, references):
    (references / "yours/tables").mkdir(parents=True)
    verdicts = "### Claims\n\n| claim | verdict here |\n|:------|:-------------|\n| 1     | shown        |\n"
    cells = []
    for run, facts in (("mine", {"plan_hash": "a1"}), ("yours", {"plan_hash": "b2", "plan_before": "c3"})):
        (references / run / "tables/claims.md").write_text(verdicts)
        (references / run / "reference.json").write_text(json.dumps(facts))
        cells.append(f"<!-- cell {run}/claims; 1; verdict here --><!-- end -->")
    row = f"| {cells[0]} | {cells[1]} |\n"
    with pytest.raises(LookupError, match="different plans side by side; name those of mine, yours"):
        insert.inserted(row, references)
    plans = "| <!-- plan mine --><!-- end --> | <!-- plan yours --><!-- end --> |\n"
    text = re.sub("<!--.*?-->", "", insert.inserted(plans + row, references))
    assert text == "| a1 | b2 (before the run: c3) |\n| shown | shown |\n"
    (references / "yours/reference.json").write_text('{"plan_hash": "a1"}')
    assert insert.inserted(row, references).count("shown") == 2  # one plan
    assert insert.inserted(f"{cells[0]}\n\n{cells[1]}\n", references).count("shown") == 2  # in no table


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("cell mine/main; nose; gain", "mine/main: no table has a row 'nose' and a column 'gain'"),
        ("cell mine/main#Second; ears; gain", "mine/main#Second: no table has a row 'ears'"),
        ("cell mine/main; ears; loss", "mine/main: no table has a row 'ears' and a column 'loss'"),
        ("table mine/other", r"mine/tables/other\.md: no such table; freeze the run that has it"),
    ],
)
def test_what_is_not_there_is_named(insert, references, mark, message):
    with pytest.raises(LookupError, match=message):
        insert.inserted(f"<!-- {mark} --><!-- end -->", references)
