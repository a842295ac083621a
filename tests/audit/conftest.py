"""Prepared data sets made by hand: what is copied, leaked and in conflict is known."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))  # for small_suite

from weckd.data.groups import write_groups
from weckd.data.prepared import COLUMNS
from weckd.files import file_digest, write_json, write_text


def fingerprint(prepared):
    """Return what `dataset.json` says of images and index."""
    images = np.load(prepared / "images.npy", allow_pickle=False).tobytes()
    return hashlib.sha256(images + (prepared / "index.csv").read_bytes()).hexdigest()


@pytest.fixture
def make(tmp_path):
    """Return a function that writes a prepared data set and its groups, and returns both folders."""

    def write(
        key,
        rows,
        modality="otoscopy",
        phantom=False,
        derived_from=(),
        left_out=(),
        threshold=0.97,
        title="A set",
        folds=(),
    ):
        """Rows: image id, class, patient, official split, thumbnail; folds: the source's own, one a row."""
        prepared, groups = tmp_path / "prepared" / key, tmp_path / "groups" / key
        thumbnails = np.stack([row[4] for row in rows])
        table = [
            (*row[:4], 32, 32, "f", str(np.random.default_rng(row[4].ravel()).integers(1 << 62)), "")
            for row in rows
        ]
        table += [(name, "a", "", "", 0, 0, "", "", problem) for name, problem in left_out]
        index = pd.DataFrame(table, columns=list(COLUMNS))
        index = index.assign(fold=folds) if folds else index
        write_text(prepared / "index.csv", index.to_csv(index=False))
        np.save(prepared / "thumbnails.npy", thumbnails)
        np.save(prepared / "images.npy", np.repeat(thumbnails[..., np.newaxis], 3, axis=3))
        files = {name: file_digest(prepared / name) for name in ("thumbnails.npy", "index.csv")}
        facts = {"key": key, "modality": modality, "phantom": phantom, "derived_from": list(derived_from)}
        facts |= {"title": title, "files": files, "fingerprint": fingerprint(prepared)}
        write_json(prepared / "dataset.json", facts)
        write_groups(key, prepared, threshold, groups)
        return prepared, groups

    return write
