"""What a plan would find: rows against numbers by hand, from guesses and from a reference made by hand."""

import re

import numpy as np
import pytest
from engine import REPOSITORY
from small_suite import toy_suite, write_toy_predictions

from weckd.analysis.claims import as_claimed
from weckd.analysis.comparisons import comparisons
from weckd.analysis.contrasts import gain
from weckd.analysis.inference.power import chances
from weckd.analysis.inference.reader_study import (
    Study,
    minimum_detectable,
    planned_mean_study,
    planned_study,
    two_way,
)
from weckd.analysis.metrics.scores import mean_score
from weckd.analysis.predictions import DatasetPredictions, SuitePredictions
from weckd.analysis.results import Results, load_run
from weckd.cli import main
from weckd.config import suite_json
from weckd.files import write_text
from weckd.planning.power import Spread, power_page
from weckd.run_files import RunFiles
from weckd.suite_file import resolve_suite

CONFIG = REPOSITORY / "config"
FAMILY = {"name": "chain over single", "kind": "superiority", "method": "weckd", "references": ["single"]}
UP_TO = {
    **{"name": "3", "says": "up to +23", "source": "abstract", "up_to_pp": 23},
    **{side: [{"family": "chain over single"}] for side in ("as_worded", "for_the_chain")},
}
STAGES = {"weckd": 3, "single": 1, "pooled": 1, "full": 1}
BAR = {"name": "against all", "kind": "non-inferiority", "method": "weckd", "references": ["full", "pooled"]}


def suite_of(**changes):
    families = changes.pop("families", [FAMILY])
    base = {
        "datasets": ["ear_chile"],
        "methods": ["weckd", "single", "pooled", "full"],
        "seeds": [1, 2, 3, 4, 5],
        "analysis": {"families": families, "claims": changes.pop("claims", [])},
    }
    return resolve_suite([CONFIG / "phantoms.yaml"], base | changes)


