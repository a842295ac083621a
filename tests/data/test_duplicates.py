"""The search for near-duplicates against hand-made images and plain loops."""

import numpy as np
import pytest

from weckd.data.duplicates import near_duplicates, pairs_between


def noise(count, seed=0):
    """Return unrelated thumbnails (count, 32, 32): correlations of 1,024 random pixels are below 0.2."""
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32), dtype=np.uint8)


def pairs_of(thumbnails, threshold):
    return near_duplicates(thumbnails, threshold).pairs.rows


def clusters_of(thumbnails, threshold):
    return near_duplicates(thumbnails, threshold).clusters(threshold)


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_all_eight_flips_and_rotations_are_near_duplicates(quarter, mirrored):
    images = noise(3)
    turned = np.rot90(images[1], quarter)
    images[2] = turned[:, ::-1] if mirrored else turned
    assert clusters_of(images, 0.97).tolist() == [0, 1, 1]
    assert pairs_of(images, 0.97).tolist() == [[1, 2]]


def test_correlation_ignores_brightness_and_contrast():
    images = noise(2) // 4
    images[1] = images[0] * 3 + 20
    assert clusters_of(images, 0.999999).tolist() == [0, 0]
    images[1] = 255 - images[0]  # r = -1
    assert clusters_of(images, 0.5).tolist() == [0, 1]


def test_the_threshold_itself_is_not_exceeded():
    # Ones on the left half, opposite in four of 32 rows: half of all pixels are 1 in both images and 28/32 of them
    # agree, so r = 2 * 28/32 - 1 = 0.75 exactly.
    images = np.zeros((2, 32, 32), dtype=np.uint8)
    images[:, :, :16] = 1
    images[1, 16:20] = 1 - images[1, 16:20]
    assert pairs_of(images, 0.75).tolist() == []
    assert pairs_of(images, 0.75 - 1e-9).tolist() == [[0, 1]]
    assert pairs_of(images, 0.75 + 1e-9).tolist() == []


def test_clusters_are_chained_and_numbered_by_first_image():
    images = noise(6)
    step = images[5].astype(np.int64)
    # 3 lies halfway between 1 and 4, which hang together through it alone.
    images[1] = 100 + step // 4
    half = np.random.default_rng(1).integers(0, 33, (32, 32))
    images[3] = 100 + step // 4 + half
    images[4] = 100 + step // 4 + 2 * half
    correlation = np.corrcoef(images[[1, 3, 4]].reshape(3, -1).astype(float))
    threshold = (correlation[0, 2] + min(correlation[0, 1], correlation[1, 2])) / 2
    images[5] = noise(1, seed=2)[0]
    assert correlation[0, 2] < threshold < min(correlation[0, 1], correlation[1, 2])
    assert pairs_of(images, threshold).tolist() == [[1, 3], [3, 4]]
    assert clusters_of(images, threshold).tolist() == [0, 1, 2, 1, 1, 3]


def test_images_without_contrast_belong_together_and_to_no_other():
    images = noise(5)
    images[0], images[2], images[4] = 0, 255, 7
    assert clusters_of(images, 0.97).tolist() == [0, 1, 0, 2, 0]


def test_blocks_do_not_matter(monkeypatch):
    images = noise(40)
    images[31], images[17] = images[2], np.rot90(images[30])
    images[5] = images[38] = images[17]
    expected = [[2, 31], [5, 17], [5, 30], [5, 38], [17, 30], [17, 38], [30, 38]]
    for block in (1, 7, 512):
        monkeypatch.setattr("weckd.data.duplicates._BLOCK", block)
        assert pairs_of(images, 0.97).tolist() == expected


def test_pairs_are_those_of_a_plain_loop():
    images = np.random.default_rng(3).integers(0, 4, (30, 2, 2), dtype=np.uint8)
    images = np.kron(images, np.ones((16, 16), dtype=np.uint8))  # four large fields: many close pairs
    images[:, 0, 0] += 1  # none without contrast
    expected = []
    for first in range(30):
        for second in range(first + 1, 30):
            turns = [np.rot90(images[second], quarter) for quarter in range(4)]
            largest = max(
                np.corrcoef(images[first].ravel(), variant.ravel())[0, 1]
                for turn in turns
                for variant in (turn, turn[:, ::-1])
            )
            if largest > 0.8:
                expected.append([first, second])
    assert 20 < len(expected) < 400
    assert pairs_of(images, 0.8).tolist() == expected


