import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from weckd.data.duplicates import Pairs, near_duplicates
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


def test_suspected_variants_are_told_and_are_kept_together_where_that_is_asked_for(tmp_path, monkeypatch):
    prepared, asked = tmp_path / "prepared", []
    rows = ["a.png,no,q,,8,6,f,p0,", "b.png,no,,,8,6,f,p1,", "c.png,no,,,8,6,f,p2,", "d.png,no,q,,8,6,f,p3,"]
    write_text(prepared / "index.csv", "\n".join([",".join(COLUMNS), *rows, ""]))
    thumbnails, images = noise(4), np.zeros((4, 8, 8, 3), dtype=np.uint8)
    np.save(prepared / "thumbnails.npy", thumbnails)
    np.save(prepared / "images.npy", images)
    files = {name: file_digest(prepared / name) for name in ("thumbnails.npy", "index.csv")}
    fingerprint = hashlib.sha256(images.tobytes() + (prepared / "index.csv").read_bytes()).hexdigest()
    facts = {"key": "mine", "files": files, "phantom": False, "fingerprint": fingerprint}
    write_json(prepared / "dataset.json", facts)

    def suspect(images, shapes, kept_together):
        asked.append((images.shape, shapes.tolist(), kept_together.tolist()))
        return Pairs(np.array([[1, 3]]), np.array([0.95]))

    monkeypatch.setattr("weckd.data.groups.suspected_variants", suspect)
    groups = {}
    for join in (False, True):
        write_groups("mine", prepared, 0.97, tmp_path / "out", join_suspected=join)
        groups[join] = pd.read_csv(tmp_path / "out" / "groups.csv")["group_id"].tolist()
        pairs = (tmp_path / "out" / "pairs.csv").read_text()
        assert pairs == "first,second,kind,correlation\nb.png,d.png,suspected,0.9500\n"
    assert groups == {False: ["q", "g0002", "g0003", "q"], True: ["q", "q", "g0002", "q"]}
    assert asked == 2 * [((4, 8, 8, 3), [[8, 6]] * 4, [0, 1, 2, 0])]
    write_json(prepared / "dataset.json", {**facts, "phantom": True})  # whose copies are planted
    write_groups("mine", prepared, 0.97, tmp_path / "out")
    assert (len(asked), (tmp_path / "out" / "pairs.csv").read_text()) == (
        2,
        "first,second,kind,correlation\n",
    )
