"""The paper's claims: both verdicts, why, at which margins they hold, and the chance that they were shown."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from small_suite import CLAIMS, FAMILIES, toy_suite, with_plan, write_scores, write_text

from weckd.analysis.claims import evaluate_claims, firmness, largest_gain, lies, sentences, verdict_text
from weckd.analysis.registry import VERDICTS
from weckd.analysis.results import load_run, read_published
from weckd.analysis.sheets.claims import claims_table
from weckd.analysis.sheets.gains import gains_frame
from weckd.analysis_plan import Amendment, Claim, Evidence
from weckd.config import suite_json
from weckd.suite_file import resolve_suite
from weckd.tables.cells import Wording, cell_text

N = 400
CONFIG = Path(__file__).resolve().parents[2] / "config"


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


def said(evaluation, number, question="as worded", place=0):
    """Return a judgement with the sentences that tell why."""
    found = claim(evaluation, number)
    judgement = dict(found.sides)[question][place]
    return judgement, sentences(evaluation, found.claim, judgement)


@pytest.mark.parametrize(
    ("controls", "verdict", "deciding", "why"),
    [
        (
            CONTROLS,
            "shown here",
            "pooled",
            "Shown by all three comparisons. In the least favourable one, the chain is 2.5 points better (between 1.0 "
            "and 4.0) than one model trained on the same labels for as many steps.",
        ),
        (
            CONTROLS | {"pooled": 370},
            "contradicted here",
            "pooled",
            "Contradicted by one of three comparisons: the chain is 2.5 points worse (between 1.0 and 4.0) than one "
            "model trained on the same labels for as many steps.",
        ),
        (
            CONTROLS | {"pooled": 362},
            "not shown here",
            "pooled",
            "Shown by two of three comparisons. In the least favourable one, the chain and one model trained on the "
            "same labels for as many steps cannot be told apart: the difference lies between -1.2 and +0.2 points. A "
            "difference below 1.0 points would often be missed with these seeds and images.",
        ),
        (
            {"pooled": 364, "sequential": 358, "one-step": 363},
            "not shown here",
            "pooled",
            "Shown by none of three comparisons. In the least favourable one, the chain is 1.0 points worse (between "
            "0.0 and 2.0) than one model trained on the same labels for as many steps, which among several comparisons "
            "may still be chance (p .136 after Holm over 3).",
        ),
    ],
)
def test_whether_it_is_the_chain_is_asked_of_its_controls(tmp_path, controls, verdict, deciding, why):
    evaluation = evaluated(tmp_path, {"weckd": (300, 330, 360), "single": 300, **controls})
    judgement, text = said(evaluation, 3, "for the chain")
    assert (judgement.verdict, judgement.deciding.comparison.reference, text) == (verdict, deciding, why)


def test_words_that_leave_the_baseline_open_have_a_verdict_for_each_reading(tmp_path):
    evaluation = evaluated(tmp_path, {"weckd": (300, 330, 360), "single": 300, **CONTROLS, "pooled": 370})
    found = claim(evaluation, 3)
    assert verdict_text(found.as_worded) == "if 10 %: shown here; if 30 %: contradicted here"
    assert verdict_text(found.for_the_chain) == "contradicted here"
    assert said(evaluation, 3)[1] == (
        "The chain is 15.0 points better (between 11.5 and 18.5) than one model on the first part of the labels. The "
        "largest gain of a data set is +15.0 [+11.5, +18.5] (toy_two, chosen on these test images); +23 is outside our "
        "interval, above."
    )
    row = claims_table(evaluation).tables[0].cells.iloc[2]
    assert cell_text(row["as worded [95 % CI]"], Wording()) == (
        "if 10 %: +15.0 [+11.5, +18.5] over single; if 30 %: -2.5 [-4.0, -1.0] over pooled"
    )


def test_up_to_is_compared_with_the_largest_gain_of_a_data_set_and_not_with_the_mean(toy_folder):
    evaluation = load_run(toy_suite(), toy_folder)
    gains = {
        gain.dataset: gain for gain in evaluation.planned if gain.comparison.family == "chain over single"
    }
    assert largest_gain(evaluation, "weckd", "single", "accuracy").dataset == max(
        ("toy_three", "toy_two"), key=lambda key: gains[key].estimate.value
    )
    real = gains["toy_two"]
    low, high = real.estimate.low, real.estimate.high
    assert [lies(evaluation.suite, number, real) for number in (low - 0.1, low, high, high + 0.1)] == [
        "outside our interval, below",
        "inside our interval",
        "inside our interval",
        "outside our interval, above",
    ]
    assert lies(evaluation.suite, 23, gains["toy_three"]) == "not comparable: phantom images"


def test_what_was_not_run_keeps_a_claim_from_being_shown_but_does_not_save_it(tmp_path):
    evaluation = evaluated(tmp_path, {"weckd": 360, "single": 300, "pooled": 350})
    judgement, text = said(evaluation, 3, "for the chain")
    absent = "over sequential: not run; over one-step: not run"
    assert (judgement.verdict, judgement.reason) == ("not shown here", absent)
    assert text == (
        f"Could not be shown, as not everything is in this run ({absent}). The chain is 2.5 points better (between 1.0 "
        "and 4.0) than one model trained on the same labels for as many steps. The largest gain of a data set is +2.5 "
        "[+1.0, +4.0] (toy_two, chosen on these test images); +23 is outside our interval, above."
    )
    judgement, text = said(
        evaluated(tmp_path, {"weckd": 360, "single": 300, "pooled": 370}), 3, "for the chain"
    )
    assert (judgement.verdict, judgement.reason) == ("contradicted here", "")
    assert f" as many steps. Not everything is in this run ({absent})." in text


def test_claims_of_other_data_sets_and_methods_are_not_tested(tmp_path):
    evaluation = evaluated(tmp_path, {"weckd": 360, "single": 300, "pooled": 350})
    judgement, text = said(evaluation, 1)
    assert (judgement.verdict, judgement.reason) == (
        "not tested",
        "chain against supervised: not in this run",
    )
    assert text == "Nothing to test (chain against supervised: not in this run)."
    judgement, _ = said(evaluation, 2)
    assert (judgement.verdict, judgement.reason) == ("not shown here", "MRI: no data set")
    assert said(evaluation, 5)[0].verdict == "not tested"
    judgement, _ = said(evaluation, 4, "for the chain")  # of the family one control was run, but not this
    assert (judgement.verdict, judgement.reason) == ("not tested", "over one-step: not run")


def test_a_quick_look_decides_nothing_and_prints_gains_with_intervals(tmp_path):
    methods = {"weckd": (300, 330, 360), "single": 300, "pooled": 370, "sequential": 340}
    evaluation = evaluated(tmp_path, methods, quick_look=True)
    both, why = (table.cells for table in claims_table(evaluation).tables)
    third = both.iloc[2]
    assert third["verdict as worded"] == "if 10 %: not tested (quick look); if 30 %: not tested (quick look)"
    assert third["verdict for the chain"] == "not tested (quick look)"  # contradicted, were it a test
    row = why[why["question"] == "for the chain"].iloc[2]
    assert (row["compared"], row["holds at any margin"], row["chance of shown"]) == ("over pooled", "-", "-")
    assert row["why"] == (
        "A quick look decides nothing; over pooled: -2.5 [-4.0, -1.0]; over sequential: +5.0 [+2.9, +7.1]; over "
        "one-step: not run."
    )
    assert claims_table(evaluation).tables[0].notes[0] == "A quick look, no test of the paper's claims."


@pytest.mark.parametrize(
    ("bar", "verdict", "why"),
    [
        (360, "not shown here", "Could not be shown (identical)."),
        (
            361,
            "shown here",
            "The chain is at most 2 points worse than a model trained to the end on all labels: the difference lies "
            "between -0.7 and +0.2 points.",
        ),
        (
            366,
            "not shown here",
            "The chain may or may not be within 2 points of a model trained to the end on all labels: the difference "
            "lies between -2.7 and -0.3 points. A difference below 1.7 points would often be missed with these seeds "
            "and images.",
        ),
        (
            390,
            "contradicted here",
            "The chain is 7.5 points worse (between 4.9 and 10.1) than a model trained to the end on all labels, more "
            "than the margin of 2.",
        ),
    ],
)
def test_as_good_as_all_labels_is_decided_at_the_margin(tmp_path, bar, verdict, why):
    judgement, text = said(evaluated(tmp_path, {"weckd": 360, "single": 300, "full-converged": bar}), 5)
    assert (judgement.verdict, text) == (verdict, why)


def test_modalities_and_the_panel_by_its_pattern(tmp_path):
    panel = {"panel-resnet50-30": 350, "panel-resnet50-100": 390}
    methods = {"weckd": 360, "single": 300, "full-converged": 361}
    judgement, text = said(evaluated(tmp_path, methods | panel, ("toy_three", "toy_two")), 1)
    assert [row.comparison.reference for row in judgement.rows] == ["full-converged", "panel-resnet50-100"]
    assert text == (
        "Contradicted by one of two comparisons: the chain is 7.5 points worse (between 4.9 and 10.1) than resnet50 on "
        "100 % of the labels on toy_three (otoscopy), more than the margin of 2."
    )
    assert {row.dataset for row in judgement.rows} == {"toy_three"}


def test_a_panel_that_was_not_run_is_named_and_nothing_is_shown_without_it(tmp_path):
    evaluation = evaluated(
        tmp_path, {"weckd": 360, "single": 300, "full-converged": 361}, ("toy_three", "toy_two")
    )
    judgement, text = said(evaluation, 1)
    assert (judgement.verdict, judgement.absent) == ("not shown here", ("against panel-*-100: not run",))
    assert text.startswith(
        "Could not be shown, as not everything is in this run (against panel-*-100: not run). The chain is at most 2 "
        "points worse"
    )
    cells = claims_table(evaluation).tables[1].cells
    assert list(cells["comparisons"][:3]) == [
        "1 (against panel-*-100: not run)",
        "0 (each modality over pooled: not in this run)",
        "1 (MRI: no data set)",
    ]
    chances = cells["chance of shown"]
    assert chances.iloc[0] == "none, as not all was run; else at most >.99 if equal"
    assert chances.iloc[4].endswith("if +23 on one of 2 data sets (mean +11.5)")


def test_links_say_which_model_is_better(tmp_path):
    evaluation = evaluated(tmp_path, {"weckd": (300, 330, 332), "single": 300})
    assert said(evaluation, 4, "for the chain")[0].verdict == "not tested"  # one-step was not run
    judgement, text = said(evaluation, 4)
    assert (judgement.verdict, text) == (
        "not shown here",
        "Shown by one of two comparisons. In the least favourable one, model 3 of the chain and model 2 cannot be told "
        "apart: the difference lies between -0.2 and +1.2 points. A difference below 1.0 points would often be missed "
        "with these seeds and images.",
    )


def test_few_seeds_test_nothing(tmp_path):
    methods = {"weckd": 360, "single": 300, "full-converged": 390}
    judgement, text = said(evaluated(tmp_path, methods, seeds=(1, 2)), 5)
    assert (judgement.verdict, judgement.reason) == ("not tested", "descriptive only (k < 5)")
    assert text == "Nothing is tested: descriptive only (k < 5); against full-converged: -7.5."


# Seeds are alike, so that tests are t tests over the 400 images, each a group: of d images of which the methods differ,
# all in one direction, the mean is d / 400 and the variance of the mean d / 400 (1 - d / 400) / 399.
def half(differing, alpha):
    share = differing / N
    return 100 * stats.t.ppf(1 - alpha / 2, N - 1) * np.sqrt(share * (1 - share) / (N - 1))


@pytest.mark.parametrize(
    ("methods", "number", "question", "place", "up_to", "from_"),
    [
        ({"single": 300}, 3, "as worded", 0, 15 - half(60, 0.05), None),  # shown: a gain of at least that
        (
            {"full-converged": 361},
            5,
            "as worded",
            0,
            None,
            0.25 + half(1, 0.05),
        ),  # within any margin from that on
        ({"full-converged": 350}, 5, "as worded", 0, None, 0.0),  # better
        ({"full-converged": 390}, 5, "as worded", 0, 7.5 - half(30, 0.05), None),
        ({"pooled": 370}, 5, "for the chain", 0, 2.5 - half(10, 0.05), None),
        ({**CONTROLS, "pooled": 370}, 5, "for the chain", 0, 2.5 - half(10, 0.05 / 3), None),  # one of three
        ({"pooled": 362}, 5, "for the chain", 0, None, None),  # not shown
    ],
)
def test_a_verdict_holds_at_any_margin_up_to_the_end_of_its_interval(
    tmp_path, methods, number, question, place, up_to, from_
):
    evaluation = evaluated(tmp_path, {"weckd": 360, "single": 300} | methods)
    found = claim(evaluation, number)
    firm = firmness(evaluation, found.claim, dict(found.sides)[question][place])
    wanted = [float("nan") if end is None else end for end in (up_to, from_)]
    assert [firm.up_to, firm.from_] == pytest.approx(wanted, abs=1e-9, nan_ok=True)


def test_a_contradicted_claim_holds_as_far_as_the_firmest_of_its_comparisons(tmp_path):
    methods = {"weckd": 360, "single": 300, **CONTROLS, "pooled": 380, "sequential": 376}
    evaluation = evaluated(tmp_path, methods)
    found = claim(evaluation, 3)
    [judgement] = found.for_the_chain
    assert (
        judgement.deciding.comparison.reference == "pooled"
    )  # the largest loss; now with five times its error
    estimate = judgement.deciding.estimate
    study = replace(estimate.study, case_part=25 * estimate.study.case_part)
    wide = replace(judgement.deciding, estimate=replace(estimate, study=study))
    rows = tuple(wide if row is judgement.deciding else row for row in judgement.rows)
    firm = firmness(evaluation, found.claim, replace(judgement, rows=rows, deciding=wide))
    assert firm.up_to == pytest.approx(4.0 - half(16, 0.05 / 3), abs=1e-9)


def test_the_chance_of_shown_is_that_of_a_noncentral_t_at_what_the_claim_says(tmp_path):
    methods = {"weckd": 360, "single": 300, "full-converged": 370, **CONTROLS}
    evaluation = evaluated(tmp_path, methods)
    t = stats.t.ppf(0.975, N - 1)

    def chance(differing, true_gain, null=0.0):
        share = differing / N
        return stats.nct.sf(t, N - 1, (true_gain - null) / (100 * np.sqrt(share * (1 - share) / (N - 1))))

    def found(number, question="as worded"):
        item = claim(evaluation, number)
        return firmness(evaluation, item.claim, dict(item.sides)[question][0])

    fifth = found(5)  # equal, at the margin of 2
    assert (fifth.true_gain, fifth.least) == (0.0, fifth.most)
    assert fifth.most == pytest.approx(chance(10, 0.0, null=-2.0), abs=1e-9)
    assert found(3).true_gain == 23.0  # on the one data set
    assert found(5, "for the chain").true_gain == 2.0  # no gain is named: the margin
    assert found(5, "for the chain").most == pytest.approx(chance(10, 2.0), abs=1e-9)
    of_all = found(4, "for the chain"), found(3, "for the chain")
    assert of_all[0].most == pytest.approx(chance(15, 2.0), abs=1e-9)
    assert (of_all[1].least, of_all[1].most) == pytest.approx((1.0, 1.0), abs=1e-9)


def test_up_to_means_one_data_set_and_several_comparisons_have_two_ends(tmp_path):
    methods = {"weckd": 360, "single": 300, "pooled": 330, "sequential": 331, "one-step": 330}
    evaluation = evaluated(tmp_path, methods, ("toy_three", "toy_two"))
    third = claim(evaluation, 3)
    firm = firmness(evaluation, replace(third.claim, up_to_pp=2.0), third.for_the_chain[0])
    assert firm.true_gain == 1.0  # 2 on one of two data sets, 0 on the other
    studies = [row.estimate.study for row in third.for_the_chain[0].rows]
    each = [stats.nct.sf(stats.t.ppf(0.975, s.df), s.df, 0.01 / s.se) for s in studies]
    assert (firm.least, firm.most) == pytest.approx((max(0.0, sum(each) - 2), min(each)), abs=1e-9)


def test_the_plans_up_to_is_the_published_number():
    plan = resolve_suite([CONFIG / "phantoms.yaml"], {}).analysis
    (largest,) = read_published(CONFIG / "published.yaml")
    assert [item.up_to_pp for item in plan.claims if item.up_to_pp] == [largest.value]
    assert (largest.data_set, largest.reference) == ("largest", "single")


def test_a_plan_without_claims_says_so(tmp_path):
    suite = with_plan(toy_suite(), claims=())
    for table in claims_table(load_run(suite, tmp_path)).tables:
        assert table.cells.to_numpy().tolist() == [
            ["the plan of this run holds no claim; see claims in config/analysis.yaml"]
        ]


def test_a_note_says_that_the_plan_was_changed_after_results(tmp_path):
    changes = (Amendment("2026-11-29", "b", True), Amendment("2026-11-28", "a", True))
    suite = with_plan(toy_suite(), amendments=(*changes, Amendment("2026-12-01", "c", False)))
    assert (
        "The analysis plan was changed after results were seen: 2 changes, the last of 2026-11-29."
        in claims_table(load_run(suite, tmp_path)).tables[0].notes
    )
    suite = with_plan(toy_suite(), amendments=(Amendment("2026-12-01", "c", False),))
    assert "changed after" not in " ".join(claims_table(load_run(suite, tmp_path)).tables[0].notes)


def test_the_frame_has_every_comparison_of_every_claim(toy_folder):
    frame = claims_table(load_run(toy_suite(), toy_folder)).frame
    columns = (frame["claim"].str[0], frame["question"], frame["reading"], frame["reference"].fillna("none"))
    assert list(zip(*columns, strict=True)) == [
        ("1", "as worded", "", "full-converged"),
        ("1", "for the chain", "", "pooled"),
        ("2", "as worded", "", "single"),
        ("2", "for the chain", "", "pooled"),
        ("3", "as worded", "if 10 %", "single"),
        ("3", "as worded", "if 30 %", "pooled"),
        ("3", "for the chain", "", "pooled"),
        ("3", "for the chain", "", "one-step"),
        ("4", "as worded", "", "own stage 1"),
        ("4", "as worded", "", "own stage 2"),
        ("4", "for the chain", "", "one-step"),
        ("5", "as worded", "", "full-converged"),
        ("5", "for the chain", "", "pooled"),
    ]
    third = frame[frame["claim"].str[0] == "3"]
    assert set(third["verdict as worded"]) == {"if 10 %: shown here; if 30 %: not shown here"}
    assert set(third["verdict for the chain"]) == {"not shown here"}
    assert set(frame["plan_hash"]) == {"0123456789ab"}


def test_a_family_that_is_named_twice_counts_once(tmp_path):
    twice = Claim(
        "6: twice", "the same", "nowhere", CLAIMS[0].as_worded, (Evidence("chain over single"),) * 2
    )
    suite = with_plan(toy_suite(datasets=("toy_two",), methods=("weckd", "single")), claims=(twice,))
    evaluated(tmp_path, {"weckd": 360, "single": 300})
    (found,) = evaluate_claims(load_run(suite, tmp_path))
    assert [len(judgement.rows) for judgement in found.for_the_chain] == [1]
    assert FAMILIES[0].name == "chain over single"


PAGE = (CONFIG.parent / "docs" / "reading-the-tables.md").read_text(encoding="utf-8")


def test_the_page_on_reading_tables_has_the_words_of_the_verdicts_and_no_others(toy_folder):
    evaluation = load_run(toy_suite(), toy_folder)
    both, why = (table.cells.columns for table in claims_table(evaluation).tables)
    for header in (both[1], both[3], *why[5:8]):
        assert re.search(rf"[*`]{header}\W", PAGE), header
    assert {verdict for verdict in VERDICTS if f"*{verdict}*" not in PAGE} == set()
    of_gains = gains_frame(evaluation, evaluation.gains)
    words = {
        re.split(r":| \(", verdict)[0]
        for column in ("verdict", "non_inferiority", "equivalence")
        if column in of_gains
        for verdict in of_gains[column].dropna()
    } - {"missing", "identical", "descriptive only", ""}
    assert words >= {"gain", "undecided", "inconclusive"}
    assert {word for word in words if f"*{word}*" not in PAGE} == set()
    assert re.findall(r"\b(?:supported|refuted|proved|proven)\b", PAGE) == []
