"""The last thing that a run prints: exact text, from tables whose numbers are written here."""

import json
from dataclasses import replace

import pytest
from engine import REPOSITORY
from small_suite import toy_suite

from weckd.committed import Beside, beside_quick_look
from weckd.files import write_text
from weckd.last_screen import TABLES, last_screen

QUESTIONS = ("as worded, if the baseline saw 10 % of the labels", "as worded, if 30 %", "for the chain")
CLAIM = "3: gains over a single backbone"
ENDS = [f"{end} {name}" for name in ("single", "pooled") for end in ("gain", "ci_low", "ci_high")]
MAIN = f"""dataset,single mean,weckd mean,best control mean,{",".join(ENDS)}
toy_three,50.04,61.25,70,11.2,2,20.4,-8.75,-12.04,-0.04
toy_two,,55,60,,,,-5,,
toy_copy,49.96,60,,10,1,19,,,
macro,50,58.1,65,10.6,3,18,-6.9,-9.96,0.04
a new data set,,,,,,,1,2,3
"""


@pytest.fixture
def run(tmp_path):
    """Return the folder of a run with the tables that the screen is made of."""
    rows = [
        f'{CLAIM},"{question}",{verdict},"{effect}",over pooled'
        for question, verdict, effect in zip(
            QUESTIONS,
            ("shown here", "contradicted here", "not shown here"),
            ("+4.9 [+0.7, +9.1]", "-4.9 [-8.2, -1.5]", "-1.0 [-3.0, +1.0]"),
            strict=True,
        )
    ]
    folder = tmp_path / "toy"
    texts = (
        "\n".join(["claim,question,verdict,effect,compared", *rows, ""]),
        MAIN,
        json.dumps([{"warning": ""}]),
    )
    for name, text in zip(TABLES, texts, strict=True):
        write_text(folder / name, text)
    return folder


GAINS = """\
data set (accuracy, %)  single  weckd  gain over pooled [95 %]
toy_three               50.0    61.2   -8.8 [-12.0, +0.0]
toy_two                 -       55.0   -5.0
toy_copy †              50.0    60.0   missing
macro (without †)       50.0    58.1   -6.9 [-10.0, +0.0]"""
VERDICTS = """\
claim                   asked           verdict            gain [95 %]
3: gains over a single  as worded 10 %  shown here         +4.9 [+0.7, +9.1]
backbone                as worded 30 %  contradicted here  -4.9 [-8.2, -1.5]
                        for the chain   not shown here     -1.0 [-3.0, +1.0]
(10 %: as worded, if the baseline saw 10 % of the labels)"""


def test_gains_and_verdicts_are_on_one_screen(run):
    head = "run toy: 3 data sets, 7 methods, 5 seeds; plan 0123456789ab"
    suite = toy_suite()
    assert last_screen(run, suite, None) == f"{head}\n{GAINS}\n\n{VERDICTS}"
    warned = "Phantom images drawn by this suite: says nothing about the paper's data."
    (run / TABLES[2]).write_text(json.dumps([{"warning": warned}, {"warning": "another table's"}]))
    assert last_screen(run, suite, None) == f"{head}\n{warned}\n{GAINS}\n\n{VERDICTS}"
    few = replace(suite, seeds=(1, 2))
    told = "Fewer than 5 seeds: it describes, it tests nothing."
    assert last_screen(run, few, None).split("\n")[2] == told


def test_its_heads_are_of_the_plans_metric_and_level(run):
    suite = toy_suite()
    plan = replace(suite.analysis, alpha=0.01, metrics=("balanced_accuracy", "accuracy"))
    lines = last_screen(run, replace(suite, analysis=plan), None).split("\n")
    assert lines[1] == "data set (balanced accuracy, %)  single  weckd  gain over pooled [99 %]"
    assert lines[7] == "claim                   asked           verdict            gain [99 %]"


def test_a_data_set_that_shares_images_is_marked_as_the_tables_mark_it(run):
    lines = last_screen(run, replace(toy_suite(), undeclared={"toy_two": ("toy_three",)}), None).split("\n")
    assert [line.split("  ")[0] for line in lines[2:6]] == [
        *("toy_three", "toy_two ‡", "toy_copy †", "macro (without † ‡)"),
    ]


def test_of_a_quick_look_the_verdicts_are_those_of_the_committed_reference(run):
    quick = replace(toy_suite(), quick_look=True)
    rows = [
        (CLAIM, question, f"{verdict} here", "+1.0")
        for question, verdict in zip(QUESTIONS, ("shown", "not shown", "contradicted"), strict=True)
    ]
    rows.insert(0, ("1: a claim in more than thirty-four letters", "as worded", "shown here", "+1.0"))
    beside = Beside("Verdicts of another.", ("claim", "question", "verdict", "effect"), tuple(rows))
    lines = last_screen(run, quick, beside).split("\n")
    assert lines[1] == "A quick look: it tests none of the paper's claims."
    assert lines[7:] == [
        "",
        "Verdicts of another.",
        "claim                            as worded             for the chain",
        "1: a claim in more than thirty-  shown here",
        "four letters",
        "3: gains over a single backbone  10 %: shown here      contradicted here",
        "                                 30 %: not shown here",
        "(10 %: as worded, if the baseline saw 10 % of the labels)",
    ]
    none = last_screen(run, quick, Beside("There are none."))
    assert none.endswith("\n\nThere are none.")


def test_that_of_the_default_suite_leaves_four_of_25_lines_for_what_is_told_below_it(run):
    suite = replace(toy_suite(), quick_look=True)
    beside = beside_quick_look(suite, REPOSITORY / "results/reference")
    assert len(beside.rows) == 11
    assert len(last_screen(run, suite, beside).split("\n")) <= 21


def test_no_line_is_wider_than_a_terminal(run):
    long = Beside(
        "word " * 40, ("claim", "question", "verdict", "effect"), ((("long " * 20), "x " * 20, "v", "e"),)
    )
    assert max(map(len, last_screen(run, toy_suite(), long).split("\n"))) <= 80


def test_why_there_are_no_gains_is_said_in_their_place(run):
    (run / TABLES[1]).write_text('data set\n"none of the plan\'s families, so none"\n')
    (run / TABLES[0]).write_text("claim,question,verdict,effect,compared\n")
    assert last_screen(run, toy_suite(), None).split("\n")[1:] == ["none of the plan's families, so none"]


def test_of_a_run_without_a_chain_or_a_control_the_columns_are_those_that_are_there(run):
    (run / TABLES[1]).write_text("dataset,single mean\ntoy_three,50\nmacro,50\n")
    (run / TABLES[0]).write_text("claim,question,verdict,effect,compared\n")
    assert last_screen(run, toy_suite(), None).split("\n")[1:] == [
        "data set (accuracy, %)  single",
        "toy_three               50.0",
        "macro (without †)       50.0",
    ]
