from dataclasses import replace

import pytest
from small_suite import toy_suite

from weckd.report.blocks import read_blocks, text_block
from weckd.report.first_screen import Banner, answers, banner

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


def test_answers_are_the_rows_of_the_claims(run):
    found = answers(toy_suite(), read_blocks(run / "tables" / "claims.md"))
    assert [a.why.text for a in found] == ["low", "the interval holds 0", "above the margin"]
    assert [a.compared.text for a in found] == ["against full-converged", "over one-step", "against full"]
    assert [(a.claim.text, a.says, a.verdict.text, a.effect.text) for a in found] == [
        (
            "1: matches supervised methods",
            "on the otoscopic data sets the chain matches existing supervised methods",
            "refuted",
            "-14.6 [-18.3, -10.9]",
        ),
        (
            "4: each link refines",
            "the chain mitigates the degradation of one-step distillation, and each link refines",
            "undecided",
            "+0.4 [-2.4, +3.2]",
        ),
        ("5: few labels are enough", toy_suite().analysis.claims[4].says, "supported", "+1.0 [+0.2, +1.8]"),
    ]


def test_answers_do_without_words_effect_or_verdict():
    block = text_block(
        "Claims", "", ("claim", "verdict"), [("not in the plan", "refuted"), ("no verdict", "missing")]
    )
    (answer,) = answers(toy_suite(), [block])
    assert (answer.claim.text, answer.says, answer.verdict.text) == ("not in the plan", "", "refuted")
    assert (answer.effect.text, answer.compared.text, answer.why.text) == ("", "", "")
