"""What must hold in a finished run of the default suite, whatever the chain does: `make demo-check` after `make`."""

import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from weckd.cli import main

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "results" / "demo"
SETS = ("ear_chile_small", "blood_bccd_small", "brain_cheng_small")
CLASSES = {"ear_chile_small": 4, "blood_bccd_small": 4, "brain_cheng_small": 3}
METHODS = ("weckd", "single", "pooled", "sequential", "one-step", "full-converged", "permuted", "majority")

pytestmark = pytest.mark.demo


@pytest.mark.parametrize("dataset", SETS)
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_every_cell_holds_finite_probabilities_of_every_method_on_the_same_images(dataset, seed):
    cell = pd.read_parquet(RUN / "predictions" / dataset / f"seed{seed}.parquet")
    probabilities = cell[[f"p_{position}" for position in range(CLASSES[dataset])]].to_numpy()
    assert np.isfinite(probabilities).all()
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert set(cell["method"]) == set(METHODS)
    images = cell.groupby(["method", "stage", "split"])["image_id"].apply(frozenset)
    assert images.groupby("split").nunique().to_dict() == {"test": 1, "validation": 1}
    # One fit, two names: the chain's first model is the single one, of the same seed and subset.
    shared = cell[["split", "image_id", "y", *(f"p_{position}" for position in range(CLASSES[dataset]))]]
    single, first = (shared[(cell["method"] == name) & (cell["stage"] == 1)] for name in ("single", "weckd"))
    assert single.to_numpy().tolist() == first.to_numpy().tolist()


def test_nothing_is_missing():
    for name in ("main", "gains", "claims", "accuracy", "metrics", "classes"):
        assert "missing" not in (RUN / "tables" / f"{name}.md").read_text(), name


def test_shuffled_labels_are_at_chance_and_nothing_is_above_the_bar():
    checks = pd.read_csv(RUN / "tables" / "checks.csv").set_index("subject")
    assert set(checks.index) == set(METHODS) - {"full-converged"}
    assert checks["passed"].tolist() == ["yes"] * len(checks)
    [(low, high)] = checks[checks["level"] == 0.99][["ci_low", "ci_high"]].to_numpy()
    assert low < 0 < high  # of the balanced accuracy of `permuted` minus chance
    assert (checks.loc[checks["level"] == 0.95, "ci_low"] <= 0).all()


def test_no_patient_crosses_the_splits_of_the_mri_set():
    with tarfile.open(ROOT / "weckd" / "data" / "small" / "brain_cheng_small.tar.xz") as archive:
        labels = archive.extractfile("labels.csv")
        assert labels is not None
        patients = pd.read_csv(labels).set_index("image")["patient"]
    splits = sorted((RUN / "splits" / "brain_cheng_small").glob("seed*.csv"))
    assert len(splits) == 5
    for file in splits:
        split = pd.read_csv(file)
        assert set(split["part"]) == {"test", "validation", "D1", "D2", "D3", "rest"}
        assert set(split["image_id"]) == set(patients.index)
        assert (split.groupby(split["image_id"].map(patients))["part"].nunique() == 1).all()
    assert patients.nunique() == 78


def test_the_run_agrees_with_the_committed_reference(capsys):
    lock = str(ROOT / "requirements.lock")
    assert main(["agree", str(RUN), str(ROOT / "results" / "reference" / "demo"), "--lock", lock]) == 0
    assert "Reproduced: " in capsys.readouterr().out


def test_the_first_screen_names_the_sets_their_licences_and_that_it_is_a_quick_look():
    page = (RUN / "report.html").read_text(encoding="utf-8")
    first = " ".join(page.partition("<main>")[0].split())
    assert "A quick look: this run tests none of the paper's claims; it shows gains and intervals" in first
    for told in (
        "All 3 data sets hold real medical images.",
        "Ear imagery database (Viscaino 2020), small copy at 64 px: CC0",
        "White blood cells of BCCD, small copy at 64 px: MIT",
        "Brain tumour slices (Cheng 2015), 78 of 233 patients, small copy at 64 px: CC BY 4.0",
    ):
        assert told in first, told
    claims = pd.read_csv(RUN / "tables" / "claims.csv")
    assert claims["claim"].nunique() == 5
    assert all(claim in page for claim in claims["claim"])
    assert set(claims["claim_verdict"]) == {"not tested (quick look)"}


def test_tables_and_figures_say_that_they_are_of_small_copies():
    for file in sorted(RUN.glob("tables/*.md")):
        text = file.read_text(encoding="utf-8")
        assert "phantom" not in text.lower(), file
        assert "Small copies, not the data sets themselves: ear_chile_small" in text, file
