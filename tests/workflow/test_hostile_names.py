"""Names that a shell, Markdown or a browser would act on run through the whole workflow, or are refused by name."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from engine import ODD, TINY, describe, environment, snakemake
from PIL import Image

pytestmark = pytest.mark.workflow
CLASSES = (
    "; touch stolen",
    "$(touch stolen) `touch stolen`",
    "ünï cödé 'quo\"te'\n--out stolen",
    "<img src=x onerror=alert(1)> | **bold** & \\textbf",
)
IMAGES = 24
"""Of each class: enough groups for every part of a split."""


@pytest.fixture
def hostile(tmp_path):
    """Return a working folder, and beside it images and a catalogue whose names are traps."""
    folder = tmp_path / f"{ODD}; touch stolen"
    folder.mkdir()
    images = tmp_path / "my $(touch stolen) images" / "mine"
    generator = np.random.default_rng(2025)
    for shade, name in enumerate(CLASSES):
        (images / name).mkdir(parents=True)
        for number in range(IMAGES):
            pixels = 40 * shade + 20 + generator.normal(0, 60, (40, 40, 3))
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            image.save(images / name / f"-{number} $(touch stolen);\ntouch stolen, \"'.png")
    catalogue = tmp_path / "own; touch stolen.yaml"
    catalogue.write_text(describe(images), encoding="utf-8")
    return folder, images.parent, catalogue


def stolen(tmp_path):
    return [path for path in tmp_path.rglob("*") if path.name == "stolen"]


def test_names_of_classes_images_and_folders_are_only_names(hostile, tmp_path):
    folder, root, catalogue = hostile
    changes = {
        "datasets": ["mine"],
        "methods": ["weckd", "single", "pooled", "majority"],
        "data_root": str(root),
        "catalogue": str(catalogue),
    }
    arguments = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    done = snakemake(folder, "--cores", "2", "--config", *arguments)
    assert done.returncode == 0, done.stdout[-5000:]
    assert stolen(tmp_path) == []
    [run] = (folder / "results").glob("tiny+*")
    frame = pd.read_parquet(run / "predictions/mine/seed1.parquet")
    names = {image_id.partition("/")[0] for image_id in frame["image_id"]}
    assert names == set(CLASSES)
    splits = pd.read_csv(run / "splits/mine/seed1.csv")
    assert len(splits) == IMAGES * len(CLASSES)
    assert set(frame["image_id"]) <= set(splits["image_id"])
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    # A bar in a name is no column of a table, and a line's end no row.
    for table in (run / "tables").glob("*.md"):
        rows = [line for line in table.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
        for line in rows:
            assert line.rstrip().endswith("|"), line


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("suite='; touch stolen'", "or -reference, not '; touch stolen'; name"),
        ("datasets=['$(touch stolen)']", "datasets"),
        ("methods=['weckd; touch stolen']", "methods"),
        ("backbone={name: '$(touch stolen)', init: random}", "backbone.name"),
        ("backbone={name: test_resnet, init: '../stolen'}", "backbone.init"),
        ("seeds=['1; touch stolen']", "seeds"),
        ("image_size='32; touch stolen'", "image_size"),
        ("groups={threshold: '0.97; touch stolen'}", "groups.threshold"),
        ("analysis='; touch stolen'", "; touch stolen"),
        ("data_root='; touch stolen'", ""),
        ("catalogue='$(touch stolen)'", "$(touch stolen)"),
        ("suite=!!python/object/apply:os.system ['touch stolen']", "--config suite: not valid YAML: the tag"),
        ("exclude_classes={phantom_ear_ohio: ['; touch stolen']}", "exclude_classes.phantom_ear_ohio"),
    ],
)
def test_a_value_of_the_configuration_is_used_as_it_is_or_refused_with_its_key(change, told, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    weckd = [sys.executable, "-m", "weckd", "suite", str(TINY), "--config", change]
    done = subprocess.run(weckd, cwd=folder, capture_output=True, text=True, check=False, env=environment())
    assert stolen(tmp_path) == []
    if told:
        assert done.returncode == 1
        assert told in done.stderr, done.stderr
    else:
        assert done.returncode == 0, done.stderr
