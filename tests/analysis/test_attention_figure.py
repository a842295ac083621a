"""The figure of attention maps: what it draws of hand-made files, and what it says where something is missing."""

import numpy as np
import pytest
from attention_files import toy_arrays, write_arrays, write_toy_attention
from small_suite import toy_suite

from weckd.analysis.figures.attention import attention_figure
from weckd.analysis.figures.style import ACCENT, GREY, save, styled
from weckd.analysis.results import Results
from weckd.run_files import RunFiles

PHANTOM = "PHANTOM IMAGES DRAWN BY THIS SUITE: SAYS NOTHING ABOUT THE PAPER'S DATA."


def figure_of(suite, folder):
    with styled():
        return attention_figure(Results(suite, None, RunFiles(folder)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attention")
    write_toy_attention(folder)
    return folder


def said(figure):
    """Return the words that stand in the axes, without titles and ticks."""
    return [text.get_text() for axis in figure.axes for text in axis.texts]


def pictures(figure):
    return [axis.images[0] for axis in figure.axes if axis.images]


def panels(figure):
    """Return the panels with lines: sharpness and agreement of each data set in turn."""
    return [axis for axis in figure.axes if axis.lines]


def test_examples_are_images_beside_the_maps_of_each_model(folder):
    figure = figure_of(toy_suite(datasets=("toy_three",)), folder)
    shown = pictures(figure)
    assert len(shown) == 2 * (1 + 3)
    assert np.array_equal(shown[4].get_array(), toy_arrays("toy_three")["example_images"][1])
    assert np.array_equal(shown[6].get_array(), toy_arrays("toy_three")["example_maps"][1, 1])
    # One scale for the maps of an image, from zero to the brightest point of them: 3 / 6, of M3.
    assert [picture.get_clim() for picture in shown[1:4]] == [(0, 0.5)] * 3
    assert {picture.get_cmap().name for picture in (*shown[1:4], *shown[5:])} == {"gray"}
    first = [axis for axis in figure.axes if axis.images][:4]
    assert [axis.get_title() for axis in first] == ["image", "M1", "M2", "M3"]
    assert first[0].get_ylabel() == "a"


def test_numbers_are_the_means_over_images_a_line_a_seed_and_their_mean(folder):
    sharp, agreeing = panels(figure_of(toy_suite(datasets=("toy_three",)), folder))
    assert [line.get_color() for line in sharp.lines] == [GREY] * 5 + [ACCENT]
    assert sharp.lines[0].get_xdata().tolist() == [1, 2, 3]
    assert sharp.lines[0].get_ydata() == pytest.approx([0.35, 0.45, 0.58])  # seed 1
    assert sharp.lines[5].get_ydata() == pytest.approx([0.35, 0.45, 0.6])
    assert agreeing.lines[5].get_xdata().tolist() == [2, 3]
    assert agreeing.lines[5].get_ydata() == pytest.approx([0.9, 0.93])
    assert [label.get_text() for label in agreeing.get_xticklabels()] == ["M2 with M1", "M3 with M2"]
    assert sharp.get_title() == "sharpness"


def test_what_is_missing_or_diverged_is_said(folder):
    figure = figure_of(toy_suite(), folder)
    names = ["toy_three", "toy_two", "missing", "missing", "missing", "missing", "toy_copy †", "missing"]
    assert said(figure)[: len(names)] == names
    gone = panels(figure)[2].lines  # sharpness of toy_two
    assert np.isnan(gone[1].get_ydata()[1:]).all()  # seed 2
    assert gone[0].get_ydata() == pytest.approx([0.25, 0.35, 0.48])
    assert np.isnan(gone[5].get_ydata()[1:]).all()  # no mean of the seeds that are left


def test_a_model_that_diverged_with_the_first_seed_has_no_map(tmp_path):
    arrays = toy_arrays("toy_three")
    arrays["diverged"][0, 1:] = True
    arrays["sharpness"][0, 1:], arrays["agreement"][0], arrays["example_maps"][1:] = np.nan, np.nan, np.nan
    write_arrays(tmp_path, arrays)
    figure = figure_of(toy_suite(datasets=("toy_three",)), tmp_path)
    assert said(figure).count("diverged") == 2 * 2
    assert len(pictures(figure)) == 2 * 2


def test_records_without_images_still_show_their_numbers(folder, tmp_path):
    arrays = {
        name: value for name, value in toy_arrays("toy_three").items() if not name.startswith("example")
    }
    write_arrays(tmp_path, arrays)
    suite = toy_suite(datasets=("toy_three",))
    figure = figure_of(suite, tmp_path)
    assert "no images in these records" in said(figure)
    assert pictures(figure) == []
    numbers = [[line.get_ydata().tolist() for line in axis.lines] for axis in panels(figure)]
    whole = [[line.get_ydata().tolist() for line in axis.lines] for axis in panels(figure_of(suite, folder))]
    assert numbers == whole


def test_phantoms_and_the_size_of_the_maps_are_told(folder):
    figure = figure_of(toy_suite(), folder)
    assert figure.get_suptitle() == (
        f"{PHANTOM}\nAttention maps of the chain's models on the same test images, suite toy"
    )
    assert figure.get_supxlabel().startswith(
        "maps of 4x4: mean over channels of the squared activation, deepest"
    )
    assert figure.get_supxlabel().endswith(
        "in no family of the plan: a description\nk = 5 seeds; plan 0123456789ab; † derived, in no mean"
    )
    assert PHANTOM not in figure_of(toy_suite(datasets=("toy_two",)), folder).get_suptitle()


def test_two_runs_give_the_same_bytes(folder, tmp_path):
    for name in ("one", "two"):
        save(figure_of(toy_suite(datasets=("toy_three",)), folder), tmp_path / name, "attention")
    for kind in ("svg", "png"):
        one, two = ((tmp_path / name / f"attention.{kind}").read_bytes() for name in ("one", "two"))
        assert one == two
    assert PHANTOM in (tmp_path / "one" / "attention.svg").read_text(encoding="utf-8")


def test_a_run_without_a_chain_says_so(tmp_path):
    figure = figure_of(toy_suite(methods=("single",)), tmp_path)
    assert figure.get_suptitle().endswith("Attention maps, suite toy")
