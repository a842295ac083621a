"""The leak study end to end: trained on official test parts, frozen, and drawn again from the references."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from engine import REPOSITORY, describe, snakemake, write_noise

from weckd.cli import main

pytestmark = pytest.mark.workflow
TRAINING, TESTING, COPIES = 16, 6, 2
"""Images of each class in each folder, and how many of the testing ones are copies of training ones."""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Return the working folder of a finished study, and the words that name its suite."""
    place = tmp_path_factory.mktemp("leakage")
    folder, images = place / "work", place / "images" / "mine"
    folder.mkdir()
    generator = np.random.default_rng(7)
    for shade, name in ((40, "dark"), (130, "light")):
        for part, count in (("Training", TRAINING), ("Testing", TESTING)):
            write_noise(images / part / name, count, shade, generator)
        for number in range(COPIES):
            shutil.copy(images / "Training" / name / f"{number:02d}.png", images / "Testing" / name)
    (place / "mine.yaml").write_text(describe(images))
    changes = {
        "datasets": ["mine"],
        "methods": ["weckd", "single", "start=fresh", "majority"],
        "data_root": str(images.parent),
        "catalogue": str(place / "mine.yaml"),
    }
    words = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    done = snakemake(folder, "--cores", "2", "leakage", "--config", *words)
    assert done.returncode == 0, done.stdout[-5000:]
    (place / "output.txt").write_text(done.stdout)
    return folder, words


def test_the_study_prints_its_table_and_its_place_and_its_trainings_do_not_wait_for_each_other(study):
    folder, _ = study
    output = (folder.parent / "output.txt").read_text()
    [official] = (folder / "results").glob("tiny+*-official")
    run = official.relative_to(folder)
    assert (official / "tables/leakage.md").read_text().rstrip() in output
    assert (
        f"\n\ntables       {run}/tables (leakage and splits, .csv .md .tex .json)\n"
        f"figure       {run}/figures (leakage.svg .png)\n"
        f"splits       {run}/splits\n"
    ) in output
    assert "waiting for another process" not in output
    assert "(the table of splits counts them)" in output
    [counted] = [
        row for row in pd.read_csv(official / "tables/splits.csv").itertuples() if row.part == "test"
    ][:1]
    assert counted.dataset == "mine"


def test_the_copies_are_found_and_counted(study):
    folder, _ = study
    [official] = (folder / "results").glob("tiny+*-official")
    split = pd.read_csv(official / "splits/mine/seed1.csv")
    test = split[split["part"] == "test"]
    assert sorted(test["image_id"]) == sorted(
        f"Testing/{name}/{number:02d}.png" for name in ("dark", "light") for number in range(TESTING)
    )
    cut = test[test["group_id"].str.endswith("-cut")]
    assert sorted(cut["image_id"]) == [
        f"Testing/{name}/{number:02d}.png" for name in ("dark", "light") for number in range(COPIES)
    ]
    text = (official / "tables/leakage.md").read_text()
    assert "mine: 12 official test images in 12 groups, 4 of them with a copy in training." in text
    assert "Fewer than 5 seeds: no interval, no p." in text
    frame = pd.read_csv(official / "tables/leakage.csv")
    assert frame["method"].unique().tolist() == ["weckd", "single", "majority"]  # readings take no part
    assert frame["estimate_pp"].notna().all()
    assert sorted(file.name for file in official.glob("figures/*")) == ["leakage.png", "leakage.svg"]


def test_it_is_drawn_again_from_two_references(study, monkeypatch):
    folder, words = study
    [official] = (folder / "results").glob("tiny+*-official")
    done = snakemake(folder, "--cores", "2", "--config", *words)
    assert done.returncode == 0, done.stdout[-5000:]
    monkeypatch.chdir(folder)
    for run in (official, official.with_name(official.name.removesuffix("-official"))):
        assert main(["freeze", str(run), "--lock", str(REPOSITORY / "requirements.lock")]) == 0
    done = snakemake(folder, "--cores", "2", "leakage", "--config", *words, "records=reference")
    assert done.returncode == 0, done.stdout[-5000:]
    again = official.with_name(f"{official.name}-reference")
    for file in [*official.glob("tables/*"), *official.glob("figures/*")]:
        assert (again / file.relative_to(official)).read_bytes() == file.read_bytes(), file.name


def test_where_there_can_be_none_it_is_said_before_any_job(tmp_path):
    done = snakemake(tmp_path, "--cores", "1", "leakage")
    assert done.returncode != 0
    assert "leak study: no data set of tiny has an official test part; name one" in done.stdout
    assert not (tmp_path / "results/tiny").exists()
