import os
from pathlib import Path

import pytest
import yaml

from weckd.data.catalogue import Patients, find_dataset, load_catalogue
from weckd.data.describe import describe_folder
from weckd.data.layouts import list_sources, locate
from weckd.errors import UserError

NEEDED = "at least two class folders, or a table of labels (.csv, .tsv, .parquet), are needed"


def fill(folder, **counts):
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number}.jpg").touch()
    return folder


def write(file, text):
    file.write_text(text, encoding="utf-8")
    return file


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
    with pytest.raises(UserError, match=r"my_ears\.licence: must be text other than FILL IN, not 'FILL"):
        load_catalogue(write(tmp_path / "unfilled.yaml", text))
    write(tmp_path / "mine.yaml", text.replace("FILL IN", "unknown"))
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
        == f"{tmp_path}/x: no such folder; name one that holds a folder for each class, or a table of labels"
    )
    fill(tmp_path / "one", a=1)
    assert refusal(tmp_path / "one") == (f"{tmp_path}/one: holds 1 class folder and 0 files; {NEEDED}")
    fill(tmp_path / "two" / "train", a=1, b=1)
    fill(tmp_path / "two" / "test", a=1, c=1)
    assert refusal(tmp_path / "two") == (
        f"{tmp_path}/two/train: holds the classes a, b, elsewhere a, c; correct one"
    )


def described(folder, tmp_path):
    """Describe a folder, load the entry as its user would, and return it with the text."""
    text = describe_folder(folder)
    (tmp_path / "mine.yaml").write_text(text.replace("FILL IN", "known"), encoding="utf-8")
    load_catalogue.cache_clear()
    own = set(load_catalogue(tmp_path / "mine.yaml")) - set(load_catalogue())
    assert len(own) == 1
    return find_dataset(own.pop(), tmp_path / "mine.yaml"), text


def comments(text):
    return [line.strip().removeprefix("# ") for line in text.splitlines() if line.strip().startswith("#")]


ASKED = [
    "modality: otoscopy, microscopy, MRI or other",
    "where the images were made from another data set's, add derived_from: [its key]",
    "where several images are of one patient, add `patients` and groups: given (docs/data-sets.md)",
]


def test_what_the_names_do_not_say_is_to_be_filled_in_or_asked_for(tmp_path):
    _, text = described(fill(tmp_path / "ears", a=1, b=2), tmp_path)
    assert [line for line in text.splitlines() if "FILL IN" in line] == [
        "  licence: FILL IN",
        "  source: FILL IN",
    ]
    assert comments(text) == ASKED
    assert text.startswith("ears:\n  # modality: "), "the key comes first, for those who script it"
    _, text = described(fill(tmp_path / "My ears", a=1, b=2), tmp_path)
    assert comments(text) == [
        *ASKED,
        "the images are looked for in data_root/my_ears: give 'My ears' that name, or link it so",
    ]


def test_an_empty_class_folder_has_no_count_and_is_asked_for(tmp_path):
    dataset, text = described(fill(tmp_path / "ears", a=0, b=2), tmp_path)
    assert [(entry.key, entry.count) for entry in dataset.classes] == [("a", None), ("b", 2)]
    assert comments(text) == [*ASKED, f"{tmp_path}/ears/a: holds no image; put those of class a there"]


def test_what_prepare_will_refuse_is_told_before(tmp_path):
    folder = fill(tmp_path / "ears", a=1, b=2, c=1)
    os.mkfifo(folder / "a" / "pipe.jpg")
    (folder / "b" / "sub").mkdir()
    Path(os.fsdecode(os.fsencode(folder / "c") + b"/o\xefdo.jpg")).touch()
    dataset, text = described(folder, tmp_path)
    assert [entry.count for entry in dataset.classes] == [None, None, None]
    assert comments(text) == [
        *ASKED,
        f"{folder}/a/pipe.jpg: a pipe, not a file; remove it",
        f"{folder}/b/sub: a folder, not a file; the images of class b must lie directly in b",
        rf"{folder}/c: the name 'o\xefdo.jpg' in it is not UTF-8; rename it",
    ]


def test_classes_whose_names_give_one_key_have_two(tmp_path):
    dataset, text = described(fill(tmp_path / "ears", **{"A b": 1, "a-b": 2, "正常": 3, "异常": 4}), tmp_path)
    assert [(entry.key, entry.folder) for entry in dataset.classes] == [
        ("a_b", "A b"),
        ("a_b_2", "a-b"),
        ("unnamed", "异常"),
        ("unnamed_2", "正常"),
    ]
    assert comments(text) == [
        *ASKED,
        "the key a_b is taken: choose another for 'a-b'",
        "'异常' has no letter from a to z: choose a key",
        "'正常' has no letter from a to z: choose a key",
        "the key unnamed is taken: choose another for '正常'",
    ]


def test_classes_whose_names_differ_in_case_alone_keep_it_in_their_titles(tmp_path):
    dataset, _ = described(fill(tmp_path / "ears", AOM=1, aom=2, Normal=3), tmp_path)
    assert sorted(entry.title for entry in dataset.classes) == ["AOM", "Normal", "aom"]


