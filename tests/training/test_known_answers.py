"""Questions whose answer is known: the pipeline from images to test must find it.

Phantom blood cells, five seeds, one split; the same test as for the paper's claims.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_cell import BACKBONE

from weckd.analysis.inference.reader_study import p_value, two_way
from weckd.analysis.metrics.scores import correct, mean_score
from weckd.config import AugmentationSettings, SplitSettings, TrainingSettings
from weckd.data.duplicates import near_duplicates
from weckd.data.groups import assign_groups
from weckd.data.phantoms import draw
from weckd.data.splits import draw_split, part_rows
from weckd.methods.fits import Fit
from weckd.methods.losses import Distillation, Temperature
from weckd.training.batches import CellData
from weckd.training.fit import run_fit
from weckd.training.networks import Networks, initial_state, prepare_device
from weckd.training.optimisation import Cell, Given

KEY, SEEDS, S = "phantom_blood_cells", (1, 2, 3, 4, 5), 20
TRAINING = TrainingSettings(S, 4, 16, 8e-3, 0.05, 0.2, 0.4)
AUGMENTATION = AugmentationSettings(True, 0.0, 0.06, 0.0, 0.1, 0.1)
TRAINED_PARTS = ("D1", "D2", "D3", "rest")
LOSS = Distillation(alpha=0.9, beta=0.0, temperature=Temperature("constant", 4.0, 4.0))

FEW = Fit(("D1",), 4 * S)
GOOD = Fit(TRAINED_PARTS, 4 * S)
SHUFFLED = Fit(TRAINED_PARTS, 2 * S, permute_labels=True)
# Labels that say nothing, and a teacher that knows better.
TAUGHT_WELL = replace(SHUFFLED, teachers=(GOOD,), loss=LOSS)
# Labels that are right, and a teacher that knows nothing.
UNTAUGHT = Fit(("D1", "D2"), S)
TAUGHT_NONSENSE = replace(UNTAUGHT, teachers=(SHUFFLED,), loss=LOSS)
FITS = (FEW, GOOD, SHUFFLED, TAUGHT_WELL, UNTAUGHT, TAUGHT_NONSENSE)


@pytest.fixture(scope="module")
def right():
    """Return for each fit its correctness (seeds, images), and labels and groups of the test images."""
    prepare_device()
    phantom = draw(KEY, 32)
    classes = tuple(sorted(set(phantom.classes)))
    index = index_of(phantom)
    groups = assign_groups(index, near_duplicates(phantom.thumbnails, 0.97).pairs.rows)
    networks = Networks(BACKBONE, len(classes), 32, TRAINING.batchnorm_momentum, torch.device("cpu"))
    found = {fit: [] for fit in FITS}
    for seed in SEEDS:
        split = draw_split(index, groups, KEY, classes, SplitSettings(2025), seed)
        data = CellData(
            KEY,
            seed,
            torch.from_numpy(phantom.images),
            split["y"].to_numpy(np.int64),
            split["group_id"].to_numpy(np.str_),
            part_rows(split),
            len(classes),
        )
        start = initial_state(BACKBONE, KEY, len(classes), seed, 1, Path())
        cell = Cell(data, networks, TRAINING, AUGMENTATION, Path(), ("test",))
        states = {}
        for fit in FITS:
            teachers = [states[teacher] for teacher in fit.teachers]
            result = run_fit(fit, cell, Given(start, teachers))
            states[fit] = result.state
            found[fit].append(result.logits["test"])
    y = data.labels[data.parts["test"]]
    cases = np.unique(data.groups[data.parts["test"]], return_inverse=True)[1]
    return {fit: correct(np.stack(logits), y) for fit, logits in found.items()}, y, cases


def index_of(phantom):
    import pandas as pd

    return pd.DataFrame(
        {"image_id": phantom.image_ids, "class": phantom.classes, "given_group": phantom.given_groups}
    )


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        pytest.param(GOOD, FEW, id="more labels help"),
        pytest.param(TAUGHT_WELL, SHUFFLED, id="a teacher that knows the labels helps"),
        pytest.param(UNTAUGHT, TAUGHT_NONSENSE, id="a teacher of shuffled labels hurts"),
    ],
)
def test_the_known_answer_is_found(right, better, worse):
    scores, _, groups = right
    study = two_way(mean_score(scores[better] - scores[worse], groups))
    assert study.estimate > 0.02
    assert p_value(study, 0.0) < 0.05


def test_what_cannot_help_is_not_found(right):
    # Shuffled labels: accuracy at the share of the classes that the network happens to prefer, far below any other.
    scores, _, _ = right
    assert scores[SHUFFLED].mean() < 0.3 < scores[FEW].mean()
