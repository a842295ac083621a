"""The ledger of claims: verdicts, sentences and what stands beside them."""

import numpy as np
import pytest
from small_suite import CLAIMS, FAMILIES, toy_suite, with_plan, write_scores, write_text

from weckd.analysis.claims import evaluate_claims, sentence
from weckd.analysis.results import load_run
from weckd.analysis.sheets.claims import claims_table
from weckd.analysis_plan import Claim, Evidence
from weckd.config import suite_json

N = 400


def evaluated(tmp_path, methods, datasets=("toy_two",), **changes):
    """Evaluate methods that have so many of 400 images right, the same for all seeds: t tests over images."""
    suite = toy_suite(datasets=datasets, methods=tuple(methods), **changes)
    write_text(tmp_path / "suite.json", suite_json(suite))
    scores = {}
    for name, right in methods.items():
        stages = right if isinstance(right, tuple) else (right,)
        for stage, count in enumerate(stages, start=1):
            scores[(name, stage)] = np.tile(np.arange(N) < count, (5, 1))
    for dataset in datasets:
        n_classes = len(suite.facts[dataset].classes)
        y = np.arange(N) % n_classes
        write_scores(tmp_path / "predictions", dataset, scores, y, np.arange(N), n_classes)
    return load_run(suite, tmp_path)


def claim(evaluation, number):
    return next(item for item in evaluate_claims(evaluation) if item.claim.name.startswith(f"{number}:"))


CONTROLS = {"pooled": 350, "sequential": 340, "one-step": 345}


@pytest.mark.parametrize(
    ("controls", "verdict", "deciding", "why"),
    [
        (
            CONTROLS,
            "supported",
            "pooled",
            "All 3 comparisons agree, this one by the least: The chain is 2.5 points better than one model on the same "
            "labels and as many steps (between 1.0 and 4.0).",
        ),
        (
            CONTROLS | {"pooled": 370},
            "refuted",
            "pooled",
            "The comparison that refutes it of 3: The chain is 2.5 points worse than one model on the same labels and "
            "as many steps (between 1.0 and 4.0).",
        ),
        (
            CONTROLS | {"pooled": 362},
            "undecided",
            "pooled",
            "The least favourable comparison of 3: The chain and one model on the same labels and as many steps cannot "
            "be told apart: the difference lies between -1.2 and +0.2 points. A difference below 1.0 points would "
            "often be missed with these seeds and images.",
        ),
        (
            {"pooled": 364, "sequential": 358, "one-step": 364},
            "undecided",
            "pooled",
            "The least favourable comparison of 3: The chain is 1.0 points worse than one model on the same labels and "
            "as many steps (between 0.0 and 2.0), which among several comparisons may still be chance (p .136 after "
            "Holm over 3).",
        ),
    ],
)
def test_the_chains_gain_is_decided_against_its_controls(tmp_path, controls, verdict, deciding, why):
    evaluation = evaluated(tmp_path, {"weckd": (300, 330, 360), "single": 300, **controls})
    found = claim(evaluation, 3)
    assert found.decided.verdict == verdict
    assert found.decided.deciding.comparison.reference == deciding
    assert sentence(evaluation, found.decided) == why
    assert found.beside.verdict == "supported"  # over single: what the paper compares


def test_what_is_missing_leaves_a_claim_open_but_does_not_save_it(tmp_path):
    found = claim(evaluated(tmp_path, {"weckd": 360, "single": 300, "pooled": 350}), 3)
    assert (found.decided.verdict, found.decided.reason) == (
        "undecided",
        "over sequential: not run; over one-step: not run",
    )
    found = claim(evaluated(tmp_path, {"weckd": 360, "single": 300, "pooled": 370}), 3)
    assert (found.decided.verdict, found.decided.reason) == ("refuted", "")


def test_claims_of_other_data_sets_and_methods_are_not_tested(tmp_path):
    evaluation = evaluated(tmp_path, {"weckd": 360, "single": 300, "pooled": 350})
    one, two, five = (claim(evaluation, number) for number in (1, 2, 5))
    assert (one.decided.verdict, one.decided.reason) == (
        "not tested",
        "chain against supervised: not in this run",
    )
    assert sentence(evaluation, one.decided) == "No verdict: chain against supervised: not in this run."
    assert (two.decided.verdict, two.decided.reason) == ("undecided", "MRI: no data set")
    assert five.decided.verdict == "not tested"


def test_a_quick_look_decides_nothing_and_prints_gains_with_intervals(tmp_path):
    methods = {"weckd": (300, 330, 360), "single": 300, "pooled": 370, "sequential": 340}
    evaluation = evaluated(tmp_path, methods, quick_look=True)
    found = claim(evaluation, 3)  # refuted, were it a test
    assert found.decided.verdict == found.beside.verdict == "not tested (quick look)"
    shown = claims_table(evaluation).tables[0]
    row = next(row for row in shown.cells.itertuples(index=False) if row[0].startswith("3:"))
    assert row[1] == "not tested (quick look)"
    assert row[3] == "over pooled"
    assert row[4] == (
        "A quick look decides nothing: over pooled: -2.5 [-4.0, -1.0]; over sequential: +5.0 [+2.9, +7.1]; over "
        "one-step: not run."
    )
    assert row[5] == "not tested (quick look): over single: +15.0 [+11.5, +18.5]"
    assert "alpha = 0.05. A quick look, no test of the paper's claims." in shown.caption