@pytest.mark.parametrize("name", ["ear_chile", "phantom_ear_ohio", "weights", "macro", "largest"])
def test_a_key_that_is_taken_is_not_given(tmp_path, name):
    dataset, text = described(fill(tmp_path / name, a=1, b=2), tmp_path)
    assert dataset.key == f"{name}_2"
    assert comments(text) == [
        f"the key {name} is taken: choose another for {name!r}",
        *ASKED,
        f"the images are looked for in data_root/{name}_2: give {name!r} that name, or link it so",
    ]


def test_names_that_yaml_reads_as_something_else_stay_names(tmp_path):
    names = [
        "2019",
        "010",
        "1e3",
        "0x1F",
        "1_000",
        "yes",
        "no",
        "null",
        "1.5",
        "12:30",
        "- a",
        "a: b",
        "#x",
        "'q",
        "a\x85b",
        "c\u2028d\u2029é",
    ]
    dataset, text = described(fill(tmp_path / "2019", **dict.fromkeys(names, 1)), tmp_path)
    assert dataset.key == "2019"
    assert sorted(str(entry.folder) for entry in dataset.classes) == sorted(names)
    assert "folder: '1e3'" in text, "a number in YAML 1.2"


def test_clutter_is_not_counted(tmp_path):
    folder = fill(tmp_path / "ears", a=1, b=2, __MACOSX=2, **{"@eaDir": 1, "#recycle": 1})
    for name in ("thumbs.db", "Thumbs.db", "Icon\r", ".DS_Store", "desktop.ini"):
        (folder / "a" / name).touch()
    (folder / "b" / "@eaDir").mkdir()
    dataset, _ = described(folder, tmp_path)
    assert [(entry.key, entry.count) for entry in dataset.classes] == [("a", 1), ("b", 2)]


def test_a_folder_beside_the_splits_is_no_class(tmp_path):
    folder = tmp_path / "ears"
    for split in ("train", "test"):
        fill(folder / split, a=1, b=1)
    fill(tmp_path / "ears", masks=3)
    dataset, text = described(folder, tmp_path)
    assert [place.path for place in dataset.folders] == ["test", "train"]
    assert [(entry.key, entry.count) for entry in dataset.classes] == [("a", 2), ("b", 2)]
    assert comments(text) == [*ASKED, f"neither splits nor classes: masks; move them out of {folder}"]


def test_classes_that_only_begin_as_splits_do_are_classes(tmp_path):
    dataset, _ = described(fill(tmp_path / "knees", valgus=1, testis=2, training=3), tmp_path)
    assert [place.path for place in dataset.folders] == ["."]
    assert [entry.key for entry in dataset.classes] == ["testis", "training", "valgus"]


def test_a_folder_that_wraps_another_is_looked_into_as_prepare_does(tmp_path):
    folder = fill(tmp_path / "ears" / "images" / "all", a=1, b=2).parents[1]
    dataset, _ = described(folder, tmp_path)
    assert dataset.key == "ears"
    assert [place.path for place in dataset.folders] == ["."]
    assert locate(dataset, folder, 64) == folder / "images" / "all"


def test_odd_folders_are_refused_with_the_reason(tmp_path):
    def refusal(folder):
        with pytest.raises(UserError) as refused:
            describe_folder(folder)
        return str(refused.value)

    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "empty") == (f"{tmp_path}/empty: holds 0 class folders and 0 files; {NEEDED}")
    fill(tmp_path / "x", files=2)
    assert refusal(tmp_path / "x" / "files") == (
        f"{tmp_path}/x/files: holds 0 class folders and 2 files; {NEEDED}"
    )
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for folder in (
        tmp_path / "x" / "files" / "0.jpg",
        tmp_path / "pipe",
        tmp_path / "loop",
        Path("/dev/zero"),
    ):
        assert (
            refusal(folder)
            == f"{folder}: no such folder; name one that holds a folder for each class, or a table of labels"
        )
    long = tmp_path / ("x" * 300)
    assert refusal(long) == (
        f"{long}: cannot be read (File name too long); name one that holds a folder for each class, or a table of "
        "labels"
    )
    fill(tmp_path / "odd", **{"a\rb": 1, "c": 1})
    assert refusal(tmp_path / "odd") == (
        rf"{tmp_path}/odd: the name 'a\rb' in it holds a carriage return; rename it"
    )


def table(folder, *rows, name="labels.csv"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(rows), encoding="utf-8")
    return folder


