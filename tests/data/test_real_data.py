"""The real images beside the checkout, as prepared, grouped and split."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from weckd.audit.findings import find
from weckd.audit.sets import load_set
from weckd.config import SplitSettings
from weckd.data.catalogue import find_dataset
from weckd.data.duplicates import Pairs, near_duplicates
from weckd.data.groups import assign_groups, write_groups
from weckd.data.layouts import check_counts, list_sources
from weckd.data.prepare import Origin, prepare
from weckd.data.prepared import read_index
from weckd.data.recorded import as_recorded
from weckd.data.splits import draw_split
from weckd.errors import UserError

REAL = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_real_images = pytest.mark.skipif(
    not REAL.is_dir(), reason="needs the real images in ../shared/data, beside the checkout"
)


def prepared(key, out, size):
    """Prepare a real set and return its images, thumbnails and index."""
    prepare(find_dataset(key), Origin(REAL / key, {}), size, out, jobs=2)
    return np.load(out / "images.npy"), np.load(out / "thumbnails.npy"), read_index(out)


@pytest.fixture(scope="module")
def chile(tmp_path_factory):
    out = tmp_path_factory.mktemp("chile")
    images, thumbnails, index = prepared("ear_chile", out, 64)
    return SimpleNamespace(images=images, thumbnails=thumbnails, index=index)


@needs_real_images
def test_the_chilean_set_as_prepared(chile):
    assert chile.images.shape == (880, 64, 64, 3)
    assert chile.index.groupby(["class", "official_split"]).size().tolist() == [40, 180] * 4
    assert chile.index["image_id"][[0, 1, 9, 180, 879]].tolist() == [
        "Training-validation/Chronic otitis media/o1.jpg",
        "Training-validation/Chronic otitis media/o2.jpg",
        "Training-validation/Chronic otitis media/o10.jpg",
        "Testing/Chronic otitis media/o1.jpg",
        "Testing/Normal/n40.jpg",
    ]


@needs_real_images
def test_the_chilean_set_repeats_images_within_and_across_its_official_splits(chile):
    pixels = chile.index["pixel_sha256"].tolist()
    assert len(set(pixels)) == 811
    official = chile.index["official_split"]
    training = {pixel for pixel, part in zip(pixels, official, strict=True) if part == "train"}
    assert sum(part == "test" and p in training for p, part in zip(pixels, official, strict=True)) == 68
    # Identical pixels share a group, and so one part of every split.
    groups = assign_groups(chile.index, near_duplicates(chile.thumbnails, 0.97).pairs.rows)
    assert pd.Series(groups["group_id"].to_numpy()).groupby(pixels).nunique().max() == 1


@needs_real_images
def test_near_duplicate_clusters_of_the_chilean_set(chile):
    groups = assign_groups(chile.index, near_duplicates(chile.thumbnails, 0.97).pairs.rows)
    assert groups["group_id"].nunique() == 396  # published measurement: about 390
    assert groups.groupby("group_id").size().max() == 16
    classes = tuple(entry.key for entry in find_dataset("ear_chile").classes)
    split = draw_split(chile.index, groups, "ear_chile", classes, SplitSettings(seed=2025), seed=1)
    assert (split.groupby("group_id")["part"].nunique() == 1).all()
    assert split[split["part"] == "test"].groupby("class").size().tolist() == [44] * 4  # 20 % of 220


@needs_real_images
def test_the_prepared_sets_are_those_of_the_record(tmp_path):
    keys = ("ear_chile", "wbc_zheng", "blood_bccd", "brain_yesno")
    for key in keys:
        prepared(key, tmp_path / key, 64)
    lock = Path(__file__).resolve().parents[2] / "datasets.lock"
    assert as_recorded(lock, [tmp_path / key for key in keys]) == dict.fromkeys(keys, True)


@needs_real_images
def test_the_audit_of_the_chilean_set(tmp_path, monkeypatch):
    # The search for variants takes seven seconds here: benchmarks/variants.py has its numbers.
    none = Pairs(np.empty((0, 2), dtype=np.int64), np.empty(0))
    monkeypatch.setattr("weckd.data.groups.suspected_variants", lambda *_: none)
    prepared(
        "ear_chile", tmp_path / "p", 32
    )  # another size than above: copies are found by thumbnails of the whole
    write_groups("ear_chile", tmp_path / "p", 0.97, tmp_path / "g")
    found = find(load_set(tmp_path / "p", tmp_path / "g"), recorded=None, copied_elsewhere=0)
    assert (found.images, found.distinct, found.clusters, found.largest_cluster) == (880, 811, 396, 16)
    assert (found.test_part, found.test_images, found.test_identical, found.test_leaked) == (
        "official",
        160,
        68,
        84,
    )
    assert found.neighbour_leaked == 1.0
    assert round(found.neighbour_clean, 2) == 0.42  # of 76; published measurement on raw pixels: .38
    assert (found.conflicts_exact, found.conflicts_near) == (0, 0)


@needs_real_images
def test_the_table_of_the_brain_tumour_set_has_its_patients_and_folds():
    dataset, seen = find_dataset("brain_cheng"), Counter()
    listing = list_sources(dataset, REAL / "brain_cheng", 64)
    check_counts(dataset, REAL / "brain_cheng", listing.class_counts)
    patients = {}
    for source in listing.sources:
        if (number := seen[source.fold]) == 0:
            assert source.read().given_group.startswith("p")
        seen[source.fold] = number + 1
        patients.setdefault(source.read.args[-1], set()).add((source.class_key, source.fold))
    assert (seen.total(), sorted(seen), listing.lacking) == (3064, list("12345"), "")
    assert Counter(class_key for ((class_key, _),) in patients.values()) == {
        "meningioma": 82,
        "glioma": 89,
        "pituitary": 62,
    }


@needs_real_images
def test_the_stress_set_is_decoded_whole(tmp_path):
    images, thumbnails, index = prepared("brain_yesno", tmp_path, 32)
    assert Counter(index["class"]) == {"no": 98, "yes": 155}
    modes = Counter()
    for image_id in index["image_id"]:
        with Image.open(REAL / "brain_yesno" / image_id) as image:
            modes[image.mode] += 1
    assert set(modes) >= {"L", "RGB", "RGBA", "P"}
    assert images.shape == (253, 32, 32, 3)
    assert len({image.tobytes() for image in images}) == 228  # 25 exact duplicates
    assert images.std(axis=(1, 2, 3)).min() > 10  # no image became blank
    assert thumbnails.std(axis=(1, 2)).min() > 10


@needs_real_images
def test_white_blood_cells_are_split_once_the_single_basophil_is_left_out(tmp_path):
    images, thumbnails, index = prepared("wbc_zheng", tmp_path, 64)
    assert (len(images), len({image.tobytes() for image in images})) == (300, 299)
    groups = assign_groups(index, near_duplicates(thumbnails, 0.97).pairs.rows)
    classes = tuple(entry.key for entry in find_dataset("wbc_zheng").classes)
    with pytest.raises(
        UserError, match=r"class basophil has 1 group,.*exclude_classes: \{wbc_zheng: \[basop"
    ):
        draw_split(index, groups, "wbc_zheng", classes, SplitSettings(seed=2025), 1)
    split = draw_split(index, groups, "wbc_zheng", classes[1:], SplitSettings(seed=2025), 1)
    assert len(split) == 299