def rows(page):
    """Return the cells of the tables' rows by the first, without heads."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in page.splitlines()]
    return {
        name: cells for name, *cells in lines if len(cells) > 2 and name != "comparison" and name[0] != "-"
    }


def test_guessed_variances_give_the_chances_of_the_plans_verdicts():
    # 880 images, a fifth of them for the test, two a group. SE^2 = 8^2 / 5 + 20^2 / 88 = 4.165^2, df = 7.30:
    # (2.345 + 0.894) SE are detectable; by R's pt(-2.345, 7.30, ncp) etc. 6.2 % find 2 points, and 99.7 % find 23.
    page = power_page(suite_of(claims=[UP_TO]), None)
    assert page.splitlines()[1:3] == [
        "Variances: a guess, SD 8 points between seeds, 20 between groups of test images, 2 images a group. Better: "
        "--reference FOLDER.",
        "Planned test images (groups): ear_chile 176 (88).",
    ]
    tests, se, detectable, alone, at_0, at_2, at_23 = rows(page)["over single (guess)"]
    assert (tests, se, detectable, alone) == ("1", "4.2", "13.5", "13.5")
    assert "\nSuperiority: chances in % of gain / undecided / loss, on ear_chile unless named\n" in page
    assert (at_0, at_2, at_23) == ("2.5 / 95.0 / 2.5", "6.2 / 93.0 / 0.9", "99.7 / 0.3 / 0.0")
    assert " at 0 at +2 +23 on one ---" in " ".join(page.split())
    assert (
        "\n+23 on one: chance if one data set of the mean gains 23 points, the most that a claim states"
        in page
    )
    assert "on one" not in power_page(suite_of(), None)  # no claim
    assert "smallest p" not in page  # a two-way t test can reach any


def test_a_page_of_80_columns_tells_the_chance_of_the_verdict_that_is_asked_for_and_explains_its_columns_once():
    two = suite_of(datasets=["ear_chile", "blood_cells"], claims=[UP_TO], families=[FAMILY, BAR])
    page = power_page(two, None, width=80)
    assert max(map(len, page.splitlines())) <= 80
    assert '\nSuperiority: chances in % of "gain", on macro of 2 unless named\n' in page
    tests, se, detectable, alone, _, *chances_of = rows(power_page(two, None))["over single (guess)"]
    shown = [detectable, alone, *(cell.split(" / ")[0] for cell in chances_of)]
    assert [cell for cell in rows(page)["over single (guess)"] if cell not in (tests, se)] == shown
    for column in ("detectable", "alone", "at 0", "at +2", "+23 on one", "SE", "tests"):
        assert page.count(f"\n{column}: ") == 1
    assert "\nat +2: chance if it is the margin; at -2: a loss of it.\n" in page


def test_the_largest_gain_that_is_claimed_is_on_one_data_set_of_a_mean_as_for_the_claims_chance():
    two = suite_of(datasets=["ear_chile", "blood_cells"], claims=[UP_TO], families=[FAMILY, BAR])
    page = power_page(two, None)
    single, bar = (rows(page)[name] for name in ("over single (guess)", "against all, each of 2 (guess)"))
    assert "\nSuperiority: chances in % of gain / undecided / loss, on macro of 2 unless named\n" in page
    # SE^2 = (8^2 / 5 + 20^2 / 88 + 8^2 / 5 + 20^2 / 1709) / 4, seeds independent: 23 / 2 points, not 23.
    se = np.sqrt((2 * 8**2 / 5 + 20**2 / 88 + 20**2 / 1709) / 4)
    assert single[1] == f"{se:.1f}"
    comparison = next(x for x in comparisons(two, SuitePredictions({}, STAGES)) if x.reference == "single")
    assert as_claimed(two, two.analysis.claims[0], comparison, "macro") == 11.5
    df = planned_mean_study(
        [planned_study(0.08**2, 0.2**2, 5, *size) for size in ((176, 88), (3418, 1709))]
    ).df
    assert single[-1] == " / ".join(f"{100 * x:.1f}" for x in chances(11.5, se, df, 0.05))
    assert "-" not in single
    assert len(bar) == len(single) - 1  # a table of its own, on which no such claim rests


def test_non_inferiority_is_judged_at_the_margin_and_tests_of_one_family_share_alpha():
    page = power_page(suite_of(families=[BAR]), None)
    assert (
        "\nNon-inferiority: chances in % of non-inferior / inconclusive / inferior, on ear_chile unless"
        in page
    )
    assert " at 0 at -2 ---" in " ".join(page.split())
    tests, se, _, alone, at_0, at_margin = rows(page)["against all, each of 2 (guess)"]
    assert (tests, se, alone) == ("2", "4.2", "13.5")
    # At the margin each wrong verdict has half of alpha / 2 tests.
    assert (at_0, at_margin) == ("3.3 / 96.3 / 0.4", "1.2 / 97.5 / 1.2")


def hand_made(n=8, key="blood_bccd", level=None):
    """Return a reference of one data set, in groups of two images, and the study of what weckd gains there.

    `level`: share of right answers of both methods.
    """
    suite = suite_of(datasets=[key], seeds=[1, 2, 3, 4, 5, 6])
    chance = np.linspace(0.1, 0.9, n)  # easy images and hard ones
    random = np.random.default_rng(1)
    right = {
        ("weckd", 3): random.random((6, n)) < (level or 0.8),
        ("single", 1): random.random((6, n)) < (level or chance),
    }
    y = np.arange(n) % 4
    probabilities = {}
    for name, is_right in right.items():
        said = np.where(is_right, y, (y + 1) % 4)
        probabilities[name] = np.eye(len(suite.facts[key].classes), dtype=np.float32)[said]
    groups = np.arange(n) // 2
    data = DatasetPredictions(
        key,
        suite.seeds,
        len(suite.facts[key].classes),
        y,
        groups,
        tuple(map(str, range(n // 2))),
        probabilities,
        {},
        (),
    )
    run = Results(suite, SuitePredictions({key: data}, STAGES), RunFiles(REPOSITORY))
    difference = right[("weckd", 3)].astype(float) - right[("single", 1)]
    return run, two_way(mean_score(difference, groups))


def test_variances_of_a_reference_are_scaled_to_the_suites_seeds_and_groups():
    reference, study = hand_made()
    page = power_page(suite_of(families=[FAMILY, BAR]), reference)
    # The reference has two images a group, and 6 seeds; the suite 5, and other images of another modality.
    assert "Planned test images (groups): ear_chile 176 (88)." in page
    se = 100 * np.sqrt(study.seed_part * 6 / 5 + study.case_part * 4 / 88)
    assert study.case_part > 0
    assert rows(page)["over single"][1] == f"{se:.1f}"
    assert rows(page)["against all, each of 2 (guess)"][1] == "4.2"  # full and pooled it has not
    assert "(guess): what it did not compare, SD 8 points" in page
    alike = power_page(reference.suite, reference)
    assert "Planned test images (groups): blood_bccd 8 (4)." in alike  # split alike: the reference's own
    assert rows(alike)["over single"][1] == f"{100 * study.se:.1f}"


def test_what_is_near_the_ceiling_in_the_reference_is_planned_with_seeds_that_vary_as_the_test_will_assume():
    reference, plain = hand_made(n=200, level=0.97)
    study = reference.of(gain("weckd", 3, "single", 1))["blood_bccd"].study
    assert study.ceiling_part == pytest.approx(0.06**2 / 6 - plain.seed_part)
    page = power_page(suite_of(), reference)
    assert "Near the ceiling (both above 94 %" in page
    assert "(SD), since rare failures may not have been drawn: over single (ear_chile)." in page
    _, se, detectable, *_ = rows(page)["over single"]
    of_groups = study.case_part * 100 / 88
    assert se == f"{100 * np.sqrt(0.06**2 / 5 + of_groups):.1f}"
    # What was added is known: of the df are those of the seeds as they were found, and of the groups.
    found = plain.seed_part * 6 / 5
    df = (0.06**2 / 5 + of_groups) ** 2 / (found**2 / 4 + of_groups**2 / 87)
    planned = Study(0, (), 0.06**2 / 5, of_groups, df, 0, 0, False)
    assert detectable == f"{100 * minimum_detectable(planned, 0.05):.1f}"
    far, _ = hand_made(n=200, level=0.9)
    assert "ceiling" not in power_page(suite_of(), far)


def test_a_data_set_takes_the_variances_of_its_own_modality():
    reference, study = hand_made()
    other, second = hand_made(n=4, key="ear_chile")
    reference.suite.facts["ear_chile"] = other.suite.facts["ear_chile"]
    reference.predictions.datasets["ear_chile"] = other.predictions.datasets["ear_chile"]
    page = power_page(suite_of(datasets=["blood_cells"]), reference)
    assert "blood_cells 3418 (1709)" in page
    se = 100 * np.sqrt(study.seed_part * 6 / 5 + study.case_part * 4 / 1709)
    assert rows(page)["over single"][1] == f"{se:.1f}"
    of_neither = power_page(
        suite_of(datasets=["brain_mri"]), reference
    )  # it has the mean of both, of 2 and of 4 groups
    assert "brain_mri 613 (306)" in of_neither
    seeds = np.mean([one.seed_part * 6 / 5 for one in (study, second)])
    groups = (study.case_part * 4 + second.case_part * 2) / 2 / 306
    assert rows(of_neither)["over single"][1] == f"{100 * np.sqrt(seeds + groups):.1f}"


def test_a_mean_over_the_references_own_data_sets_pairs_their_seeds():
    reference, study = hand_made()
    other, second = hand_made(n=4, key="ear_chile")
    reference.suite.facts["ear_chile"] = other.suite.facts["ear_chile"]
    reference.predictions.datasets["ear_chile"] = other.predictions.datasets["ear_chile"]
    page = power_page(suite_of(datasets=["blood_bccd", "ear_chile"]), reference)
    assert "blood_bccd 8 (4), ear_chile 4 (2)" in page
    seeds = np.var([np.mean(pair) for pair in zip(study.per_seed, second.per_seed, strict=True)], ddof=1) / 5
    groups = (study.case_part + second.case_part) / 4
    assert rows(page)["over single"][1] == f"{100 * np.sqrt(seeds + groups):.1f}"


def test_what_cannot_be_known_is_said():
    few = power_page(suite_of(seeds=[1, 2]), None)
    assert few == "Power: none. 2 seeds, at least 5 are needed for an interval or a verdict."
    none = power_page(suite_of(families=[]), None)
    assert none == "Power: none. No family of the plan has its methods in this suite."
    uncounted = power_page(suite_of(datasets=["brain_nickparvar"]), None)
    assert "Planned test images (groups): brain_nickparvar not known." in uncounted
    assert rows(uncounted)["over single (guess)"][1:] == ["-"] * 5
    assert "A quick look: it tests no claim" in power_page(suite_of(quick_look=True), None)


@pytest.fixture
def cheap(monkeypatch):
    """The command without measuring."""
    monkeypatch.setattr("weckd.planning.cost.suite_speeds", lambda _: {})
    monkeypatch.setattr("weckd.planning.cost.plan_page", lambda *_: "cost")


def test_the_command_takes_the_variances_of_a_finished_run(tmp_path, capsys, cheap):
    suite = toy_suite()
    write_toy_predictions(tmp_path / "predictions")
    write_text(tmp_path / "suite.json", suite_json(suite))
    assert main(["plan", str(CONFIG / "phantoms.yaml"), "--reference", str(tmp_path), "--wide"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("cost\n\nPower before the run: gains in accuracy, percentage points; 5 seeds; ")
    assert "Variances: those of toy (5 seeds; toy_three, toy_two, toy_copy);" in shown
    # toy_two is the only microscopic set: one of 120 images has the variances that its 24 images in 15 groups have.
    study = load_run(suite, tmp_path).of(gain("weckd", 3, "single", 1))["toy_two"].study
    assert study is not None
    assert "phantom_blood_cells 120 (75)" in shown
    planned = planned_study(5 * study.seed_part, 15 * study.case_part, 5, 120, 75)
    assert rows(shown)["over single, phantom_blood_cells (microscopy)"][:2] == [
        "3",
        f"{100 * planned.se:.1f}",
    ]


def test_the_command_takes_a_guess(capsys, cheap):
    files = [str(CONFIG / "real-small.yaml")]
    assert main(["plan", *files, "--guess", "4", "10"]) == 0
    shown = capsys.readouterr().out
    assert "Variances: a guess, SD 4 points between seeds, 10 between groups" in shown
    assert "\n+23 on one: " in shown  # of the plan's third claim
    assert max(map(len, shown.splitlines())) <= 80  # where the output is no terminal
    assert main(["plan", *files, "--guess", "4", "10", "--wide"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) > 80
    for guess in ("0", "x", "101"):
        with pytest.raises(SystemExit):
            main(["plan", *files, "--guess", "4", guess])
        assert f"{guess!r} must be a number above 0, and at most 100" in capsys.readouterr().err
    assert main(["plan", *files, "--reference", str(REPOSITORY / "docs")]) == 1
    assert capsys.readouterr().err.startswith(
        f"weckd: {REPOSITORY / 'docs/suite.json'}: not a readable suite.json"
    )


def test_what_two_families_ask_is_one_test_of_the_first():
    along = {
        "name": "along",
        "kind": "trend",
        "method": "weckd",
    }  # slope and last minus first, and M1 is `single`
    alone = {"name": "otoscopy over single", **{key: FAMILY[key] for key in ("kind", "method", "references")}}
    found = rows(power_page(suite_of(families=[FAMILY, along, alone | {"over": "otoscopy"}]), None))
    assert list(found) == ["over single (guess)"]
    later = rows(power_page(suite_of(families=[along, FAMILY]), None))
    assert list(later) == ["slope per stage (guess)"]
    assert later["slope per stage (guess)"][:2] == ["1", "2.1"]  # half the SE of the last minus the first
    both = rows(power_page(suite_of(families=[FAMILY, {**BAR, "references": ["single"]}]), None))
    assert list(both) == ["over single (guess)", "against single (guess)"]  # another question is another test


def test_equivalence_has_its_own_verdicts():
    like = {"name": "like", "kind": "equivalence", "method": "weckd", "references": ["pooled"]}
    page = power_page(suite_of(families=[like]), None, Spread(0.01, 0.02))
    assert "\nEquivalence: chances in % of equivalent / open / different, on ear_chile unless named\n" in page
    # SE^2 = 1 / 5 + 4 / 88 = 0.495^2, df = 6.01: within 2 points where t(.975) s < 2 leaves room.
    tests, se, detectable, _, at_0, at_2 = rows(page)["like pooled (guess)"]
    assert (tests, se, detectable) == ("1", "0.5", "-")
    assert at_0 == "83.6 / 16.4 / 0.0"  # 83.5 of 100 of 400,000 simulated intervals
    assert at_2 == "2.5 / 95.0 / 2.5"  # one of the two one-sided tests is then at its null


def test_groups_of_patients_are_counted_where_a_table_names_them(tmp_path):
    folder = tmp_path / "brain_cheng"
    (folder / "images").mkdir(parents=True)
    rows = "".join(f"images/{n}.jpg,glioma,p{n % 100},1\n" for n in range(3064))
    (folder / "labels.csv").write_text("image,label,patient,fold\n" + rows)
    suite = suite_of(datasets=["brain_cheng"])
    assert "brain_cheng 613 (306)" in power_page(suite, None)  # 3,064 images, a fifth; two a group, guessed
    there = suite_of(datasets=["brain_cheng"], data_root=str(tmp_path))
    assert "brain_cheng 613 (20)" in power_page(there, None)  # a fifth of 100 patients