def test_a_table_becomes_an_entry_that_the_catalogue_takes(tmp_path, capsys):
    rows = [
        f"{number};{label};P{number % 3};train;{number % 2}" for number, label in enumerate(["10", "9", "9"])
    ]
    folder = fill(table(tmp_path / "My skin", "Image ID;DX;Patient ID;set;fold", *rows), images=3)
    entry, text = described(folder, tmp_path)
    assert yaml.safe_load(text)["my_skin"] == {
        "title": "My skin",
        "modality": "other",
        "licence": "FILL IN",
        "source": "FILL IN",
        "layout": "csv",
        "table": {
            "file": "labels.csv",
            "image": "Image ID",
            "label": "DX",
            "patient": "Patient ID",
            "split": "set",
            "fold": "fold",
            "folder": "images",
        },
        "groups": "given",
        "classes": [
            {"key": "9", "label": "9", "title": "9", "count": 2},
            {"key": "10", "label": "10", "title": "10", "count": 1},
        ],
    }
    assert comments(text)[3:] == ["columns of labels.csv: Image ID, DX, Patient ID, set, fold"]
    assert (list_sources(entry, folder, 64).total, capsys.readouterr().err) == (3, "")


def test_columns_that_no_name_tells_are_left_to_fill_in(tmp_path):
    folder = table(tmp_path / "skin", "img,what,who,set", "a.jpg,wart,1,holdout", "b.jpg,mole,2,train")
    text = describe_folder(folder)
    entry = yaml.safe_load(text)["skin"]
    assert entry["table"] == {"file": "labels.csv", "image": "img", "label": "FILL IN"}
    assert entry["classes"] == [{"key": "FILL IN", "label": "FILL IN", "title": "FILL IN"}]
    assert comments(text)[-1] == "columns of labels.csv: img, what, who, set"
    with pytest.raises(
        UserError, match=r"skin\.table\.label: must be text other than FILL IN, not 'FILL IN'"
    ):
        load_catalogue(write(tmp_path / "mine.yaml", text))


def test_where_no_name_tells_the_labels_columns_of_few_values_are_shown_with_them(tmp_path):
    rows = [
        f"{number}.jpg;{'Paukenerguß' if number % 2 else 'gesund'};{number // 2};{'Test' if number < 2 else 'Training'}"
        for number in range(26)
    ]
    folder = table(tmp_path / "ohren", "Bild;Urteil;Patientennummer;Gruppe", *rows)
    text = describe_folder(folder)
    entry = yaml.safe_load(text)["ohren"]
    told = {"image": "Bild", "label": "FILL IN", "patient": "Patientennummer", "split": "Gruppe"}
    assert entry["table"] == {"file": "labels.csv", **told}
    assert comments(text)[2:] == [
        "columns of labels.csv: Bild, Urteil, Patientennummer, Gruppe",
        "'Urteil' holds Paukenerguß, gesund",
        "'Gruppe' holds Test, Training",
    ]


def test_what_would_be_refused_of_a_table_is_asked_for(tmp_path):
    folder = table(tmp_path / "skin", "file,label,patient", "a.jpg,wart,1", "b.jpg,mole,")
    table(folder, "file,label", "c.jpg,wart", name="more.tsv")
    assert comments(describe_folder(folder))[-2:] == [
        f"{folder}/labels.csv: names no patient for 1 image (the first: b.jpg); name the patient; where none is known, "
        "give the image a name of its own, as unknown-1",
        "another table: more.tsv; an entry has one: join them, with a column of the official split where they are its "
        "parts",
    ]
    (folder / "more.tsv").unlink()
    table(folder, "file,label", "a.jpg,wart", "b.jpg,mole")
    assert comments(describe_folder(folder))[-1] == (
        f"{folder}/labels.csv: has 2 rows without a file in {folder} (the first: a.jpg); complete the images, remove "
        "those rows, or leave them out with skip_bad=true"
    )
    table(folder, "file,label", f"{'a' * 300},wart", "/etc/passwd,mole")
    assert comments(describe_folder(folder))[-1] == (
        f"{folder}/labels.csv: row 2 names '/etc/passwd', which leads out of the data set's folder; write paths from "
        "that folder on"
    )
    table(folder, "file,label", "a.jpg,wart")
    with pytest.raises(UserError) as refused:
        describe_folder(folder)
    assert str(refused.value) == (
        f"{folder}/labels.csv: holds 1 label in the column 'label'; at least two classes are needed"
    )
    table(folder, "file,label", "a.jpg,", "b.jpg,")
    with pytest.raises(
        UserError, match=r"labels\.csv: holds 0 labels in the column 'label'; at least two classes"
    ):
        describe_folder(folder)


def test_patients_beside_class_folders_are_named_and_a_table_that_cannot_be_read_is_told(tmp_path):
    folder = table(
        fill(tmp_path / "skin", Wart=1, Mole=1), "path,subject", "Wart/0,1", "Mole/0,2", name="who.csv"
    )
    (folder / "more.csv").touch()
    entry, text = described(folder, tmp_path)
    assert (entry.layout, entry.groups) == ("class-folders", "given")
    assert entry.patients == Patients("who.csv", "path", "subject")
    assert comments(text)[-1] == f"{folder}/more.csv: is empty; put a head and a row for each image there"
    assert [source.read.args[-1] for source in list_sources(entry, folder, 64).sources] == ["2", "1"]
