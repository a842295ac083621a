from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from weckd.data.groups import assign_groups, near_duplicate_groups, near_duplicate_pairs, write_groups
from weckd.files import write_json, write_text


def noise(count, seed=0):
    """Return unrelated thumbnails (count, 32, 32): correlations of 1,024 random pixels are below 0.2."""
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32), dtype=np.uint8)


def index_of(given):
    names = [f"{number}.png" for number in range(len(given))]
    return pd.DataFrame({"image_id": names, "given_group": given})


def groups_of(given, thumbnails, threshold=0.97):
    return assign_groups(index_of(given), thumbnails, threshold)["group_id"].tolist()


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_all_eight_flips_and_rotations_are_near_duplicates(quarter, mirrored):
    images = noise(3)
    turned = np.rot90(images[1], quarter)
    images[2] = turned[:, ::-1] if mirrored else turned
    assert near_duplicate_groups(images, 0.97).tolist() == [0, 1, 1]
    assert near_duplicate_pairs(images, 0.97).tolist() == [[1, 2]]


def test_correlation_ignores_brightness_and_contrast():
    images = noise(2) // 4
    images[1] = images[0] * 3 + 20
    assert near_duplicate_groups(images, 0.999999).tolist() == [0, 0]
    images[1] = 255 - images[0]  # r = -1
    assert near_duplicate_groups(images, 0.5).tolist() == [0, 1]


def test_the_threshold_itself_is_not_exceeded():
    # Ones on the left half, opposite in four of 32 rows: half of all pixels are 1 in both images and 28/32 of them
    # agree, so r = 2 * 28/32 - 1 = 0.75 exactly.
    images = np.zeros((2, 32, 32), dtype=np.uint8)
    images[:, :, :16] = 1
    images[1, 16:20] = 1 - images[1, 16:20]
    assert near_duplicate_pairs(images, 0.75).tolist() == []
    assert near_duplicate_pairs(images, 0.75 - 1e-9).tolist() == [[0, 1]]
    assert near_duplicate_pairs(images, 0.75 + 1e-9).tolist() == []


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
    assert near_duplicate_pairs(images, threshold).tolist() == [[1, 3], [3, 4]]
    assert near_duplicate_groups(images, threshold).tolist() == [0, 1, 2, 1, 1, 3]


def test_images_without_contrast_belong_together_and_to_no_other():
    images = noise(5)
    images[0], images[2], images[4] = 0, 255, 7
    assert near_duplicate_groups(images, 0.97).tolist() == [0, 1, 0, 2, 0]


def test_blocks_do_not_matter(monkeypatch):
    images = noise(40)
    images[31], images[17] = images[2], np.rot90(images[30])
    images[5] = images[38] = images[17]
    expected = [[2, 31], [5, 17], [5, 30], [5, 38], [17, 30], [17, 38], [30, 38]]
    for block in (1, 7, 512):
        monkeypatch.setattr("weckd.data.groups._BLOCK", block)
        assert near_duplicate_pairs(images, 0.97).tolist() == expected


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
    assert near_duplicate_pairs(images, 0.8).tolist() == expected


def test_group_names_without_patients():
    images = noise(4)
    images[2] = images[0]
    groups = assign_groups(index_of([""] * 4), images, 0.97)
    assert groups.columns.tolist() == ["image_id", "group_id"]
    assert groups["image_id"].tolist() == ["0.png", "1.png", "2.png", "3.png"]
    assert groups["group_id"].tolist() == ["g0001", "g0002", "g0001", "g0003"]


def test_a_patient_is_a_group_whatever_the_images():
    assert groups_of(["7", "007", "7", "23", "007"], noise(5)) == ["7", "007", "7", "23", "007"]


def test_near_duplicates_of_two_patients_make_one_group():
    images = noise(6)
    images[3] = images[0]
    images[5] = images[4][::-1]
    assert groups_of(["b", "b", "c", "a", "a", ""], images) == ["a+b", "a+b", "c", "a+b", "a+b", "a+b"]


def test_images_without_patient_are_named_by_cluster_among_patients():
    images = noise(4)
    assert groups_of(["", "p", "", "p"], images) == ["g0001", "p", "g0003", "p"]


def test_group_file(tmp_path):
    images = noise(3)
    images[2] = images[1]
    prepared = tmp_path / "prepared"
    write_text(
        prepared / "index.csv",
        'image_id,class,given_group,official_split\n"a,1.png",NA,,\nb.png,no,,\nNaN,no,,\n',
    )
    np.save(prepared / "thumbnails.npy", images)
    write_json(prepared / "dataset.json", {"key": "mine"})
    write_groups("mine", prepared, 0.97, tmp_path / "groups.csv")
    assert (tmp_path / "groups.csv").read_bytes() == (
        b'image_id,group_id\n"a,1.png",g0001\nb.png,g0002\nNaN,g0002\n'
    )
    with pytest.raises(ValueError, match="prepared holds mine, not other"):
        write_groups("other", prepared, 0.97, tmp_path / "other.csv")
    assert not Path(tmp_path / "other.csv").exists()
