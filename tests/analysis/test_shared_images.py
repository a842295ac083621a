"""What the audit finds of images that data sets share, undeclared, reaches every table, figure and summary."""

import json
from dataclasses import replace

import pandas as pd
import pytest
from small_suite import GOLDEN, toy_suite, write_toy_run

from weckd.analysis.results import load_run
from weckd.analysis.write_tables import write_tables
from weckd.config import suite_json
from weckd.errors import UserError
from weckd.files import write_text
from weckd.places import (
    UNDECLARED,
    independent,
    means,
    overall,
    places_tested,
    undeclared_sentence,
    with_finding,
)
from weckd.runs import run_summary
from weckd.tables.captions import run_note

HEADER = "dataset,other,images,copied,declared,verdict\n"
SENTENCE = (
    "not independent, in no mean: toy_two (shares images with toy_three, undeclared); the larger of two "
    "counts. Say in your catalogue which was made of which, by derived_from."
)


def finding(*pairs, verdict=UNDECLARED, declared=False):
    """Return across.csv of pairs (data set, images, other, images)."""
    rows = [
        f"{key},{other},{images},1,{declared},{verdict}\n"
        for one, n_one, two, n_two in pairs
        for key, other, images in ((one, two, n_one), (two, one, n_two))
    ]
    return HEADER + "".join(rows)


def marked(tmp_path, text, **changes):
    write_text(tmp_path / "across.csv", text)
    return with_finding(toy_suite(**changes), tmp_path / "across.csv").undeclared


@pytest.mark.parametrize(
    ("pairs", "left_out"),
    [
        ([("toy_three", 60, "toy_two", 40)], {"toy_two": ("toy_three",)}),
        ([("toy_three", 40, "toy_two", 60)], {"toy_three": ("toy_two",)}),
        ([("toy_two", 50, "toy_three", 50)], {"toy_two": ("toy_three",)}),  # the suite's order
        ([("toy_copy", 90, "toy_two", 40)], {}),  # a derived set counts in no case
        ([("toy_three", 60, "not_in_this_run", 90)], {}),
    ],
)
def test_the_larger_of_two_data_sets_that_share_images_counts(tmp_path, pairs, left_out):
    assert marked(tmp_path, finding(*pairs)) == left_out


def test_a_set_that_shares_with_one_that_is_left_out_counts(tmp_path):
    facts = {key: replace(fact, derived_from=()) for key, fact in toy_suite().facts.items()}
    pairs = [("toy_three", 90, "toy_two", 60), ("toy_two", 60, "toy_copy", 30)]
    assert marked(tmp_path, finding(*pairs), facts=facts) == {"toy_two": ("toy_three",)}
    pairs.append(("toy_three", 90, "toy_copy", 30))
    assert marked(tmp_path, finding(*pairs), facts=facts) == {
        "toy_two": ("toy_three",),
        "toy_copy": ("toy_three",),
    }


@pytest.mark.parametrize("verdict", ["as declared", "none found", "declared, but not found"])
def test_nothing_else_that_the_audit_says_marks_a_set(tmp_path, verdict):
    assert marked(tmp_path, finding(("toy_three", 60, "toy_two", 40), verdict=verdict)) == {}


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", HEADER + "toy_two,toy_three,many,1,False,x\n"])
def test_a_finding_that_cannot_be_read_is_named(tmp_path, text):
    if not text:
        (tmp_path / "across.csv").mkdir()
        with pytest.raises(
            UserError, match=r"across\.csv: not a readable finding of the audit \(Is a directory"
        ):
            with_finding(toy_suite(), tmp_path / "across.csv")
        return
    with pytest.raises(
        UserError, match=r"across\.csv: not a readable finding of the audit \((Key|Value)Error"
    ):
        marked(tmp_path, text)


def test_a_finding_is_no_setting():
    suite = toy_suite(undeclared={"toy_two": ("toy_three",)})
    assert suite_json(suite) == suite_json(toy_suite())
    assert "undeclared" not in json.loads(suite_json(suite))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared") / "toy"
    write_toy_run(folder)
    write_text(folder / "audit" / "across.csv", finding(("toy_three", 60, "toy_two", 40)))
    write_tables(toy_suite(), folder, folder / "tables")
    return folder


def test_one_list_of_independent_data_sets_is_used_everywhere(run):
    suite = load_run(toy_suite(), run).suite
    assert independent(suite) == ("toy_three",)
    assert (means(suite), overall(suite), places_tested(suite)) == ({}, "toy_three", ("toy_three",))
    rows = pd.read_csv(run / "tables" / "gains.csv").query(
        "method == 'weckd' and reference == 'single' and metric == 'accuracy'"
    )
    rows = rows.set_index("dataset")
    # Both means are told on the one data set that is left: one test, of the family that the plan names first.
    assert rows["family"].to_dict() == {
        "toy_three": "chain over single",
        "toy_two": "single data set",
        "toy_copy": "single data set",
    }
    assert rows.loc["toy_three", "gain"] == 22.5
    for name in ("across", "leave-one-out"):
        assert set(pd.read_csv(run / "tables" / f"{name}.csv")["n_datasets"]) == {1}


def test_every_table_says_which_set_is_left_out_and_what_to_do(run):
    assert undeclared_sentence(load_run(toy_suite(), run).suite) == SENTENCE
    for file in sorted(GOLDEN.glob("*.md")):
        text = (run / "tables" / file.name).read_text(encoding="utf-8")
        assert text.count(f"- ‡ {SENTENCE}\n") == text.count("### "), file.name
    main = (run / "tables" / "main.md").read_text(encoding="utf-8")
    assert "| toy_two ‡ " in main
    assert "macro of" not in main
    assert " toy_three: n = 24 test images in 15 groups; k = 5 seeds." in main


def test_figures_summary_and_terminal_say_so_too(run):
    suite = load_run(toy_suite(), run).suite
    assert run_note(suite).endswith("; ‡ shares images with a larger data set, in no mean")
    assert f" data sets {SENTENCE} report " in " ".join(run_summary(run).split())


def test_without_a_finding_nothing_is_said(toy_folder, tmp_path):
    write_tables(toy_suite(), toy_folder, tmp_path)
    assert "‡" not in "".join(file.read_text(encoding="utf-8") for file in tmp_path.iterdir())
