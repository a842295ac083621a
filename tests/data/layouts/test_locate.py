from dataclasses import replace

import pytest

from weckd.data.catalogue import find_dataset
from weckd.data.layouts import is_clutter, locate
from weckd.errors import UserError

CHILE = find_dataset("ear_chile")


def lay_out(folder, *names):
    for name in names:
        (folder / name).mkdir(parents=True)
    return folder


def test_the_folder_itself_or_one_below_is_found(tmp_path):
    names = ("Training-validation/Normal", "Testing/Normal")
    assert locate(CHILE, lay_out(tmp_path / "a", *names), 64) == tmp_path / "a"
    lay_out(tmp_path / "b" / "Ear imagery" / "images", *names)
    assert locate(CHILE, tmp_path / "b", 64) == tmp_path / "b" / "Ear imagery" / "images"
    lay_out(tmp_path / "c" / "1" / "2" / "3" / "4", *names)
    assert locate(CHILE, tmp_path / "c", 64) is None
    assert locate(CHILE, tmp_path / "none", 64) is None
    assert locate(CHILE, tmp_path / ("r" * 300), 64) is None


def test_what_operating_systems_leave_is_not_searched(tmp_path):
    lay_out(tmp_path / "__MACOSX", "Training-validation/Normal", "Testing/Normal")
    assert locate(CHILE, tmp_path, 64) is None


def test_a_part_of_a_set_is_found_so_that_what_it_lacks_can_be_named(tmp_path):
    lay_out(tmp_path / "a", "Training-validation/Normal")
    assert locate(CHILE, tmp_path / "a", 64) is None  # no part of the official test
    lay_out(tmp_path / "a", "Testing/Earwax plug")
    assert locate(CHILE, tmp_path / "a", 64) == tmp_path / "a"


def test_a_set_that_lies_there_twice_is_refused(tmp_path):
    for name in ("one", "two"):
        lay_out(tmp_path / name, "Training-validation/Normal", "Testing/Normal")
    with pytest.raises(UserError) as refused:
        locate(CHILE, tmp_path, 64)
    assert str(refused.value) == (
        f"{tmp_path}: holds ear_chile more than once ({tmp_path}/one and {tmp_path}/two); remove one of them"
    )


def test_files_of_other_layouts_are_found_by_name(tmp_path):
    (tmp_path / "x").mkdir()
    blood, brain = find_dataset("blood_cells"), find_dataset("brain_mri")
    (tmp_path / "x" / "bloodmnist_64.npz").touch()
    assert locate(blood, tmp_path, 64) == tmp_path / "x"
    assert locate(blood, tmp_path, 128) is None
    assert locate(brain, tmp_path, 64) is None
    for name in ("one/1.mat", "two/767.mat"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    assert locate(brain, tmp_path, 64) == tmp_path
    assert locate(replace(brain, key="other"), tmp_path / "one", 64) == tmp_path / "one"


@pytest.mark.parametrize(
    "name",
    [
        *(".DS_Store", "._o1.jpg", "Thumbs.db", "thumbs.db", "ehthumbs_vista.db", "Desktop.ini", "Icon\r"),
        *("__MACOSX", "@eaDir", "@tmp", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information"),
        "lost+found",
    ],
)
def test_what_systems_and_network_drives_leave_is_clutter(name):
    assert is_clutter(name)


@pytest.mark.parametrize(
    "name", ["Icon", "Icon.png", "icons", "#3.png", "@x.png", "$1.png", "thumbs.db.png", "tmp"]
)
def test_what_a_person_may_have_named_is_not_clutter(name):
    assert not is_clutter(name)
