"""The readings' table and curve, on scores whose gains are known by hand."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from small_suite import toy_suite, with_plan, write_predictions, write_scores

from weckd.analysis.predictions import load_predictions
from weckd.analysis.results import Results, read_published
from weckd.analysis.specification import (
    sorted_readings,
    specification_figure,
    specifications,
    write_specification,
)
from weckd.places import UNDECLARED
from weckd.run_files import RunFiles

CONFIG = Path(__file__).resolve().parents[2] / "config"
METHODS = (
    "single",
    "pooled",
    "pooled-2",
    "weckd",
    "start=fresh",
    "length=2",
    "temperature=cosine,inference=mean",
)
# Right answers among 40 images of each of five seeds; each image is a group of its own.
RIGHT = {
    "single": 20,
    "pooled": 30,
    "pooled-2": 26,
    "weckd": 24,
    "start=fresh": 12,
    "length=2": 25,
    "temperature=cosine,inference=mean": 30,
}


def scores(right):
    """Return correctness (seed, image): the first images are right; each seed has its own two lapses and two hits."""
    table = np.zeros((5, 40), dtype=np.int64)
    for seed in range(5):
        table[seed, :right] = 1
        table[seed, [seed, seed + 5]] = 0
        table[seed, [right + seed % 2, right + 2 + seed % 2]] = 1
    return table


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readings")
    suite = with_plan(toy_suite(methods=METHODS, datasets=("toy_two",), run="toy-readings"), families=())
    table = {(method, 1): scores(right) for method, right in RIGHT.items() if method != "weckd"}
    table |= {("weckd", stage): scores(right) for stage, right in ((1, 20), (2, 22), (3, RIGHT["weckd"]))}
    table |= {("length=2", stage): scores(right) for stage, right in ((1, 20), (2, RIGHT["length=2"]))}
    write_scores(folder, "toy_two", table, np.arange(40) % 2, np.arange(40), 2)
    return suite, folder


def results(suite, folder):
    return Results(suite, load_predictions(suite, folder), RunFiles(folder))


def test_gains_over_single_and_over_the_pooled_control_of_as_many_labels(run):
    suite, folder = run
    found = specifications(results(suite, folder))
    gains = {
        item.method: (
            100 * item.over_single.study.estimate,
            100 * item.over_pooled.study.estimate,
            item.pooled,
        )
        for item in found
    }
    assert gains == {
        "weckd": (pytest.approx(10.0), pytest.approx(-15.0), "pooled"),  # 24 - 20 and 24 - 30 of 40
        "start=fresh": (pytest.approx(-20.0), pytest.approx(-45.0), "pooled"),
        "length=2": (pytest.approx(12.5), pytest.approx(-2.5), "pooled-2"),  # 25 - 26 of 40
        "temperature=cosine,inference=mean": (pytest.approx(25.0), pytest.approx(0.0), "pooled"),
    }
    order = [item.method for item in sorted_readings(suite, found)]
    assert order == ["start=fresh", "weckd", "length=2", "temperature=cosine,inference=mean"]


def test_the_table_says_which_reading_reaches_the_papers_claim(run, tmp_path):
    suite, folder = run
    write_specification(suite, folder, tmp_path, read_published(CONFIG / "published.yaml"))
    text = (tmp_path / "tables" / "readings.md").read_text()
    found = specifications(results(suite, folder))

    def widest(over):  # Bonferroni by hand: each of four intervals at 1 - 0.05 / 4
        ends = {
            item.method: end.value + (scipy.stats.t.ppf(1 - 0.05 / 4 / 2, end.df) * end.se if end.se else 0)
            for item in found
            for end in (getattr(item, over),)
        }
        method = max(ends, key=ends.get)
        return f"{ends[method]:+.1f}, of {method}"

    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")][2:]
    assert rows == ["start=fresh", "**weckd**", "length=2", "temperature=cosine,inference=mean"]
    assert (
        "- The paper claims up to +23 points over single (abstract).\n"
        "- Over single that is reached here by 1 of 4 readings: temperature=cosine,inference=mean (+25.0 on toy_two).\n"
        "- Readings whose interval over single reaches it, adjusted for 4 readings: 1 on toy_two (highest end "
        f"{widest('over_single')}).\n"
        "- Over pooled that is reached here by none; the largest gain is +0.0, of temperature=cosine,inference=mean on "
        "toy_two.\n"
        "- Readings whose interval over pooled reaches it, adjusted for 4 readings: 0 on toy_two (highest end "
        f"{widest('over_pooled')}).\n"
    ) in text
    assert "smallest first; exploratory: of 4 readings the largest is too large by selection." in text
    assert "- In bold the reference reading, which is ours and not the paper's.\n" in text
    assert "unadjusted 95 % intervals; nothing is tested. Plan 0123456789ab." in text
    frame = pd.read_csv(tmp_path / "tables" / "readings.csv")
    fresh = frame[(frame["method"] == "start=fresh") & (frame["dataset"] == "toy_two")].iloc[0]
    assert (fresh["start"], fresh["length"], fresh["over_single_pp"]) == ("fresh", 3, pytest.approx(-20.0))
    assert fresh["over_single_low"] < -20 < fresh["over_single_high"] < 0
    assert {file.suffix for file in (tmp_path / "tables").iterdir()} == {".csv", ".json", ".md", ".tex"}


def test_a_reading_that_is_missing_is_printed_as_missing(run, tmp_path):
    suite, folder = run
    for seed in (1, 2, 3, 4, 5):
        file = folder / "toy_two" / f"seed{seed}.parquet"
        frame = pd.read_parquet(file)
        write_predictions(tmp_path / "p" / "toy_two" / file.name, frame[frame["method"] != "start=fresh"])
    write_specification(suite, tmp_path / "p", tmp_path)
    text = (tmp_path / "tables" / "readings.md").read_text()
    line = next(line for line in text.splitlines() if line.startswith("| start=fresh"))
    assert [cell.strip() for cell in line.split("|")[2:4]] == ["missing", "missing"]
    assert text.split("\n\n")[2].splitlines()[-1].startswith("| start=fresh")  # sorted last


def test_the_curve_is_sorted_and_marks_each_readings_choices(run):
    suite, folder = run
    published = read_published(CONFIG / "published.yaml")
    found = replace(results(suite, folder), published=published)
    figure = specification_figure(found, specifications(found))
    above, below = figure.axes
    means = [
        line.get_ydata()[0] for line in above.lines if line.get_marker() == "o" and len(line.get_xdata())
    ]
    assert means == pytest.approx([-20.0, 10.0, 12.5, 25.0])
    (line,) = [line for line in above.lines if line.get_linestyle() == ":"]
    assert set(line.get_ydata()) == {23.0}
    assert [text.get_text() for text in above.texts] == [" +23, the paper's largest gain, over single"]
    assert [text.get_text() for text in above.get_legend().get_texts()] == ["over single", "over pooled"]
    labels = [label.get_text() for label in below.get_yticklabels()]
    marks = {
        label: sorted(
            x
            for line in below.lines
            if len(line.get_xdata()) and line.get_ydata()[0] == y
            for x in line.get_xdata()
        )
        for y, label in enumerate(labels)
    }
    assert marks["start: fresh"] == [0]
    assert marks["start: warm"] == [1, 2, 3]
    assert marks["length: 2"] == [2]
    assert marks["temperature: cosine"] == marks["inference: mean"] == [3]
    # What no reading was run with has no row, and neither has a choice that all made alike.
    assert not {"attention: gate", "attention: transfer", "sizes: same", "length: 4"} & set(marks)


def test_two_runs_give_the_same_bytes(run, tmp_path):
    suite, folder = run
    for name in ("one", "two"):
        write_specification(suite, folder, tmp_path / name)
    for name in ("tables/readings.tex", "figures/specification.svg", "figures/specification.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_reading_that_reaches_the_claim_on_one_data_set_alone_is_told_and_drawn(run, tmp_path):
    suite, folder = run
    both = toy_suite(datasets=("toy_two", "toy_three"))
    suite = replace(suite, datasets=both.datasets, facts=both.facts)
    shutil.copytree(folder, tmp_path / "p")
    right = {**RIGHT, "pooled-2": 14, "length=2": 24}  # over single 4 of 40, over pooled-2 10 of 40
    table = {(method, stage): scores(n) for method, n in right.items() for stage in (1, 2, 3)}
    table = {
        (method, stage): found
        for (method, stage), found in table.items()
        if stage <= {"weckd": 3, "length=2": 2}.get(method, 1)
    }
    write_scores(tmp_path / "p", "toy_three", table, np.arange(40) % 3, np.arange(40), 3)
    write_specification(suite, tmp_path / "p", tmp_path, read_published(CONFIG / "published.yaml"))
    text = (tmp_path / "tables" / "readings.md").read_text(encoding="utf-8")
    assert (
        "- Over single that is reached here by 1 of 4 readings: temperature=cosine,inference=mean (+25.0 on toy_two, "
        "+25.0 on toy_three, +25.0 on macro).\n"
    ) in text
    assert "- Over pooled that is reached here by 1 of 4 readings: length=2 (+25.0 on toy_three).\n" in text
    held = re.findall(
        r"over (\w+) reaches it, .*: (\d) on macro of 2 \(.*\); (\d) on at least one data set \(.* on toy_\w+\)",
        text,
    )
    assert held == [("single", "1", "1"), ("pooled", "0", "1")]
    found = results(suite, tmp_path / "p")
    above, _ = specification_figure(found, specifications(found)).axes
    dashes = [line.get_ydata()[0] for line in above.lines if line.get_marker() == "_"]
    # In the order of the curve: start=fresh, weckd, length=2, and the one that differs in two choices.
    assert dashes == pytest.approx([-20.0, 10.0, 12.5, 25.0, -45.0, -15.0, 25.0, 0.0])


def test_readings_leave_out_what_shares_images_with_a_larger_set(run, tmp_path):
    suite, folder = run
    both = toy_suite(datasets=("toy_two", "toy_three"))
    suite = replace(suite, datasets=both.datasets, facts=both.facts)
    shutil.copytree(folder, tmp_path / "p")
    table = {(method, 1): scores(right) for method, right in RIGHT.items()}
    write_scores(tmp_path / "p", "toy_three", table, np.arange(40) % 3, np.arange(40), 3)
    rows = ("toy_two,toy_three,40,1,False,{}\n", "toy_three,toy_two,90,1,False,{}\n")
    across = tmp_path / "across.csv"
    across.write_text(
        "dataset,other,images,copied,declared,verdict\n" + "".join(rows).format(*[UNDECLARED] * 2)
    )
    for finding, size in ((None, "macro: 2 independent data sets"), (across, "toy_three:")):
        write_specification(suite, tmp_path / "p", tmp_path / "out", across=finding)
        text = (tmp_path / "out" / "tables" / "readings.md").read_text(encoding="utf-8")
        assert f" {size}" in text
    assert "in no mean: toy_two (shares images with toy_three, undeclared)" in text
