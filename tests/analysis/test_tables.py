import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from small_suite import (
    GOLDEN,
    toy_frame,
    toy_suite,
    with_plan,
)

from weckd.analysis.contrasts import Term, slope
from weckd.analysis.results import load_run
from weckd.analysis.sheets.methods import levels_frame
from weckd.analysis.write_tables import write_tables
from weckd.tables.cells import Bold, Gain, Joined, Level, Name, Number, P, Wording, cell_text
from weckd.tables.render import Table, csv_text, markdown

FILES = sorted(path.name for path in GOLDEN.iterdir())


@pytest.fixture(scope="module")
def tables(toy_folder):
    write_tables(toy_suite(), toy_folder, toy_folder / "tables")
    return toy_folder / "tables"


@pytest.mark.parametrize("name", FILES)
def test_golden_tables(tables, name):
    assert (tables / name).read_text(encoding="utf-8") == (GOLDEN / name).read_text(encoding="utf-8")


def test_gains_in_balanced_accuracy_are_beside_those_in_accuracy(tables):
    text = (
        (tables / "metrics.md").read_text(encoding="utf-8").partition("### Gains in accuracy and balanced")[2]
    )
    lines = [line for line in text.splitlines() if line.startswith("| weckd") and "missing" not in line]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    gains = pd.read_csv(tables / "gains.csv").set_index(["dataset", "method", "stage", "reference", "metric"])
    assert [row[0] for row in rows] == [
        *("weckd over single", "weckd over one-step", "weckd against full-converged"),
    ]
    for comparison, *cells in rows:
        for metric, cell, p in zip(("accuracy", "balanced_accuracy"), cells[::2], cells[1::2], strict=True):
            row = gains.loc["macro", "weckd", 3, comparison.split()[-1], metric]
            assert cell == f"{row['gain']:+.1f} [{row['ci_low']:+.1f}, {row['ci_high']:+.1f}]"
            assert p == (
                f"{row['p_adjusted']:.3f}".removeprefix("0") if row["p_adjusted"] < 1 else "identical"
            )


def test_no_other_files_are_written_but_their_sums(tables):
    assert sorted(path.name for path in tables.iterdir()) == sorted([*FILES, "sums.json"])
    assert sorted(json.loads((tables / "sums.json").read_text())) == FILES


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".md", ".tex"))])
def test_every_caption_carries_the_phantom_sentence_and_the_plan(tables, name):
    text = (tables / name).read_text(encoding="utf-8")
    captions = text.count("### ") or text.count(r"\caption{")
    assert captions >= 1
    assert text.count("Phantom images drawn by this suite: says nothing about the paper's data.") == captions
    assert text.count("Plan 0123456789ab.") == captions


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".tex")])
def test_latex_tells_the_plan_in_comments_alone(tables, name):
    lines = (tables / name).read_text(encoding="utf-8").splitlines()
    assert {line[:2] for line in lines if "0123456789ab" in line} == {"% "}


def test_real_images_carry_no_phantom_sentence(toy_folder, tmp_path):
    suite = toy_suite(datasets=("toy_two",))
    write_tables(suite, toy_folder, tmp_path)
    for name in FILES:
        assert "Phantom" not in (tmp_path / name).read_text(encoding="utf-8")


def test_few_seeds_are_said_in_the_caption_and_print_no_interval(toy_folder, tmp_path):
    write_tables(toy_suite(seeds=(1, 2)), toy_folder, tmp_path)
    text = (tmp_path / "gains.md").read_text(encoding="utf-8")
    assert text.count("Fewer than 5 seeds: description only, no interval and no p.") == 6
    line = next(line for line in text.splitlines() if line.startswith("| chain over single "))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    frames = [toy_frame(key, seed) for key in ("toy_three", "toy_two") for seed in (1, 2)]
    right = [frame.filter(regex=r"^p_\d").to_numpy().argmax(axis=1) == frame["y"] for frame in frames]
    last = [(frame["method"] == "weckd") & (frame["stage"] == 3) for frame in frames]
    first = [frame["method"] == "single" for frame in frames]
    accuracy = [
        np.mean([r[rows].mean() for r, rows in zip(right, part, strict=True)]) for part in (last, first)
    ]
    assert cells[4] == f"{100 * (accuracy[0] - accuracy[1]):+.1f}"
    assert cells[5:] == ["-", "-", "-", "-", "-", "descriptive only (k < 5)"]
    assert "±" not in "".join((tmp_path / "accuracy.md").read_text(encoding="utf-8").split("\n\n")[2])


def test_a_run_without_the_plans_methods_says_so(toy_folder, tmp_path):
    write_tables(with_plan(toy_suite(), families=(), claims=()), toy_folder, tmp_path)
    text = (tmp_path / "gains.md").read_text(encoding="utf-8")
    assert (
        "| none of the plan's families has its methods in this run; add those of one, such as weckd and single |"
        in text
    )
    assert set(pd.read_csv(tmp_path / "gains.csv")["family"]) == {"exploratory", "single data set"}


