import math
import shutil
from dataclasses import replace

import pytest
from matplotlib.image import imread
from small_suite import CLASSES, toy_frame, toy_suite, with_plan, write_cell

from weckd.analysis.figures.gains import (
    chain_figure,
    equivalence_figure,
    forest_figure,
    summary_figure,
    variance_figure,
)
from weckd.analysis.figures.methods import (
    label_curves,
    labels_figure,
    ranks_figure,
    reliability_figure,
    seed_means,
)
from weckd.analysis.figures.style import PALE, save, styled
from weckd.analysis.figures.write import write_figures
from weckd.analysis.inference.reader_study import half_width
from weckd.analysis.metrics import METRICS
from weckd.analysis.metrics.confidence import reliability_curve
from weckd.analysis.predictions import load_predictions
from weckd.analysis.registry import figure_names
from weckd.analysis.results import Results
from weckd.analysis_plan import Family
from weckd.files import FOLDER_SUMS
from weckd.manifests import TrainedCell, TrainedMethod, write_manifest
from weckd.run_files import RunFiles

FILES = [f"{name}.{kind}" for name in figure_names(CLASSES) for kind in ("png", "svg")]
PHANTOM = "PHANTOM IMAGES DRAWN BY THIS SUITE: SAYS NOTHING ABOUT THE PAPER'S DATA."


def results(suite, predictions):
    return Results(suite, load_predictions(suite, predictions), RunFiles(predictions.parent))


@pytest.fixture(scope="module")
def figures(toy_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    write_figures(toy_suite(), toy_folder, folder)
    return folder


def test_two_runs_give_the_same_bytes(figures, toy_folder, tmp_path):
    write_figures(toy_suite(), toy_folder, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, FOLDER_SUMS])
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (figures / name).read_bytes()


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith("svg")])
def test_phantoms_are_marked_in_the_title(figures, name):
    text = (figures / name).read_text(encoding="utf-8")
    assert text.count(f"<!-- {PHANTOM}") == 1
    assert "<dc:date>" not in text
    if name not in ("variance.svg", "equivalence.svg", "confusion-toy_three.svg", "roc-toy_three.svg"):
        # pooled diverged on toy_two; toy_copy lacks a seed; there are no maps; two figures draw no single data set
        assert "missing" in text or "<!-- nothing to draw: " in text
    assert str(figures) not in text


def saved(draw, run, folder, name):
    """Return the drawing that is written of one figure."""
    with styled():
        figure = draw(run)
    save(figure, folder, name)
    return (folder / f"{name}.svg").read_text(encoding="utf-8")


def test_real_images_are_not_marked(toy_predictions, tmp_path):
    run = results(toy_suite(datasets=("toy_two",)), toy_predictions)
    assert "PHANTOM" not in saved(forest_figure, run, tmp_path, "forest")
    assert imread(tmp_path / "forest.png").shape[2] == 4


def test_the_summary_draws_the_means_and_a_dot_a_data_set(toy_predictions):
    figure = summary_figure(results(toy_suite(), toy_predictions))
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        "over single\nthe baseline: M1 alone",
        "over pooled\nis it just more labels?",
        "over one-step\ndoes the chain beat one step?",
        "against full-converged\nthe supervised bar (outside the equal\nbudget)",
    ]
    dots, bar, mean = axis.lines[1:4]  # after the line at zero
    assert dots.get_xdata().tolist() == pytest.approx([22.5, 22.5])  # toy_copy lacks a seed
    assert bar.get_xdata().tolist() == pytest.approx([9.55002837304, 35.449971627])  # as in golden/main.csv
    assert mean.get_xdata().tolist() == pytest.approx([22.5])
    assert [text.get_text() for text in axis.texts] == [
        "+22.5 [+9.6, +35.4] gain",
        "missing",
        "identical",
        "-11.2 [-19.8, -2.7] inferior",
    ]
    between = [line.get_ydata()[0] for line in axis.lines if line.get_color() == PALE]
    assert between == [0.5, 2.5]  # a family each: single; pooled and one-step; full-converged
    assert figure.get_supxlabel().split("\n")[:3] == [
        "diamond: macro of 2 and its 95 % interval; dots: toy_three, toy_two, toy_copy",
        "words: the plan's verdict, after Holm's correction over the rows between two lines",
        "weckd: M1 -> M2 -> M3, each from the last one's weights, taught by it (reference reading)",
    ]
    one = summary_figure(results(toy_suite(datasets=("toy_three",)), toy_predictions))
    assert one.get_supxlabel().startswith("diamond: toy_three and its 95 % interval\n")


