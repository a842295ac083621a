import pytest
import yaml

from weckd.data.catalogue import find_dataset, load_catalogue
from weckd.data.describe import describe_folder
from weckd.errors import UserError


def fill(folder, **counts):
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number}.jpg").touch()
    return folder


def test_class_folders_become_an_entry_that_the_catalogue_takes(tmp_path):
    fill(tmp_path / "My Ears", Normal=3, **{"Ear wax (left)": 2})
    (tmp_path / "My Ears" / "Normal" / ".DS_Store").touch()
    text = describe_folder(tmp_path / "My Ears")
    assert yaml.safe_load(text) == {
        "my_ears": {
            "title": "My Ears",
            "modality": "other",
            "licence": "FILL IN",
            "source": "FILL IN",
            "layout": "class-folders",
            "folders": [{"path": ".", "official_split": ""}],
            "groups": "near-duplicates",
            "classes": [
                {"key": "ear_wax_left", "folder": "Ear wax (left)", "title": "ear wax (left)", "count": 2},
                {"key": "normal", "folder": "Normal", "title": "normal", "count": 3},
            ],
        }
    }
    (tmp_path / "mine.yaml").write_text(text)
    assert find_dataset("my_ears", tmp_path / "mine.yaml").classes[1].count == 3
    assert "my_ears" not in load_catalogue()


def test_folders_of_official_splits_are_known_by_their_names(tmp_path):
    for split, count in (("Training", 3), ("val", 1), ("Test set", 2)):
        fill(tmp_path / "set" / split, a=count, b=1)
    entry = yaml.safe_load(describe_folder(tmp_path / "set"))["set"]
    assert entry["folders"] == [
        {"path": "Test set", "official_split": "test"},
        {"path": "Training", "official_split": "train"},
        {"path": "val", "official_split": "validation"},
    ]
    assert [(item["key"], item["count"]) for item in entry["classes"]] == [("a", 6), ("b", 3)]


def test_what_is_no_set_of_class_folders_is_refused(tmp_path):
    def refusal(folder):
        with pytest.raises(UserError) as refused:
            describe_folder(folder)
        return str(refused.value)

    assert (
        refusal(tmp_path / "x")
        == f"{tmp_path}/x: no such folder; name one that holds a folder for each class"
    )
    fill(tmp_path / "one", a=1)
    assert refusal(tmp_path / "one") == f"{tmp_path}/one: holds 1 class folders; at least two are needed"
    fill(tmp_path / "two" / "train", a=1, b=1)
    fill(tmp_path / "two" / "test", a=1, c=1)
    assert refusal(tmp_path / "two") == (
        f"{tmp_path}/two/train: holds the classes a, b, elsewhere a, c; mend one"
    )
