"""Figures of runs that have little to draw: nothing is clipped, and what is empty says what would fill it."""

import numpy as np
import pytest
from small_suite import toy_frame, toy_suite, write_cell, write_toy_splits

from weckd.analysis.figures.style import save, short_name, styled, wrapped
from weckd.analysis.figures.write import drawn_figures
from weckd.analysis.registry import figure_names
from weckd.analysis.results import load_run

LONG = "a-suite-of-a-name-that-is-longer-than-any-figure-of-one-data-set-is-wide-at-its-own-size"


def run_of(suite, folder, *, diverged=False):
    """Write the predictions and splits of a part of the small suite."""
    for dataset in suite.datasets:
        for seed in suite.seeds:
            frame = toy_frame(dataset, seed)
            if diverged:
                frame.loc[:, [name for name in frame if name.startswith("p_")]] = np.nan
            write_cell(folder / "predictions", frame[frame["method"].isin(suite.methods)])
    write_toy_splits(folder / "splits")
    return folder


def drawn(suite, folder):
    """Return every figure of a run, as it was when its files were written."""
    return drawn_figures(load_run(suite, folder))


def test_every_figure_of_the_registry_is_drawn(toy_folder):
    assert tuple(drawn(toy_suite(), toy_folder)) == figure_names(toy_suite().datasets)


@pytest.mark.parametrize("run", ["toy", LONG])
@pytest.mark.parametrize("datasets", [("toy_two",), ("toy_three", "toy_two")])
def test_no_words_stand_beyond_the_edges_of_a_figure(tmp_path, run, datasets):
    suite = toy_suite(run=run, datasets=datasets, methods=("weckd", "single"))
    with styled():
        figures = drawn(suite, run_of(suite, tmp_path))
    for name, figure in figures.items():
        save(figure, tmp_path, name, kinds=())  # laid out alone
        with styled():
            box = figure.get_tightbbox()
        width, height = figure.get_size_inches()
        assert box.x0 >= 0, name
        assert box.y0 >= 0, name
        assert box.x1 <= width, name
        assert box.y1 <= height, name


def test_a_figure_that_holds_its_words_keeps_its_size(toy_folder, tmp_path):
    with styled():
        figures = drawn(toy_suite(), toy_folder)
    for name, figure in figures.items():
        size = tuple(figure.get_size_inches())
        save(figure, tmp_path, name, kinds=())
        assert tuple(figure.get_size_inches()) == size, name


def test_names_of_sixty_letters_are_broken_into_lines(toy_predictions):
    assert wrapped("over single", 26) == "over single"
    name = "a-method-with-a-very-long-name-of-sixty-letters-in-all-of-it"
    assert wrapped(f"over {name}", 26) == (
        "over a-method-with-a-very-\nlong-name-of-sixty-\nletters-in-all-of-it"
    )
    assert short_name(toy_suite(), "toy_copy") == "toy_copy †"


def test_a_run_of_one_method_and_seed_says_what_would_fill_each_figure(tmp_path):
    suite = toy_suite(datasets=("toy_two",), methods=("single",), seeds=(1,))
    family = (
        "none of the plan's families has its methods in this run; add those of one, such as weckd and single"
    )
    assert {name: figure.get_label() for name, figure in drawn(suite, run_of(suite, tmp_path)).items()} == {
        "summary": family,
        "forest": family,
        "equivalence": family,
        "chain": "no method of this run has stages to follow; add a chain, such as weckd",
        "copied": "no method of this run has stages to follow; add a chain, such as weckd",
        "labels": "neither a chain nor single, pooled, full, full-converged has predictions and a known number of "
        "labels in this run",
        "curves": "no point of the curves is in this run; add some, such as weckd-60 and pooled-60",
        "variance": family,
        "reliability": "",
        "ranks": "1 whole method on 1 independent data set; ranks need at least 3 of both",
        "attention": "no method of this run is a chain; add one, such as weckd",
        "confusion-toy_two": "",
        "roc-toy_two": "",
    }


def test_a_run_that_diverged_as_a_whole_draws_no_scales_of_nothing(tmp_path):
    suite = toy_suite(datasets=("toy_two",), methods=("weckd", "single"))
    labels = {
        name: figure.get_label()
        for name, figure in drawn(suite, run_of(suite, tmp_path, diverged=True)).items()
    }
    both = "toy_two seeds 1, 2, 3, 4, 5 weckd diverged; toy_two seeds 1, 2, 3, 4, 5 single diverged"
    of_all = ("summary", "forest", "variance", "reliability", "confusion-toy_two", "roc-toy_two")
    assert {labels[name] for name in of_all} == {f"missing: {both}"}
    assert labels["chain"] == "missing: toy_two seeds 1, 2, 3, 4, 5 weckd diverged"
    assert labels["ranks"] == "0 whole methods on 1 independent data set; ranks need at least 3 of both"


def test_too_few_seeds_for_variance_are_counted(toy_folder):
    suite = toy_suite(seeds=(1,))
    assert drawn(suite, toy_folder)["variance"].get_label() == "1 seed; the plan needs at least 5"