def test_what_may_be_as_good_is_drawn_beside_the_margin(toy_predictions):
    families = (Family("like", "equivalence", "weckd", ("single", "one-step", "full-converged")),)
    figure = equivalence_figure(results(with_plan(toy_suite(), families=families), toy_predictions))
    (axis,) = figure.axes
    assert [label.get_text().split("\n")[0] for label in axis.get_yticklabels()] == [
        *("like single", "like one-step", "like full-converged"),
    ]
    assert axis.patches[0].get_x() == -2 and axis.patches[0].get_width() == 4
    assert [text.get_text() for text in axis.texts] == [
        "+22.5 [+9.6, +35.4] different",
        "identical",
        "-11.2 [-19.8, -2.7] open",  # beyond -2 by itself, not after the correction for two tests
    ]
    assert "\nshaded: margin of 2 points\n" in figure.get_supxlabel()
    assert figure.get_suptitle().endswith("What may be as good as weckd: its gains in accuracy, suite toy")


def test_forest_draws_what_the_table_says(toy_predictions):
    run = results(toy_suite(), toy_predictions)
    figure = forest_figure(run)
    panels = {axis.get_title(loc="left"): axis for axis in figure.axes if axis.get_visible()}
    assert list(panels) == [
        "weckd over single",
        "weckd over pooled",
        "weckd over one-step",
        "weckd against full-converged",
    ]
    axis = panels["weckd over single"]
    gain = next(gain for gain in run.drawn if gain.dataset == "toy_three")
    seeds, bar, mean = axis.lines[1:4]  # after the line at zero
    assert seeds.get_xdata().tolist() == pytest.approx(
        [100 * value for value in gain.estimate.study.per_seed]
    )
    half = 100 * half_width(gain.estimate.study, 0.95)
    assert bar.get_xdata().tolist() == pytest.approx([22.5 - half, 22.5 + half])
    assert mean.get_xdata().tolist() == pytest.approx([22.5])
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == ["toy_three", "toy_two", "toy_copy †", "macro of 2", "a new data set"]
    assert [text.get_text() for text in panels["weckd over pooled"].texts] == ["missing"] * 3


def test_chain_draws_each_stage_over_its_first(toy_predictions):
    run = results(toy_suite(), toy_predictions)
    figure = chain_figure(run)
    axis = figure.axes[0]
    assert axis.get_ylabel() == "over M1"
    mean = axis.lines[-1].get_ydata()
    assert mean[0] == 0
    last = next(
        gain
        for gain in run.drawn
        if gain.comparison.reference == "own stage 1" and gain.dataset == "toy_three"
    )
    assert mean[2] == pytest.approx(100 * last.estimate.study.estimate)
    assert len(axis.lines) == 5 + 1 + 1  # seeds, zero, mean


def test_runs_without_a_chain_or_a_plan_say_so(toy_predictions, tmp_path):
    run = results(with_plan(toy_suite(), families=(), claims=()), toy_predictions)
    text = saved(chain_figure, run, tmp_path, "chain")
    assert "no method of this run has stages to follow; add a chain, such as weckd" in text
    text = saved(forest_figure, run, tmp_path, "forest")
    assert "none of the plan's families has its methods in this run" in text


def test_few_seeds_draw_no_interval(toy_predictions):
    run = results(toy_suite(seeds=(1, 2)), toy_predictions)
    axis = forest_figure(run).axes[0]
    assert not [line for line in axis.lines if line.get_linewidth() == 1.3]
    assert not chain_figure(run).axes[0].collections


def test_forest_draws_the_prediction_interval_of_a_new_data_set(toy_predictions):
    axis = next(
        a
        for a in forest_figure(results(toy_suite(), toy_predictions)).axes
        if a.get_title(loc="left") == "weckd against full-converged"
    )
    dashed = next(
        line for line in axis.lines if line.get_linestyle() == "--" and list(line.get_ydata()) == [4, 4]
    )
    # Two data sets, -11.67 and -10.83 points: mean -+ t(1) * sd * sqrt(1 + 1/2).
    half = 12.7062 * (0.83333 / 2**0.5) * 1.5**0.5
    assert dashed.get_xdata().tolist() == pytest.approx([-11.25 - half, -11.25 + half], abs=1e-3)