def fields(count, seed):
    """Return thumbnails of a few large fields each: many close pairs, none without contrast."""
    images = np.random.default_rng(seed).integers(0, 8, (count, 2, 2), dtype=np.uint8)
    images = np.kron(images, np.ones((16, 16), dtype=np.uint8))
    images[:, 0, 0] += 1
    return images


def largest_correlation(first, second):
    turns = [np.rot90(second, quarter) for quarter in range(4)]
    variants = [variant for turn in turns for variant in (turn, turn[:, ::-1])]
    return max(np.corrcoef(first.ravel(), variant.ravel())[0, 1] for variant in variants)


@pytest.mark.parametrize("block", [7, 256])
def test_clusters_at_every_threshold_are_those_of_all_pairs(monkeypatch, block):
    monkeypatch.setattr("weckd.data.duplicates._BLOCK", block)
    stream = np.random.default_rng(5)
    images = stream.integers(20, 200, (12, 32, 32))[stream.integers(0, 12, 60)]
    images = (images + stream.uniform(0, 60, (60, 1, 1)) * stream.random((60, 32, 32))).astype(np.uint8)
    found = near_duplicates(images, 0.97)
    assert len(found.forest.rows) < 60
    for threshold in (0.90, 0.92, 0.95, 0.99):
        expected = near_duplicates(images, threshold)
        assert found.clusters(threshold).tolist() == expected.clusters(threshold).tolist()
        joined = clusters_by_hand(60, expected.pairs.rows)
        assert found.clusters(threshold).tolist() == joined
    assert 1 < len(set(found.clusters(0.90))) < len(set(found.clusters(0.99))) < 60


def clusters_by_hand(count, pairs):
    label = list(range(count))
    for first, second in pairs.tolist():
        old, new = label[second], label[first]
        label = [new if value == old else value for value in label]
    numbers = {}
    return [numbers.setdefault(value, len(numbers)) for value in label]


def test_correlations_are_told_exactly():
    images = fields(12, seed=2)
    found = near_duplicates(images, 0.5).pairs
    assert len(found.rows) > 5
    for (first, second), correlation in zip(found.rows.tolist(), found.correlations, strict=True):
        assert correlation == pytest.approx(largest_correlation(images[first], images[second]), abs=1e-12)


@pytest.mark.parametrize("block", [3, 256])
def test_pairs_between_two_sets_are_those_of_a_plain_loop(monkeypatch, block):
    monkeypatch.setattr("weckd.data.duplicates._BLOCK", block)
    first, second = fields(10, seed=3), fields(8, seed=4)
    found = pairs_between(first, second, 0.9)
    expected = [[a, b] for a in range(10) for b in range(8) if largest_correlation(first[a], second[b]) > 0.9]
    assert 0 < len(expected) < 40
    assert found.rows.tolist() == expected


def test_one_image_has_no_pairs():
    assert near_duplicates(noise(1), 0.97).pairs.rows.tolist() == []
    assert near_duplicates(noise(1), 0.97).clusters(0.97).tolist() == [0]


def test_clusters_are_decided_on_exact_correlations():
    stream = np.random.default_rng(7)
    images = stream.integers(20, 200, (6, 32, 32))[np.arange(30) % 6]
    images = (images + stream.uniform(0, 60, (30, 1, 1)) * stream.random((30, 32, 32))).astype(np.uint8)
    forest = near_duplicates(images, 0.97).forest
    assert (forest.correlations < 0.97).any()
    assert (forest.correlations > 0.97).any()
    for (first, second), correlation in zip(forest.rows.tolist(), forest.correlations, strict=True):
        assert correlation == pytest.approx(largest_correlation(images[first], images[second]), abs=1e-12)
    # A threshold a hair's breadth from a pair splits pairs and clusters alike.
    for correlation in forest.correlations:
        for threshold in (correlation - 1e-9, correlation + 1e-9):
            found = near_duplicates(images, threshold)
            assert found.clusters(threshold).tolist() == clusters_by_hand(30, found.pairs.rows)
