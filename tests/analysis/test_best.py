"""Which methods of a row are bold: the best, and those that are not significantly worse."""

import numpy as np
import pytest
from small_suite import toy_suite, write_scores, write_text

from weckd.analysis.results import load_run
from weckd.analysis.sheet import best_methods
from weckd.config import suite_json

N = 400


def bold(tmp_path, methods, **changes):
    """Return the bold methods, of `methods`: how many of 400 images each has right, the same for all seeds."""
    suite = toy_suite(datasets=("toy_two",), methods=tuple(methods), **changes)
    write_text(tmp_path / "suite.json", suite_json(suite))
    scores = {(name, 1): np.tile(np.arange(N) < right, (5, 1)) for name, right in methods.items()}
    write_scores(tmp_path / "predictions", "toy_two", scores, np.arange(N) % 2, np.arange(N), 2)
    evaluation = load_run(suite, tmp_path)
    levels = [x for x in evaluation.levels if x.metric == "accuracy" and x.dataset == "toy_two"]
    return best_methods(evaluation, levels)


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        # Seeds are alike, so that each is a t test over images: 3 of 400 differ, p = .083; 4 of 400, p = .045.
        ({"weckd": 360, "single": 357}, {"weckd", "single"}),
        ({"weckd": 360, "single": 356}, {"weckd"}),
        # Two others: p = .045 twice, by Holm .090, and the far one .000.
        ({"weckd": 360, "single": 356, "pooled": 356}, {"weckd", "single", "pooled"}),
        ({"weckd": 360, "single": 356, "pooled": 200}, {"weckd"}),
        ({"weckd": 360, "single": 360}, {"weckd", "single"}),  # identical: p is not defined
    ],
)
def test_the_best_and_all_not_significantly_worse(tmp_path, methods, expected):
    assert bold(tmp_path, methods) == expected


def test_nothing_is_bold_with_few_seeds_or_a_missing_level(tmp_path):
    assert bold(tmp_path, {"weckd": 360, "single": 200}, seeds=(1, 2)) == set()
    suite = toy_suite(datasets=("toy_two",), methods=("weckd", "pooled"))
    evaluation = load_run(suite, tmp_path / "nowhere")
    levels = [x for x in evaluation.levels if x.metric == "accuracy" and x.dataset == "toy_two"]
    assert best_methods(evaluation, levels) == set()
