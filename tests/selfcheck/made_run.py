"""Runs with ten seeds and known right answers, for the tests."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from small_suite import toy_suite, write_scores

from weckd.config import DatasetFacts, Suite, suite_json
from weckd.files import write_text
from weckd.seeds import generator

GROUPS = np.concatenate([np.arange(20), np.repeat(np.arange(20, 30), 2)])  # 40 images in 30 groups
Y = np.arange(40) % 2


def made_suite(methods: tuple[str, ...], n_datasets: int = 1, seeds: int = 10) -> Suite:
    """Return a suite of two-class phantom data sets set1, set2, ..."""
    keys = tuple(f"set{number}" for number in range(1, n_datasets + 1))
    facts = {key: DatasetFacts(key, key, "otoscopy", True, (), ("no", "yes")) for key in keys}
    return toy_suite(datasets=keys, methods=methods, seeds=tuple(range(1, seeds + 1)), facts=facts)


def write_made_run(folder: Path, suite: Suite, right: Mapping[str, Mapping[str, NDArray[np.int64]]]) -> None:
    """Write suite.json and predictions that are right where `right[data set][method]` (k, 40) is 1."""
    write_text(folder / "suite.json", suite_json(suite))
    for key, of_method in right.items():
        scores = {(method, 1): values for method, values in of_method.items()}
        write_scores(folder / "predictions", key, scores, Y, GROUPS, 2)


def random_right(*axes: str | int, seeds: int = 10) -> NDArray[np.int64]:
    """Return right answers (k, 40) with luck of images and of seeds."""
    draw = generator("selfcheck tests", *axes)
    latent = draw.normal(size=(1, 40)) + 0.5 * draw.normal(size=(seeds, 1)) + draw.normal(size=(seeds, 40))
    return (latent > -0.8).astype(np.int64)
