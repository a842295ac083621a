import pytest
from matplotlib.image import imread
from small_suite import toy_suite, with_plan

from weckd.analysis.figures.chain import chain_figure
from weckd.analysis.figures.forest import forest_figure
from weckd.analysis.figures.write import write_figures
from weckd.analysis.gains import planned_gains
from weckd.analysis.inference.reader_study import half_width
from weckd.analysis.predictions import load_predictions

FILES = ["chain.png", "chain.svg", "forest.png", "forest.svg"]
PHANTOM = "PHANTOM IMAGES DRAWN BY THIS SUITE: SAYS NOTHING ABOUT THE PAPER'S DATA."


@pytest.fixture(scope="module")
def figures(toy_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    write_figures(toy_suite(), toy_folder, folder)
    return folder


def test_two_runs_give_the_same_bytes(figures, toy_folder, tmp_path):
    write_figures(toy_suite(), toy_folder, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (figures / name).read_bytes()


@pytest.mark.parametrize("name", ["chain.svg", "forest.svg"])
def test_phantoms_are_marked_in_the_title(figures, name):
    text = (figures / name).read_text(encoding="utf-8")
    assert text.count(f"<!-- {PHANTOM}") == 1
    assert "<dc:date>" not in text
    assert "missing" in text  # pooled diverged on toy_two; toy_copy lacks a seed


def test_real_images_are_not_marked(toy_folder, tmp_path):
    write_figures(toy_suite(datasets=("toy_two",)), toy_folder, tmp_path)
    assert "PHANTOM" not in (tmp_path / "forest.svg").read_text(encoding="utf-8")
    assert imread(tmp_path / "forest.png").shape[2] == 4


def test_forest_draws_what_the_table_says(toy_predictions):
    suite = toy_suite()
    gains = planned_gains(suite, load_predictions(suite, toy_predictions))
    figure = forest_figure(suite, gains)
    panels = {axis.get_title(loc="left"): axis for axis in figure.axes if axis.get_visible()}
    assert list(panels) == [
        "weckd over single",
        "weckd over pooled",
        "weckd over one-step",
        "weckd against full-converged",
    ]
    axis = panels["weckd over single"]
    gain = next(gain for gain in gains if gain.dataset == "toy_three")
    seeds, bar, mean = axis.lines[1:4]  # after the line at zero
    assert seeds.get_xdata().tolist() == pytest.approx([100 * value for value in gain.study.per_seed])
    half = 100 * half_width(gain.study, 0.95)
    assert bar.get_xdata().tolist() == pytest.approx([22.5 - half, 22.5 + half])
    assert mean.get_xdata().tolist() == pytest.approx([22.5])
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert labels == ["toy_three", "toy_two", "toy_copy †", "macro of 2"]
    assert [text.get_text() for text in panels["weckd over pooled"].texts] == ["missing"] * 3


def test_chain_draws_each_stage_over_its_first(toy_predictions):
    suite = toy_suite()
    loaded = load_predictions(suite, toy_predictions)
    figure = chain_figure(suite, loaded)
    axis = figure.axes[0]
    assert axis.get_ylabel() == "over own stage 1"
    mean = axis.lines[-1].get_ydata()
    assert mean[0] == 0
    last = next(
        gain
        for gain in planned_gains(suite, loaded)
        if gain.comparison.reference == "own stage 1" and gain.dataset == "toy_three"
    )
    assert mean[2] == pytest.approx(100 * last.study.estimate)
    assert len(axis.lines) == 5 + 1 + 1  # seeds, zero, mean


def test_runs_without_a_chain_or_a_plan_say_so(toy_folder, tmp_path):
    write_figures(with_plan(toy_suite(), families=(), claims=()), toy_folder, tmp_path)
    assert "No method of toy has stages to follow" in (tmp_path / "chain.svg").read_text(encoding="utf-8")
    text = (tmp_path / "forest.svg").read_text(encoding="utf-8")
    assert "none of the plan's families has its methods in this run" in text


def test_few_seeds_draw_no_interval(toy_predictions):
    suite = toy_suite(seeds=(1, 2))
    loaded = load_predictions(suite, toy_predictions)
    axis = forest_figure(suite, planned_gains(suite, loaded)).axes[0]
    assert not [line for line in axis.lines if line.get_linewidth() == 1.3]
    assert not chain_figure(suite, loaded).axes[0].collections