def test_accuracy_rows(toy_folder):
    suite = toy_suite()
    run = load_run(suite, toy_folder)
    frame = levels_frame(run, run.levels)
    assert len(frame) == 2 * 10 * 4  # metrics, stages of all methods, data sets and their mean
    stages = frame[
        (frame["method"] == "weckd") & (frame["dataset"] == "macro") & (frame["metric"] == "accuracy")
    ]
    assert stages["stage"].tolist() == [1, 2, 3]
    assert stages["final"].tolist() == [False, False, True]
    majority = frame[(frame["method"] == "majority") & (frame["dataset"] == "toy_three")].set_index("metric")
    assert majority["mean"].tolist() == pytest.approx([50, 100 / 3])  # 12 of 24; one of three classes
    assert majority.loc["balanced_accuracy", "half_width"] == 0
    assert majority["majority_pct"].tolist() == [50, 50]
    assert majority["chance_pct"].tolist() == pytest.approx([100 / 3] * 2)
    assert majority["smallest_class"].tolist() == ["b", "b"]
    assert majority["smallest_class_n"].tolist() == [6, 6]
    gap = frame[(frame["method"] == "pooled") & (frame["dataset"] == "toy_two")]
    assert set(gap["missing"]) == {"toy_two seed 2 pooled diverged"}
    assert gap["mean"].isna().all()


def test_slope_weights():
    assert slope("weckd", 3) == (Term(-0.5, "weckd", 1), Term(0.5, "weckd", 3))
    assert [term.weight for term in slope("weckd", 4)] == pytest.approx([-0.3, -0.1, 0.1, 0.3])


NOT_KNOWN = float("nan")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (P(0.0004), "<.001"),
        (P(0.001), ".001"),
        (P(0.0344), ".034"),
        (P(0.9996), "1.000"),
        (P(1.0), "1.000"),
        (P(NOT_KNOWN), "-"),
        (Gain(4.24, -1.04, 9.5), "+4.2 [-1.0, +9.5]"),
        (Gain(4.24, -1.04, 9.5, mark="*"), "+4.2* [-1.0, +9.5]"),
        (Gain(0.0312, 0.01, 0.05, in_percent=False), "+0.031 [+0.010, +0.050]"),
        (Gain(-0.04), "+0.0"),
        (Gain(NOT_KNOWN), "missing"),
        (Level(88.1, 2.06), "88.1 ± 2.1"),
        (Level(88.1), "88.1"),
        (Level(NOT_KNOWN, 1.0), "missing"),
        (Level(0.3121, 0.01, in_percent=False), "0.312 ± 0.010"),
        (Number(33.333), "33.3"),
        (Number(50.4, 0, " %"), "50 %"),
        (Number(NOT_KNOWN), "-"),
        (Number(float("inf")), "-"),
        (Name("weckd", " †"), "weckd †"),
        (Bold(Level(88.1)), "**88.1**"),
        (Joined((Name("pooled"), Bold(Level(88.1)))), "pooled **88.1**"),
        ("as it is", "as it is"),
    ],
)
def test_cells_as_text(cell, text):
    assert cell_text(cell, Wording()) == text


def test_wording_sets_digits_and_labels():
    wording = Wording(2, {"weckd": "WeCKD"})
    assert cell_text(Gain(4.246, -1.04, 9.5), wording) == "+4.25 [-1.04, +9.50]"
    assert cell_text(Joined((Name("weckd", " †"), Level(88.126, 2.061))), wording) == "WeCKD † 88.13 ± 2.06"
    assert cell_text(Number(50.4, 0), wording) == "50"


def test_text_formats():
    table = Table(
        "Title",
        "95 % of a_b",
        "name",
        pd.DataFrame({"a_b": ["88.10", "<.001"], "p": ["-1.0", "x-1"]}),
        "Bold.",
    )
    assert markdown(table) == (
        "### Title\n\n**Bold.** 95 % of a_b\n\n"
        "| a_b   | p    |\n"
        "|:------|:-----|\n"
        "| 88.10 | -1.0 |\n"
        "| <.001 | x-1  |\n"
    )
    frame = pd.DataFrame({"x": [1 / 3, float("nan"), 5.0], "n": [1, pd.NA, 3], "s": ["a,b", "", "c"]})
    assert csv_text(frame) == 'x,n,s\n0.333333333333,1,"a,b"\n,,\n5,3,c\n'


def test_importing_the_analysis_is_light():
    code = (
        "import sys, weckd.analysis, weckd.analysis.results; "
        "print([name for name in ('torch', 'matplotlib', 'statsmodels') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout == "[]\n"
