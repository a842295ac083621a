"""Confusion matrices and ROC curves: counts and points by hand, what is drawn of them, and what is said beside them."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix, roc_curve
from small_suite import toy_suite

from weckd.analysis.figures import classes
from weckd.analysis.figures.classes import MOST_POINTS, class_areas, confusion_figure, roc_figure
from weckd.analysis.figures.style import styled
from weckd.analysis.metrics import METRICS
from weckd.analysis.metrics.scores import Predicted, confusion, roc
from weckd.analysis.predictions import load_predictions
from weckd.analysis.results import Results
from weckd.run_files import RunFiles


def predicted(probabilities, y):
    """Return predictions of images that are each a group of their own."""
    return Predicted(np.array(probabilities, np.float32), np.array(y), np.arange(len(y)), ())


def drawn_values(n_images=60, n_classes=3, k=4, digits=2):
    """Return probabilities of two digits, so that many of them are equal."""
    draw = np.random.default_rng(22)
    values = draw.dirichlet(np.ones(n_classes), (k, n_images)).round(digits)
    return predicted(values, np.arange(n_images) % n_classes)


def results(suite, folder):
    return Results(suite, load_predictions(suite, folder), RunFiles(folder.parent))


def figure_of(draw, suite, folder, dataset="toy_three"):
    with styled():
        return draw(results(suite, folder), dataset)


def panels(figure):
    return {axis.get_title(): axis for axis in figure.axes if axis.get_visible()}


def words(axis):
    return [text.get_text() for text in axis.texts]


def legend(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def test_counts_are_of_the_most_probable_class_and_the_first_of_a_tie():
    first = [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.4, 0.4, 0.2], [0.1, 0.1, 0.8], [0.1, 0.2, 0.7]]
    second = [[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]
    assert confusion(predicted([first, second], [0, 0, 1, 1, 2])).tolist() == [
        [[1, 1, 0], [1, 0, 1], [0, 0, 1]],
        [[2, 0, 0], [0, 2, 0], [0, 0, 1]],
    ]


def test_a_classes_never_predicted_has_a_column_of_zeros_as_somebody_elses_matrix_has():
    found = drawn_values(n_classes=5)
    for seed, counts in enumerate(confusion(found)):
        chosen = found.probabilities[seed].argmax(axis=1)
        assert counts.tolist() == confusion_matrix(found.y, chosen, labels=range(5)).tolist()
    alone = predicted([[[0.9, 0.1, 0.0]] * 3], [0, 1, 2])
    assert confusion(alone)[0].tolist() == [[1, 0, 0]] * 3


def test_images_of_one_score_are_one_step_of_a_curve():
    false, true = roc(np.array([0.8, 0.3, 0.9, 0.8], np.float32), np.array([True, False, True, False]))
    assert (false.tolist(), true.tolist()) == ([0, 0, 0.5, 1], [0, 0.5, 1, 1])
    # Of four pairs three are in order, one is a tie.
    assert np.trapezoid(true, false) == 3.5 / 4


def test_points_are_those_of_somebody_elses_curve():
    found = drawn_values()
    for scores in found.probabilities:
        of_class = found.y == 1
        false, true, _ = roc_curve(of_class, scores[:, 1], drop_intermediate=False)
        ours = roc(scores[:, 1], of_class)
        assert ours[0] == pytest.approx(false, abs=1e-15)
        assert ours[1] == pytest.approx(true, abs=1e-15)


@pytest.mark.parametrize("n_classes", [2, 3, 8])
def test_areas_are_those_of_the_table(n_classes):
    found = drawn_values(n_classes=n_classes)
    known = METRICS["macro_auroc"].score(found).values
    areas = np.mean([class_areas(found, label) for label in range(n_classes)], axis=0)
    assert areas == pytest.approx(known, abs=1e-14)
    false, true = classes.roc_curve(found, range(n_classes))
    assert len(false) <= 2 * MOST_POINTS
    assert np.trapezoid(true, false) == pytest.approx(known, abs=1e-14)
    assert np.trapezoid(true.mean(axis=0), false) == pytest.approx(known.mean(), abs=1e-14)


def test_a_curve_of_many_images_is_drawn_at_fewer_rates():
    found = drawn_values(n_images=3000, k=2, digits=7)
    false, true = classes.roc_curve(found, [0])
    assert len(false) == 2 * MOST_POINTS
    assert np.trapezoid(true, false) == pytest.approx(class_areas(found, 0), abs=1e-4)
    exact = roc(found.probabilities[0, :, 0], found.y == 0)
    at = np.flatnonzero(exact[0] == 0.25)  # upright there
    assert true[0, false == 0.25].tolist() == pytest.approx([exact[1][at[0]], exact[1][at[-1]]])


def test_a_matrix_shows_percent_of_the_true_class_over_all_seeds(toy_predictions):
    figure = figure_of(confusion_figure, toy_suite(), toy_predictions)
    found = panels(figure)
    assert list(found) == ["weckd", "single", "pooled", "full-converged"]
    data = results(toy_suite(), toy_predictions).predictions.datasets["toy_three"]
    counts = confusion(data.predicted("single", 1)).sum(axis=0)
    # 24 images with five seeds: twelve of a, six of b and of c; what is wrong is called the next class.
    assert counts.tolist() == [[32, 28, 0], [0, 15, 15], [12, 0, 18]]
    axis = found["single"]
    assert words(axis) == ["53", "47", "", "", "50", "50", "40", "", "60"]
    assert [label.get_text() for label in found["weckd"].get_yticklabels()] == ["a (12)", "b (6)", "c (6)"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["a", "b", "c"]
    assert axis.yaxis_inverted()
    assert axis.get_xlabel() == "predicted class"
    assert found["weckd"].get_ylabel() == "true class (test images)"


def test_figures_of_classes_say_what_they_show(toy_predictions):
    figure = figure_of(confusion_figure, toy_suite(), toy_predictions)
    phantom = "PHANTOM IMAGES DRAWN BY THIS SUITE: SAYS NOTHING ABOUT THE PAPER'S DATA.\n"
    below = (
        "\n24 test images in 15 groups; in no family of the plan: a description"
        "\nk = 5 seeds; plan 0123456789ab; † derived, in no mean"
    )
    assert figure.get_suptitle() == f"{phantom}Confusion of classes on toy_three, last stages, suite toy"
    assert figure.get_supxlabel() == (
        f"percent of a true class's images that are called so, 5 seeds pooled; empty: none{below}"
    )
    figure = figure_of(roc_figure, toy_suite(), toy_predictions)
    assert figure.get_suptitle() == f"{phantom}ROC curves of toy_three, last stages, suite toy"
    assert figure.get_supxlabel() == (
        "a class against all others by its probability; line: mean over seeds at each false positive rate; band:\n"
        f"lowest to highest seed there, no interval; number: area under the curve, percent, mean over seeds{below}"
    )


def test_none_and_all_are_told_from_nearly_none_and_nearly_all():
    percent = (0, 0.1, 0.9, 1, 1.4, 50, 98.6, 99, 99.1, 100)
    shown = ["", "<1", "<1", "1", "1", "50", "99", "99", ">99", "100"]
    assert [classes._percent(x) for x in percent] == shown


def test_words_in_cells_have_the_contrast_that_wcag_asks_for():
    def luminance(colour):
        parts = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in to_rgb(colour)]
        return float(np.dot(parts, [0.2126, 0.7152, 0.0722]))

    for percent in range(101):
        of_words = luminance("white" if percent >= classes.WHITE_FROM else "black")
        low, high = sorted([luminance(classes.SHADES(percent / 100)), of_words])
        assert (high + 0.05) / (low + 0.05) >= 4.5, percent


def test_long_names_of_classes_are_broken_behind_underscores():
    assert classes._broken("chronic_suppurative_otitis_media") == "chronic_\nsuppurative_\notitis_media"
    assert classes._broken("normal") == "normal"
    assert classes._broken("two words") == "two words"


def test_curves_are_the_mean_of_seeds_between_their_lowest_and_highest(toy_predictions):
    figure = figure_of(roc_figure, toy_suite(), toy_predictions)
    found = panels(figure)
    assert list(found) == ["mean over classes (macro)", "a", "b", "c"]
    run = results(toy_suite(), toy_predictions)
    data = run.predictions.datasets["toy_three"]
    single = data.predicted("single", 1)
    of_methods = {
        name: 100 * METRICS["macro_auroc"].score(data.predicted(name, stage)).values.mean()
        for name, stage in (("weckd", 3), ("single", 1), ("pooled", 1), ("full-converged", 1))
    }
    axis = found["mean over classes (macro)"]
    assert legend(axis) == [f"{name} {area:.1f}" for name, area in of_methods.items()]
    diagonal, _, line, *_ = axis.lines
    assert diagonal.get_xydata().tolist() == [[0, 0], [100, 100]]
    assert line.get_xydata()[[0, -1]].tolist() == [[0, 0], [100, 100]]
    area = np.trapezoid(line.get_ydata(), line.get_xdata()) / 100
    assert area == pytest.approx(of_methods["single"], abs=1e-10)
    assert legend(found["b"])[1] == f"single {100 * np.mean(class_areas(single, 1)):.1f}"


def test_a_band_is_from_the_lowest_to_the_highest_seed_at_each_rate():
    ones = [[0.9, 0.8, 0.2, 0.1], [0.8, 0.3, 0.5, 0.1]]  # of two seeds, images of class 1 first
    found = predicted([[[1 - x, x] for x in seed] for seed in ones], [1, 1, 0, 0])
    false, true = classes.roc_curve(found, [1])
    assert false.tolist() == [0, 0, 0.5, 0.5, 1, 1]
    assert true.tolist() == [[0, 1, 1, 1, 1, 1], [0, 0.5, 0.5, 1, 1, 1]]
    axis = Figure().subplots()
    classes._curve(axis, false, true, classes.LINES[0], "chain 87.5")
    corners = [(0, 0), (0, 50), (50, 50), (50, 100), (100, 100), (100, 100), (0, 100), (0, 0)]
    assert list(map(tuple, axis.patches[0].get_xy().tolist())) == corners
    assert axis.lines[0].get_xydata().tolist() == [[0, 0], [0, 75], [50, 75], [50, 100], [100, 100]]


def test_of_two_classes_the_second_alone_is_drawn_and_a_method_that_diverged_is_missing(toy_predictions):
    figure = figure_of(roc_figure, toy_suite(), toy_predictions, "toy_two")
    axis = panels(figure)["yes against no"]
    assert len(panels(figure)) == 1
    assert legend(axis)[2] == "pooled: missing"
    data = results(toy_suite(), toy_predictions).predictions.datasets["toy_two"]
    area = METRICS["macro_auroc"].score(data.predicted("single", 1)).values.mean()
    assert legend(axis)[1] == f"single {100 * area:.1f}"
    line = axis.lines[2]
    assert np.trapezoid(line.get_ydata(), line.get_xdata()) / 1e4 == pytest.approx(area, abs=1e-12)
    matrix = panels(figure_of(confusion_figure, toy_suite(), toy_predictions, "toy_two"))["pooled"]
    assert words(matrix) == ["missing"]


@pytest.mark.parametrize("draw", [confusion_figure, roc_figure])
def test_what_cannot_be_drawn_is_said(draw, toy_predictions):
    """A seed of toy_copy is missing, so that nothing of it is whole."""
    figure = figure_of(draw, toy_suite(), toy_predictions, "toy_copy")
    assert figure.get_label() == "missing: toy_copy seed 3"
    assert "on toy_copy †" in figure.get_suptitle() or "of toy_copy †" in figure.get_suptitle()
    suite = toy_suite(methods=("permuted",))
    with styled():
        nobody = draw(replace(results(toy_suite(), toy_predictions), suite=suite), "toy_three")
    assert nobody.get_label() == (
        "neither a chain nor single, pooled, full-converged is in this run; add one of them"
    )
