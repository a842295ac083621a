"""Where the images of a run come from when its network is trained again: never from the network."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weckd.data.prepared import read_facts, read_images
from weckd.errors import UserError
from weckd.models.find import prepared_images
from weckd.run_files import RunFiles
from weckd.suite_file import resolve_suite

PHANTOMS = [Path(__file__).resolve().parents[2] / "config" / "phantoms.yaml"]
ENTRY = """\
mine:
  title: Mine
  modality: otoscopy
  layout: class-folders
  groups: near-duplicates
  licence: mine
  source: here
  citation: none
  download: {kaggle: nobody/nothing}
  folders: [{path: ., official_split: ""}]
  classes:
    - {key: dark, title: dark, folder: Dark}
    - {key: light, title: light, folder: Light}
"""


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "mine.yaml").write_text(ENTRY)
    for name, grey in (("Dark", 10), ("Light", 200)):
        file = tmp_path / "root" / "mine" / name / "a.png"
        file.parent.mkdir(parents=True)
        Image.new("RGB", (40, 30), (grey, grey, grey)).save(file)
    changes = {"datasets": ["mine"], "catalogue": str(tmp_path / "mine.yaml"), "image_size": 16}
    return resolve_suite(PHANTOMS, {**changes, "analysis": {"families": [], "claims": []}})


def test_they_are_prepared_from_the_users_own_folder_once(suite, tmp_path):
    run = RunFiles(tmp_path / "results" / "toy")
    folder = prepared_images(suite, run, "mine", tmp_path / "root")
    assert folder == tmp_path / "results" / "data" / "mine-16px"
    images = read_images(folder, read_facts(folder))
    assert np.array_equal(np.unique(images), [10, 200])
    (tmp_path / "root").rename(tmp_path / "gone")
    assert prepared_images(suite, run, "mine", None) == folder


def refused(suite, tmp_path, root):
    with pytest.raises(UserError) as told:
        prepared_images(suite, RunFiles(tmp_path / "results" / "toy"), "mine", root)
    return str(told.value)


def test_nothing_is_downloaded_and_messages_name_options_of_export(suite, tmp_path):
    assert refused(suite, tmp_path, None) == (
        "mine: needs its images in a local folder; name the folder that holds mine/ with --data-root FOLDER"
    )
    other = tmp_path / "other"
    assert refused(suite, tmp_path, other) == f"--data-root: {other}: no such folder; correct it"
    other.mkdir()
    assert refused(suite, tmp_path, other) == (
        f"--data-root: {other / 'mine'}: no such folder; put Mine there (here) or correct --data-root"
    )


def test_an_image_that_cannot_be_read_is_not_left_out(suite, tmp_path):
    broken = tmp_path / "root" / "mine" / "Light" / "a.png"
    broken.write_bytes(b"text")
    assert refused(suite, tmp_path, tmp_path / "root") == (
        f"{broken}: not an image; remove it, and its row where a table lists it"
    )
