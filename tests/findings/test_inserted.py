"""README and pages of docs show what the frozen references hold, and no number of a result is typed by hand."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

from weckd.agreement.reference import read_reference
from weckd.files import file_digest
from weckd.yaml_files import parse_yaml

ROOT = Path(__file__).resolve().parents[2]
TABLES = """### First

Caption.

| data set   | method   | gain             |
|:-----------|:---------|:-----------------|
| ears       | weckd    | **+1.5**, a-*-b  |
| ears       | single   | -0.5* [-1.0, 0.0] |

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
    "docs/methods.md": {"+23 points", "1", "3", "5", "15", "16", "30", "60", "10 %", "90 %", "2601.15657"},
    "docs/running.md": {"48", "16", "64", "224", "95 %", "0.7", "2.8"},
}
# What is no result: code, links, marks, rows of other tables; names of models, claims, processors; dates; steps.
LEFT_OUT = (
    r"(?s:```.*?```)|^    .*$|^\|.*$|`[^`]*`|\]\([^)]*\)|(?s:<!--.*?-->)",
    r"\b(?:M|D|T|C|Python |Q)\d\b|\b[Cc]laims? \d(?:(?:, \d)* and \d)?|AVX-512|EfficientNet-Lite0|\S*/\S*",
    r"\b(?:19|20)\d\d\b|\b\d+(?:,\d{3})+\b",
)


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


def marks(insert, text):
    return insert.BLOCK.findall(text) + insert.NUMBER.findall(text)


def labels(insert, text):
    """Return what a page's list of numbers has typed for its tables."""
    listed = insert.NUMBERS.search(text)
    tables = parse_yaml(listed[1], "").get("tables", {}) if listed else {}
    return [
        words
        for table in tables.values()
        for words in (table["head"], *(table["rows"].values() if isinstance(table["rows"], dict) else ()))
    ]


