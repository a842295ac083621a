from dataclasses import replace

import pytest
from small_suite import toy_suite, write_toy_run

from weckd.analysis.write_tables import write_tables
from weckd.errors import UserError
from weckd.report.page import Answer, Banner, Verdict, answers, banner
from weckd.tables.cells import Wording
from weckd.tables.layout import AS_IT_IS, Layout, Selection

PHANTOM = "Phantom images drawn by this suite: says nothing about the paper's data."


def suite_of(*phantoms):
    """Return the toy suite with these data sets alone as phantoms."""
    suite = toy_suite()
    return replace(
        suite, facts={key: replace(suite.facts[key], phantom=key in phantoms) for key in suite.facts}
    )


@pytest.mark.parametrize(
    ("phantoms", "expected"),
    [
        ((), Banner(False, "Real images", "All 3 data sets hold real medical images.")),
        (
            ("toy_three", "toy_copy"),
            Banner(True, PHANTOM, "2 of 3 data sets are such stand-ins: toy_three, toy_copy."),
        ),
        (
            ("toy_three", "toy_two", "toy_copy"),
            Banner(
                True,
                PHANTOM,
                "All 3 data sets are synthetic stand-ins: the numbers show that the suite works, and no more.",
            ),
        ),
    ],
)
def test_the_banner_tells_phantoms_from_real_images(phantoms, expected):
    assert banner(suite_of(*phantoms)) == expected


def test_one_data_set_is_no_plural():
    suite = toy_suite(datasets=("toy_two",))
    assert banner(suite).text == "The data set holds real medical images."
    suite = toy_suite(datasets=("toy_three",))
    assert banner(suite).text == (
        "The data set is a synthetic stand-in: the numbers show that the suite works, and no more."
    )
    assert banner(suite_of("toy_three")).text == "1 of 3 data sets is such a stand-in: toy_three."


def test_answers_are_those_of_the_claims_as_worded_and_for_the_chain(run):
    first, fourth = answers(toy_suite(), run / "tables" / "answers.csv")  # of the fifth nothing is compared
    assert first == Answer(
        "1: matches supervised methods",
        "on the otoscopic data sets the chain matches existing supervised methods",
        (
            Verdict(
                *("as worded", "contradicted here", "-14.6 [-18.3, -10.9]", "against full-converged"),
                *("1 of 2", "-", ".12", "low"),
            ),
            Verdict("for the chain", "not tested", "-", "-", "0 of 1", "-", "-", "nothing"),
        ),
    )
    assert fourth.claim == "4: each link refines"
    assert [(one.question, one.verdict, one.effect) for one in fourth.verdicts] == [
        ("as worded", "not shown here", "+0.4 [-2.4, +3.2]"),
        ("for the chain", "shown here", "+5.0 [+1.4, +8.6]"),
    ]


def test_claims_that_the_plan_does_not_hold_or_of_which_nothing_is_compared(tmp_path):
    file = tmp_path / "answers.csv"
    rows = [
        "claim,question,verdict,effect,compared,comparisons,margin,chance,why",
        "not in the plan,as worded,contradicted here,-1.0,-,1,-,-,low",
        "no verdict,as worded,not tested,-,-,0 of 1,-,-,x",
    ]
    file.write_text("\n".join(rows))
    verdict = Verdict("as worded", "contradicted here", "-1.0", "-", "1", "-", "-", "low")
    assert answers(toy_suite(), file) == (Answer("not in the plan", "", (verdict,)),)
    assert answers(toy_suite(), tmp_path / "none.csv") == ()


@pytest.mark.parametrize("text", ["outcome,claim\n1,2\n", "claim,verdict\n1,shown here\n"])
def test_answers_that_cannot_be_read_are_named(tmp_path, text):
    (tmp_path / "answers.csv").write_text(text)
    with pytest.raises(
        UserError, match=r"answers\.csv: not the answers of a run \(.*; make the run's tables again"
    ):
        answers(toy_suite(), tmp_path / "answers.csv")


def test_whatever_the_printed_tables_are_relabelled_to_the_page_has_its_answers(tmp_path):
    write_toy_run(tmp_path / "run")
    labels = {"claim": "Behauptung", "verdict": "Outcome", "why": "Warum", "compared": "gegen"}
    selected = {"claims-why": Selection(columns=("why", "claim"), rows=("4: each link refines",))}
    found = []
    for layout in (AS_IT_IS, Layout(Wording(labels=labels), selected)):
        folder = tmp_path / str(len(found))
        write_tables(toy_suite(), tmp_path / "run", folder / "tables", layout)
        found.append(answers(toy_suite(), folder / "tables" / "answers.csv"))
    assert "| Warum " in (folder / "tables" / "claims.md").read_text(encoding="utf-8")
    assert found[0] == found[1]
    assert [(a.claim[0], [one.verdict for one in a.verdicts]) for a in found[0]] == [
        ("1", ["not shown here", "not shown here"]),
        ("2", ["not shown here", "not shown here"]),
        ("3", ["shown here", "not shown here", "not shown here"]),
        ("4", ["shown here", "not shown here"]),
        ("5", ["contradicted here", "not shown here"]),
    ]
    assert found[0][4].says == "effective learning with a fraction of the labels"