def test_variance_bars_are_the_shares_of_the_gains(toy_predictions):
    run = results(toy_suite(), toy_predictions)
    axis = variance_figure(run).axes[0]
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels[0] == "over single (macro of 2)"
    assert labels[3] == "against full-converged (toy_three (otoscopy))"
    shown = [gain for gain in run.drawn if gain.decides and gain.comparison.kind != "equivalence"]
    widths = [bar.get_width() for bar in axis.patches]
    known = [
        gain.estimate.study
        for gain in shown
        if gain.estimate.study is not None and gain.estimate.study.se > 0
    ]
    assert widths[::2] == pytest.approx([100 * study.seed_share for study in known])
    assert widths[1::2] == pytest.approx([100 - 100 * study.seed_share for study in known])
    texts = [text.get_text() for text in axis.texts]
    assert texts[:3] == [f"{100 * known[0].se:.1f}", "missing", "no variation"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["seeds", "images"]
    assert not variance_figure(results(toy_suite(seeds=(1, 2)), toy_predictions)).axes


def test_the_parts_of_the_variance_are_named_where_the_first_comparison_is_missing(toy_predictions):
    families = (*toy_suite().analysis.families[1:], toy_suite().analysis.families[0])
    axis = variance_figure(results(with_plan(toy_suite(), families=families), toy_predictions)).axes[0]
    assert axis.texts[0].get_text() == "missing"
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["seeds", "images"]


def test_reliability_draws_the_bins_and_prints_the_error(toy_predictions):
    run = results(toy_suite(), toy_predictions)
    figure = reliability_figure(run)
    axes = [axis for axis in figure.axes if axis.get_ylabel() == "single\naccuracy, %"]
    predicted = run.predictions.datasets["toy_three"].predicted("single", 1)
    curve = reliability_curve(predicted.probabilities, predicted.y)
    assert axes[0].lines[1].get_ydata().tolist() == pytest.approx(curve.accuracy.tolist())
    # Every confidence is .9 and the mean accuracy .542: the error is the mean of |accuracy of a seed - .9|.
    error = 100 * METRICS["ece"].score(predicted).values.mean()
    assert error == pytest.approx(100 * (0.9 - 0.5416667), abs=1e-3)
    assert [text.get_text() for text in axes[0].texts] == [f"ECE {error:.1f}"]
    assert len(axes[0].lines) == 2  # no validation predictions, so no curve after scaling
    columns = len(run.suite.datasets)
    copies = figure.axes[2::columns]
    assert [axis.texts[0].get_text() for axis in copies] == ["missing"] * 4


def test_ranks_need_three_whole_data_sets(toy_predictions, tmp_path):
    suite = toy_suite()
    run = results(suite, toy_predictions)
    means = seed_means(run)
    assert list(means.index) == ["toy_three", "toy_two"]
    assert means.loc["toy_two"].isna().to_dict()["pooled"]
    assert (
        ranks_figure(run).get_label()
        == "6 whole methods on 2 independent data sets; ranks need at least 3 of both"
    )
    facts = {key: replace(fact, derived_from=()) for key, fact in suite.facts.items()}
    for dataset in suite.datasets:
        for seed in suite.seeds:
            write_cell(tmp_path, toy_frame(dataset, seed))
    whole = results(toy_suite(facts=facts), tmp_path)
    figure = ranks_figure(whole)
    ranks = seed_means(whole).rank(axis="columns", ascending=False).mean()
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert f"full-converged ({ranks['full-converged']:.1f})" in texts
    assert "description only" in figure.get_suptitle()
    # Seven methods on three data sets: chi-squared 18 on 6 df; and q = 6 / sqrt(56 / 36) = 4.81 of seven means.
    assert "(at least .006 here)" in figure.get_supxlabel()
    assert "(5 %; p at least .012 here)" in figure.get_supxlabel()


def test_ranks_begin_with_the_least_of_a_metric_whose_least_is_best(toy_predictions):
    suite = with_plan(toy_suite(), metrics=("brier", "accuracy"))
    means = seed_means(results(suite, toy_predictions)).loc["toy_three"]
    assert means.idxmax() == "full-converged"
    assert (means < 0).all()


def test_labels_are_counted_by_stage_and_by_method(toy_folder, tmp_path):
    suite = toy_suite(datasets=("toy_three",))
    run = replace(results(suite, toy_folder / "predictions"), files=RunFiles(tmp_path))
    nowhere = label_curves(run)["toy_three"]
    assert all(math.isnan(point.labels) for points in nowhere.values() for point in points)
    shutil.copytree(toy_folder / "splits", tmp_path / "splits")
    labels = {"single": 8, "pooled": 25, "full-converged": 82}
    methods = {name: TrainedMethod(count, [], []) for name, count in labels.items()}
    cells = [TrainedCell("toy_three", seed, 1, {}, {}, {}, methods) for seed in suite.seeds]
    write_manifest(tmp_path / "manifests" / "toy_three" / "seeds1-5.json", cells)
    curves = label_curves(run)["toy_three"]
    assert list(curves) == ["weckd, stage by stage", "no chain"]
    chain, no_chain = curves.values()
    assert [point.labels for point in chain] == pytest.approx([8, 16, 25.6])  # D3 holds 8 once, else 10
    assert [(point.labels, round(point.mean, 1)) for point in no_chain] == [
        (8, 54.2),
        (25, 82.5),
        (82, 88.3),
    ]
    assert no_chain[0].half_width == pytest.approx(4.0647, abs=1e-3)
    axis = labels_figure(run).axes[0]
    assert axis.lines[0].get_ydata().tolist() == pytest.approx([point.mean for point in chain])
    # No interval hides another's: the second curve is drawn aside; and a count of labels is printed once.
    assert axis.lines[1].get_xdata().tolist() == pytest.approx([1.04 * labels for labels in (8, 25, 82)])
    assert [label.get_text() for label in axis.get_xticklabels()] == ["8", "16", "25", "26", "82"]