@pytest.mark.parametrize("name", TYPED)
def test_a_document_shows_what_the_references_hold(insert, name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert name in insert.DOCUMENTS
    assert insert.inserted(text) == text, "run: make readme"
    assert len(marks(insert, text)) >= (1 if name == "docs/running.md" else 3)
    # Such a line would be HTML to Markdown, its code and emphasis included.
    assert not re.findall(r"^\s*<!--\S+-->.*", text, flags=re.MULTILINE)


def test_the_readme_is_read_in_a_minute():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_the_findings_have_two_pages_of_text(insert):
    text = insert.NUMBERS.sub(" ", (ROOT / "docs/findings.md").read_text(encoding="utf-8"))
    text = re.sub(r"<!--.*?-->|^\|.*$|^\[!\[.*$|\]\([^)]*\)", " ", text, flags=re.MULTILINE)
    assert 600 < len(text.split()) <= 1250  # beside tables and figures, in small print


@pytest.mark.parametrize("name", ["config/README.md", "docs/data-sets.md", "docs/results.md"])
def test_a_table_of_keys_is_made_of_their_declaration(insert, name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert name in insert.DOCUMENTS
    assert insert.inserted(text) == text, "run: make readme"
    assert len(marks(insert, text)) == (5 if name == "docs/results.md" else 1)


def test_every_picture_is_the_references_own(insert):
    shown = {
        target
        for name in insert.DOCUMENTS
        for target in re.findall(
            r"\((?:docs/)?(images/[\w-]+\.(?:svg|png))\)", (ROOT / name).read_text(encoding="utf-8")
        )
    }
    assert {f"docs/{target}" for target in shown} == set(insert.FIGURES)
    for target, figure in insert.FIGURES.items():
        suite, _, rest = figure.partition("/")
        reference = read_reference(ROOT / "results/reference" / suite)
        assert file_digest(ROOT / target) == reference.outputs[rest], f"{target}: run make readme"


def typed_numbers(insert, text):
    """Return the numbers of a document that stand in its own words, and in the labels of its tables."""
    text = " ".join([insert.NUMBER.sub(" ", insert.BLOCK.sub(" ", text)), *labels(insert, text)])
    for pattern in LEFT_OUT:
        text = re.sub(pattern, " ", text, flags=re.MULTILINE)
    return RESULT.findall(text)


@pytest.mark.parametrize("name", TYPED)
def test_no_number_of_a_result_is_typed(insert, name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert len(labels(insert, text)) == (17 if name == "docs/findings.md" else 0)
    assert set(typed_numbers(insert, text)) - TYPED[name] == set()


def test_the_search_for_typed_numbers_finds_them(insert):
    assert RESULT.findall("gains +4.1 points, 77 % of it; 3 seeds, -0.5 [-1.0, ±2]") == [
        *("+4.1 points", "77 %", "3", "-0.5", "-1.0", "±2"),
    ]
    page = (
        "see\n\n    snakemake --cores 2\n\n"
        "Claims 1, 2 and 4 of M3, `at 5`, [a](b7), 12,345 steps: <!--a.gain-->+8.9<!----> and +1.2 points.\n"
    )
    assert typed_numbers(insert, page) == ["+1.2 points"]


PAGE = """gain <!--ears.gain-->old<!---->, <!--mine.ears.gain--><!---->, <!--all.accuracy--><!---->,
<!--yours.ears.gain--><!---->

<!-- numbers
run: mine
rows:
  ears: main; ears / single
  yours.ears: not run
  all: mine/main#Second; weckd
columns:
  gain: gain in points
-->
"""


def listing(**changes):
    """Return a document of one number with its list, some of which is changed."""
    numbers = {"run": "mine", "rows": {"ears": "main; ears / single"}, **changes}
    return f"<!--ears.gain--><!---->\n\n<!-- numbers\n{json.dumps(numbers)}\n-->\n"


def test_numbers_are_put_between_their_marks(insert, references):
    (references / "mine/tables/main.md").write_text(TABLES.replace("gain  ", "gain in points"))
    text = insert.inserted(PAGE, references)
    assert text.startswith(
        "gain <!--ears.gain-->-0.5 [-1.0, 0.0]<!---->, <!--mine.ears.gain-->-0.5 [-1.0, 0.0]<!---->, "
        "<!--all.accuracy-->71.0 ± 2.0<!---->,\n<!--yours.ears.gain-->not run<!---->\n"
    )
    assert text.partition("\n\n")[2] == PAGE.partition("\n\n")[2]
    assert insert.inserted(text, references) == text


def test_some_columns_of_a_table_are_put_between_their_marks(insert, references):
    (references / "mine/tables/main.md").write_text(f"{TABLES}| single   | -          |\n")
    text = insert.inserted("<!-- columns mine/main; gain; data set -->old<!-- end -->", references)
    assert text == (
        "<!-- columns mine/main; gain; data set -->\n\n| gain | data set |\n| --- | --- |\n| +1.5, a-*-b | ears |\n"
        "| -0.5 [-1.0, 0.0] | ears |\n\n<!-- end -->"
    )
    assert insert.inserted(text, references) == text
    text = insert.inserted("<!-- columns mine/main; accuracy --><!-- end -->", references)
    assert text.count("|") == 3 * 2  # the row that has none is left out
    with pytest.raises(LookupError, match="mine/main: no table has the columns gain, accuracy"):
        insert.inserted("<!-- columns mine/main; gain; accuracy --><!-- end -->", references)


VERDICTS = """<!-- rows claims -->
old
<!-- end -->

<!-- numbers
run: mine
rows:
  one: claims; 1
  two: claims; 2
tables:
  claims:
    head: claim | question | mine | yours
    line: LINE
    rows: {one: the first, two: the second}
-->
"""


def test_a_table_of_rows_of_several_runs_names_their_plans_where_they_differ(insert, references):
    (references / "yours/tables").mkdir(parents=True)
    verdicts = (
        "### Claims\n\n| claim | asks | verdict | gain |\n|:---|:---|:---|:---|\n"
        "| 1 | how | shown | +1 |\n| 2 | why | not | - |\n"
    )
    for run, facts in (("mine", {"plan_hash": "a1"}), ("yours", {"plan_hash": "b2", "plan_before": "c3"})):
        (references / run / "tables/claims.md").write_text(verdicts)
        (references / run / "reference.json").write_text(json.dumps(facts))
    page = VERDICTS.replace("LINE", "label | *.asks | *.gain, *.verdict | yours.*.gain, yours.*.verdict")
    text = insert.inserted(page, references)
    rows = [
        *("| claim | question | mine | yours |", "| --- | --- | --- | --- |"),
        "| the first | how | +1, shown | +1, shown |",
        "| the second | why | -, not | -, not |",
    ]
    plans = "| plan |  | a1 | b2 (before the run: c3) |"
    assert text.startswith("\n".join(["<!-- rows claims -->", "", *rows, plans, "", "<!-- end -->"]))
    assert insert.inserted(text, references) == text
    without = insert.inserted(page.replace(".verdict", ".asks"), references)
    assert "plan" not in without  # no verdicts
    (references / "yours/reference.json").write_text('{"plan_hash": "a1"}')
    assert "plan" not in insert.inserted(page, references)  # one plan


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (listing(rows={"ears": "main; nose"}), "mine/main: no table has a row 'nose' and a column 'gain'"),
        (listing(rows={"ears": "main#Second; ears"}), "mine/main#Second: no table has a row 'ears'"),
        (
            listing(columns={"gain": "loss"}),
            "mine/main: no table has a row 'ears / single' and a column 'loss'",
        ),
        (
            listing(rows={"ears": "other; ears"}),
            r"mine/tables/other\.md: no such table; freeze the run that has it",
        ),
        (listing(rows={"nose": "main; ears"}), "ears.gain: no such row in the page's list of numbers"),
        (
            listing(rows={"ears": "about 5"}),
            "ears: 'about 5' is no row of a table, and a number that is typed",
        ),
        ("<!-- rows main --><!-- end -->", "rows main: no such table in the page's list of numbers"),
        ("<!--mine.plan--><!---->", "mine/reference.json: no such reference; freeze the run: weckd freeze"),
        (
            "| <!--ears.gain--><!----> |",
            r"\| <!--ears.gain--><!----> \|: in a table, use a block: <!-- rows NAME -->",
        ),
    ],
)
def test_what_is_not_there_is_named(insert, references, document, message):
    with pytest.raises(LookupError, match=message):
        insert.inserted(document, references)


def test_what_is_defined_and_not_used_is_named(insert, references):
    document = listing(
        rows={"ears": "main; ears / single", "mine.nose": "main; ears"},
        columns={"g": "gain"},
        tables={"gains": {"head": "", "line": "", "rows": []}},
    )
    message = "defined and not used: column g, row mine.nose, table gains"
    with pytest.raises(LookupError, match=message):
        insert.inserted(document, references)
    assert "-0.5 [-1.0, 0.0]" in insert.inserted(listing(), references)