@pytest.mark.parametrize(
    ("bar", "verdict", "why"),
    [
        (
            360,
            "undecided",
            "No verdict: identical.",
        ),
        (
            361,
            "supported",
            "The chain is at most 2 points worse than a model trained to the end on all labels: the difference lies "
            "between -0.7 and +0.2 points.",
        ),
        (
            366,
            "undecided",
            "The chain may or may not be within 2 points of a model trained to the end on all labels: the difference "
            "lies between -2.7 and -0.3 points. A difference below 1.7 points would often be missed with these seeds "
            "and images.",
        ),
        (
            390,
            "refuted",
            "The chain is 7.5 points worse than a model trained to the end on all labels (between 4.9 and 10.1), more "
            "than the margin of 2.",
        ),
    ],
)
def test_few_labels_are_decided_at_the_margin(tmp_path, bar, verdict, why):
    evaluation = evaluated(tmp_path, {"weckd": 360, "single": 300, "full-converged": bar})
    found = claim(evaluation, 5)
    assert (found.decided.verdict, sentence(evaluation, found.decided)) == (verdict, why)


def test_modalities_and_the_panel_by_its_pattern(tmp_path):
    panel = {"panel-resnet50-30": 350, "panel-resnet50-100": 390}
    evaluation = evaluated(
        tmp_path, {"weckd": 360, "single": 300, "full-converged": 361, **panel}, ("toy_three", "toy_two")
    )
    found = claim(evaluation, 1)
    assert [row.comparison.reference for row in found.decided.rows] == [
        "full-converged",
        "panel-resnet50-100",
    ]
    assert sentence(evaluation, found.decided) == (
        "The comparison that refutes it of 2: The chain is 7.5 points worse than resnet50 on 100 % of the labels on "
        "the data sets of otoscopy (between 4.9 and 10.1), more than the margin of 2."
    )
    assert [row.dataset for row in found.beside.rows] == ["macro otoscopy"]


def test_links_say_which_model_is_better(tmp_path):
    evaluation = evaluated(tmp_path, {"weckd": (300, 330, 332), "single": 300})
    found = claim(evaluation, 4)
    assert found.decided.verdict == "not tested"  # one-step was not run
    assert (found.beside.verdict, sentence(evaluation, found.beside)) == (
        "undecided",
        "The least favourable comparison of 2: Model 3 of the chain and model 2 cannot be told apart: the difference "
        "lies between -0.2 and +1.2 points. A difference below 1.0 points would often be missed with these seeds and "
        "images.",
    )


def test_few_seeds_give_no_verdict(tmp_path):
    found = claim(evaluated(tmp_path, {"weckd": 360, "single": 300, "full-converged": 390}, seeds=(1, 2)), 5)
    assert (found.decided.verdict, found.decided.reason) == ("undecided", "descriptive only (k < 5)")


def test_a_plan_without_claims_says_so(tmp_path):
    suite = with_plan(toy_suite(), claims=())
    text = claims_table(load_run(suite, tmp_path)).tables[0].cells.to_numpy().tolist()
    assert text == [["the plan of this run holds no claim; see claims in config/analysis.yaml"]]


def test_the_frame_has_every_comparison_of_every_claim(toy_folder):
    frame = claims_table(load_run(toy_suite(), toy_folder)).frame
    pairs = list(zip(frame["claim"].str[0], frame["role"], frame["reference"].fillna("none"), strict=True))
    assert pairs == [
        ("1", "decides", "full-converged"),
        ("1", "beside", "single"),
        ("2", "decides", "pooled"),
        ("2", "beside", "single"),
        ("3", "decides", "pooled"),
        ("3", "decides", "one-step"),
        ("3", "beside", "single"),
        ("4", "decides", "one-step"),
        ("4", "beside", "own stage 1"),
        ("4", "beside", "own stage 2"),
        ("5", "decides", "full-converged"),
        ("5", "beside", "single"),
    ]
    assert set(frame["plan_hash"]) == {"0123456789ab"}


def test_a_family_that_is_named_twice_counts_once(tmp_path):
    twice = Claim(
        "6: twice", "the same", "nowhere", CLAIMS[0].as_worded, (Evidence("chain over single"),) * 2
    )
    suite = with_plan(toy_suite(datasets=("toy_two",), methods=("weckd", "single")), claims=(twice,))
    evaluated(tmp_path, {"weckd": 360, "single": 300})
    (found,) = evaluate_claims(load_run(suite, tmp_path))
    assert len(found.decided.rows) == 1
    assert FAMILIES[0].name == "chain over single"
