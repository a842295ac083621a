"""Phantoms: counts, groups that a clustering finds exactly, and determinism."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from weckd.data.catalogue import load_catalogue
from weckd.data.duplicates import near_duplicates
from weckd.data.groups import assign_groups
from weckd.data.phantoms import PLANS, class_counts, draw
from weckd.data.phantoms.canvas import Frame
from weckd.data.phantoms.scenes import plan_pictures, render
from weckd.errors import UserError

KEYS = [key for key, dataset in load_catalogue().items() if dataset.phantom]
COUNTS = {
    "phantom_ear_chile": [150, 150, 150, 150],
    "phantom_ear_ohio": [237, 236, 127],
    "phantom_ear_turkiye": [75, 48, 89, 340, 48],
    "phantom_ear_kaggle": [120, 120, 120, 120, 120],
    "phantom_blood_cells": [48, 107, 53, 100, 48, 49, 114, 81],
    "phantom_brain_mri": [139, 279, 182],
}


@pytest.fixture(scope="module")
def phantoms():
    return {key: draw(key, 32) for key in KEYS}


@pytest.mark.parametrize("key", KEYS)
def test_counts_shapes_and_classes(phantoms, key):
    phantom = phantoms[key]
    assert phantom.images.shape == (600, 32, 32, 3)
    assert phantom.thumbnails.shape == (600, 32, 32)
    assert phantom.images.dtype == phantom.thumbnails.dtype == np.uint8
    counts = Counter(phantom.classes)
    assert [counts[entry.key] for entry in load_catalogue()[key].classes] == COUNTS[key]
    assert list(counts) == [entry.key for entry in load_catalogue()[key].classes]  # class by class
    assert min(counts.values()) >= 48  # no class under 8 %
    assert len(set(phantom.image_ids)) == 600
    assert phantom.image_ids[0] == f"{phantom.classes[0]}/0001.png"


@pytest.mark.parametrize("key", KEYS)
def test_grouping_finds_exactly_what_was_planted(phantoms, key):
    phantom = phantoms[key]
    index = pd.DataFrame({"image_id": phantom.image_ids, "given_group": phantom.given_groups})
    found = assign_groups(index, near_duplicates(phantom.thumbnails, 0.97).pairs.rows)["group_id"].tolist()
    pairs = set(zip(found, phantom.planted_groups, strict=True))
    assert len(pairs) == len(set(found)) == len(set(phantom.planted_groups))
    sizes = Counter(Counter(phantom.planted_groups).values())
    assert set(sizes) == ({3} if key == "phantom_ear_kaggle" else {1, 2, 3})
    classes_of = {}
    for group, name in zip(phantom.planted_groups, phantom.classes, strict=True):
        classes_of.setdefault(group, set()).add(name)
    assert all(len(names) == 1 for names in classes_of.values())


def best_correlations(thumbnails):
    """Return (N, N) correlations at their largest over the eight flips and rotations: a second implementation."""
    centred = thumbnails - thumbnails.mean(axis=(1, 2), keepdims=True)
    unit = centred / np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True))
    turned = [
        np.rot90(flipped, quarter, axes=(1, 2))
        for flipped in (unit, unit.transpose(0, 2, 1))
        for quarter in range(4)
    ]
    flat = unit.reshape(len(unit), -1)
    return np.max([flat @ variant.reshape(len(unit), -1).T for variant in turned], axis=0)


@pytest.mark.parametrize("key", KEYS)
def test_threshold_stands_well_between_near_duplicates_and_others(phantoms, key):
    correlations = best_correlations(phantoms[key].thumbnails.astype(float))
    groups = np.array(phantoms[key].planted_groups)
    assert correlations[groups[:, None] != groups].max() < 0.965
    if key == "phantom_brain_mri":  # its groups are patients, some of whose slices are near-duplicates
        pairs = np.triu(groups[:, None] == groups, k=1) & (correlations > 0.975)
        assert pairs.sum() >= 20
        return
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        for position, row in enumerate(rows[1:], start=1):
            assert correlations[row, rows[:position]].max() > 0.975


def test_patients_are_given_in_the_mri_set_only(phantoms):
    assert {key for key, phantom in phantoms.items() if any(phantom.given_groups)} == {"phantom_brain_mri"}
    mri = phantoms["phantom_brain_mri"]
    assert mri.given_groups == mri.planted_groups
    # Slices of a patient need not look alike: clusters alone would tear patients apart.
    assert near_duplicates(mri.thumbnails, 0.97).clusters(0.97).max() + 1 > len(set(mri.given_groups))
    assert (mri.images[..., 0].astype(int) - mri.images[..., 1]).std() < 10  # grey but for sensor noise


def test_derived_set_is_made_of_the_other_sets_images(phantoms):
    chile = {image.tobytes() for image in phantoms["phantom_ear_chile"].images}
    turkiye = {image.tobytes() for image in phantoms["phantom_ear_turkiye"].images}
    kaggle = phantoms["phantom_ear_kaggle"]
    for image, name in zip(kaggle.images, kaggle.classes, strict=True):
        turns = [np.rot90(image, quarter) for quarter in range(4)]
        variants = {np.ascontiguousarray(v).tobytes() for t in turns for v in (t, t[:, ::-1])}
        assert variants & (turkiye if name == "acute_otitis_media" else chile)


def test_some_duplicates_are_exact(phantoms):
    for key in KEYS[:3]:
        assert len({image.tobytes() for image in phantoms[key].images}) < 600


def test_a_drawing_repeats_byte_for_byte():
    plan, picture = PLANS["phantom_ear_chile"], ("normal", 3, 0, Frame(shift=(0.1, 0)), 32)
    assert render(plan, *picture).tobytes() == render(plan, *picture).tobytes()
    other = replace(plan, key="phantom_ear_ohio")
    assert render(plan, *picture).tobytes() != render(other, *picture).tobytes()


@pytest.mark.parametrize("key", PLANS)
def test_a_plan_repeats_byte_for_byte_and_depends_on_its_key(key):
    plan = PLANS[key]
    counts = dict.fromkeys(plan.weights, 3)

    def bytes_of(name):
        pictures = plan_pictures(replace(plan, key=name), counts, {})
        return [picture.small.tobytes() for picture in pictures]

    first = bytes_of(key)
    assert len(first) == 3 * len(counts)
    assert bytes_of(key) == first
    assert not set(bytes_of("another")) & set(first)


@pytest.mark.parametrize("size", [16, 48])
@pytest.mark.parametrize("key", PLANS)
def test_sizes_that_are_no_multiple_of_the_thumbnails(key, size):
    for class_key in PLANS[key].weights:
        image = render(PLANS[key], class_key, 0, 0, Frame(), size)
        assert image.shape == (size, size, 3) and image.dtype == np.uint8
        # The same scene: at 8 px a side the picture is the one drawn at 32 px, but for sensor noise.
        reference = render(PLANS[key], class_key, 0, 0, Frame(), 32)
        coarse, expected = (
            picture.reshape(8, len(picture) // 8, 8, len(picture) // 8, 3).mean(axis=(1, 3))
            for picture in (image, reference)
        )
        assert np.abs(coarse - expected).mean() < 3


def test_other_sizes_show_the_same_scenes(phantoms):
    large = draw("phantom_ear_ohio", 64)
    assert large.images.shape == (600, 64, 64, 3)
    assert np.array_equal(large.thumbnails, phantoms["phantom_ear_ohio"].thumbnails)
    halved = large.images.reshape(600, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    assert np.abs(halved - phantoms["phantom_ear_ohio"].images).mean() < 6


def test_counts_by_largest_remainder_with_a_floor():
    assert class_counts({"a": 1, "b": 1, "c": 1}) == {"a": 200, "b": 200, "c": 200}
    assert class_counts({"rare": 1, "common": 99}) == {"rare": 48, "common": 552}
    assert class_counts({"x": 535, "y": 119, "z": 41}) == {"x": 452, "y": 100, "z": 48}


def test_unknown_phantom_names_the_known_ones():
    with pytest.raises(UserError, match=r"no phantom 'phantom_teeth'; known phantoms: phantom_ear_chile, "):
        draw("phantom_teeth", 32)
