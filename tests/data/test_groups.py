from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from weckd.data.duplicates import near_duplicates
from weckd.data.groups import assign_groups, write_groups
from weckd.data.prepared import COLUMNS
from weckd.errors import UserError
from weckd.files import file_digest, write_json, write_text


def noise(count, seed=0):
    """Return unrelated thumbnails (count, 32, 32): correlations of 1,024 random pixels are below 0.2."""
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32), dtype=np.uint8)


def index_of(given):
    names = [f"{number}.png" for number in range(len(given))]
    return pd.DataFrame({"image_id": names, "given_group": given})


def groups_of(given, thumbnails, threshold=0.97):
    return assign_groups(index_of(given), near_duplicates(thumbnails, threshold).pairs.rows)[
        "group_id"
    ].tolist()


def test_group_names_without_patients():
    images = noise(4)
    images[2] = images[0]
    groups = assign_groups(index_of([""] * 4), near_duplicates(images, 0.97).pairs.rows)
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


def test_files_of_groups_pairs_and_clusters(tmp_path):
    images = noise(5)
    images[2] = images[1]
    images[4] = np.rot90(images[0]) // 2
    prepared, out = tmp_path / "prepared", tmp_path / "out"
    rows = ['"a,1.png",NA,,,8,8,f,p0,', "b.png,no,,,8,8,f,p1,", "NaN,no,,,8,8,f,p1,", "d.png,no,,,8,8,f,p3,"]
    lines = [",".join(COLUMNS), *rows, "bad.png,no,,,0,0,,,not an image", "e.png,no,,,8,8,f,p4,", ""]
    write_text(prepared / "index.csv", "\n".join(lines))
    np.save(prepared / "thumbnails.npy", images)
    files = {name: file_digest(prepared / name) for name in ("thumbnails.npy", "index.csv")}
    write_json(prepared / "dataset.json", {"key": "mine", "files": files, "phantom": True})
    write_groups("mine", prepared, 0.97, out)
    assert (out / "groups.csv").read_bytes() == (
        b'image_id,group_id\n"a,1.png",g0001\nb.png,g0002\nNaN,g0002\nd.png,g0003\ne.png,g0001\n'
    )
    halved = np.corrcoef(images[0].ravel(), np.rot90(images[4], -1).ravel())[0, 1]
    assert (out / "pairs.csv").read_text() == (
        f'first,second,kind,correlation\n"a,1.png",e.png,near,{halved:.4f}\nb.png,NaN,exact,1.0000\n'
    )
    clusters = pd.read_csv(out / "clusters.csv")
    assert clusters["threshold"].tolist() == [round(0.9 + 0.005 * step, 3) for step in range(20)]
    assert clusters["clusters"].tolist() == [3] * 20
    assert clusters["largest"].tolist() == [2] * 20
    assert clusters.loc[clusters["chosen"], "threshold"].tolist() == [0.97]
    with pytest.raises(UserError, match="prepared: holds mine, not other; name the folder of other"):
        write_groups("other", prepared, 0.97, tmp_path / "other")
    assert not Path(tmp_path / "other").exists()
    np.save(prepared / "thumbnails.npy", images[::-1])  # edited: they decide the groups
    told = rf"^{prepared}/thumbnails\.npy: edited or damaged, its SHA-256 is .{{12}}…, dataset\.json records .{{12}}…; "
    with pytest.raises(UserError, match=told):
        write_groups("mine", prepared, 0.97, tmp_path / "other")
    assert not Path(tmp_path / "other").exists()
