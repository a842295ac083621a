"""A table of labels with its images: what is read of it, and what is refused, message by message."""

import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from weckd.data.catalogue import ClassEntry, Dataset, LabelTable, Patients, SourceFolder
from weckd.data.describe import describe_folder
from weckd.data.groups import write_groups
from weckd.data.layouts import locate
from weckd.data.prepare import Origin, prepare
from weckd.data.prepared import COLUMNS, read_index
from weckd.errors import UserError

HEAD = "image,label,patient,set,fold"
ROWS = ("a/1.png,wart,p1,train,1", "a/2.png,mole,p1,train,1", "a/3.png,mole,p02,Test,2")
COLUMNS_OF = {"patient": "patient", "split": "set", "fold": "fold"}


def dataset(labels=("wart", "mole"), table=None, **changes):
    values = {
        "key": "skin",
        "title": "Skin",
        "modality": "other",
        "layout": "csv",
        "groups": "given",
        "classes": (ClassEntry("wart", "wart", label=labels[0]), ClassEntry("mole", "mole", label=labels[1])),
        **changes,
    }
    if values["layout"] == "csv":
        columns = COLUMNS_OF if table is None else table
        values["table"] = LabelTable("labels.csv", "image", "label", **columns)
    return Dataset(**values)


@pytest.fixture
def folder(tmp_path):
    """Return a folder with three images, and the table of them."""
    place = tmp_path / "skin"
    (place / "a").mkdir(parents=True)
    for number in (1, 2, 3):
        pixels = np.random.default_rng(number).integers(0, 256, (9, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / "a" / f"{number}.png")
    write(place)
    return place


def write(folder, *rows, head=HEAD, name="labels.csv"):
    (folder / name).write_bytes(("\n".join([head, *(rows or ROWS)]) + "\n").encode())


def index_of(folder, chosen=None, **options):
    out = folder.parent / "out"
    prepare(chosen or dataset(), Origin(folder, {}), 4, out, **options)
    return read_index(out)


def refusal(folder, chosen=None):
    with pytest.raises(UserError) as refused:
        index_of(folder, chosen)
    return str(refused.value).removeprefix(f"{folder}/")


def rows_of(index, *columns):
    return list(index[list(columns)].itertuples(index=False, name=None))


ALL = ("image_id", "class", "given_group", "official_split", "fold")
EXPECTED = [
    ("a/1.png", "wart", "p1", "train", "1"),
    ("a/2.png", "mole", "p1", "train", "1"),
    ("a/3.png", "mole", "p02", "test", "2"),
]


def test_images_classes_patients_splits_and_folds_come_from_the_table(folder, capsys):
    assert rows_of(index_of(folder), *ALL) == EXPECTED
    assert "without a row" not in capsys.readouterr().err
    text = (folder.parent / "out" / "index.csv").read_text()
    assert text.startswith(f"{','.join(COLUMNS)},fold\na/1.png,wart,p1,train,8,9,")
    write_groups("skin", folder.parent / "out", 0.97, folder.parent / "groups")
    groups = pd.read_csv(folder.parent / "groups" / "groups.csv")
    assert groups["group_id"].tolist() == ["p1", "p1", "p02"]


def test_an_index_without_folds_has_no_column_of_them(folder):
    index = index_of(folder, dataset(table={}, groups="near-duplicates"))
    assert rows_of(index, *ALL[2:]) == [("", "", "")] * 3
    assert (folder.parent / "out" / "index.csv").read_text().startswith(f"{','.join(COLUMNS)}\n")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_ends_of_lines_and_byte_order_marks_are_seen(folder, separator, end, mark):
    lines = [line.replace(",", separator) for line in (HEAD, *ROWS, ",,,,")]
    (folder / "labels.csv").write_text(mark + end.join(lines), encoding="utf-8", newline="")
    assert rows_of(index_of(folder), *ALL) == EXPECTED


def test_the_line_by_which_excel_tells_itself_the_separator_is_no_head(folder):
    lines = [line.replace(",", ";") for line in (HEAD, *ROWS)]
    (folder / "labels.csv").write_text("\ufeffsep=;\r\n" + "\r\n".join(lines), encoding="utf-8", newline="")
    assert rows_of(index_of(folder), *ALL) == EXPECTED


def test_what_separates_cells_is_seen_where_the_head_holds_other_separators(folder):
    lines = [line.replace(",", ";") for line in (HEAD, *ROWS)]
    lines[0] = '"image";label;patient;set;"fold";"age, years, of the ear, not, the, patient"'
    write(folder, *[f"{line};1,5" for line in lines[1:]], head=lines[0])
    assert rows_of(index_of(folder), *ALL) == EXPECTED


@pytest.mark.parametrize(("first", "second"), [("p1", "P 01"), ("a/p1", "b/p1")])
def test_patients_that_one_person_may_be_are_told(folder, capsys, first, second):
    write(folder, *(row.replace("p1", first).replace("p02", second) for row in ROWS))
    assert rows_of(index_of(folder), "given_group") == [(first,), (first,), (second,)]
    alike = " and ".join(sorted([first, second]))
    assert capsys.readouterr().err == (
        f"[skin] 1 patient may be written in several ways (the first: {alike}); each way counts as a patient of its "
        "own\n"
    )


def test_a_file_of_the_same_name_is_told_where_a_row_has_none(folder):
    write(folder, *ROWS[:2], "A\\3.PNG,mole,p2,,")
    assert refusal(folder) == (
        f"labels.csv: has 1 row without a file in {folder} (the first: A\\3.PNG; there is a/3.png); complete the "
        "images, remove those rows, or leave them out with skip_bad=true"
    )


def test_quoted_cells_may_hold_the_separator_and_blanks_at_ends_do_not_count(folder):
    (folder / "a" / "1.png").rename(folder / "a" / "1, left.png")
    write(folder, '"a/1, left.png ", wart , p1 ,train, 1 ', *ROWS[1:])
    assert rows_of(index_of(folder), *ALL) == [("a/1, left.png", *EXPECTED[0][1:]), *EXPECTED[1:]]


def test_parquet_is_read_and_its_whole_numbers_are_no_fractions(folder):
    frame = pd.DataFrame(
        {
            "image": ["a/1.png", "a/2.png", "a/3.png"],
            "label": [1.0, 2.0, 2.0],
            "patient": [7, 7, 8],
            "set": ["train", "train", "test"],
            "fold": [1.0, np.nan, 2.5],
        }
    )
    frame.to_parquet(folder / "labels.csv")
    index = index_of(folder, dataset(labels=(1, "2")))
    assert rows_of(index, *ALL) == [
        ("a/1.png", "wart", "7", "train", "1"),
        ("a/2.png", "mole", "7", "train", ""),
        ("a/3.png", "mole", "8", "test", "2.5"),
    ]


def test_a_column_for_each_class_is_refused_with_what_to_do(folder):
    told = (
        "labels.csv: has a column for each class (MEL, NV), which is not read; add one column that holds the class's "
        "name in each row, and name it as table.label"
    )
    rows = ("a/1.png,p1,1.0,0.0", "a/2.png,p1,0.0,1.0", "a/3.png,p2,0.0,1.0")
    write(folder, *rows, head="image,patient,MEL,NV")
    plain = dataset(table={"patient": "patient"})
    assert refusal(folder, plain) == told
    for name in ("MEL", "NV"):
        named = replace(plain, table=LabelTable("labels.csv", "image", name, patient="patient"))
        assert refusal(folder, named) == told
    assert f"\n  # it has {told.removeprefix('labels.csv: has ')}\n" in describe_folder(folder)
    # Of two classes such a column is a label too, if its 0 and 1 are named as such; and not all 0 and 1 are classes.
    zeros = replace(
        dataset(("1.0", "0.0")), table=LabelTable("labels.csv", "image", "MEL", patient="patient")
    )
    assert rows_of(index_of(folder, zeros), "class") == [("wart",), ("mole",), ("mole",)]
    write(folder, *rows[:2], "a/3.png,p2,0,0", head="image,patient,MEL,NV")
    assert refusal(folder, plain).startswith(
        "labels.csv: has no column 'label'; it has image, patient, MEL, NV;"
    )


def test_a_table_that_lacks_rows_is_told_to_be_completed_and_no_download(folder):
    classes = (
        ClassEntry("wart", "wart", label="wart", count=2),
        ClassEntry("mole", "mole", label="mole", count=2),
    )
    assert refusal(folder, dataset(classes=classes)) == (
        "labels.csv: class wart has 1 image, the catalogue says 2; complete the table (what cannot be read may stay, "
        "skip_bad=true leaves it out), or set its `count` in the catalogue to 1"
    )
    fewer = (replace(classes[0], count=1), replace(classes[1], count=1))
    assert "; remove rows that do not belong there, or set its `count`" in refusal(
        folder, dataset(classes=fewer)
    )
    none = (*dataset().classes, ClassEntry("cyst", "cyst", label="CY"))
    assert refusal(folder, dataset(classes=none)) == (
        "labels.csv: has no row with the label 'CY' of class cyst; complete it, or take that class out of the catalogue"
    )


def test_labels_of_numbers_are_text(folder):
    write(folder, "a/1.png,1,1,,", "a/2.png,01,01,,", "a/3.png,1,1,,")
    assert rows_of(index_of(folder, dataset(labels=("1", "01"))), "class", "given_group") == [
        ("wart", "1"),
        ("mole", "01"),
        ("wart", "1"),
    ]


def test_an_image_is_named_by_its_path_as_the_table_has_it(folder):
    paths = ("1", "2.png", r".\3")
    write(folder, *(f"{path}{row[7:]}" for path, row in zip(paths, ROWS, strict=True)))
    index = index_of(folder, dataset(table={**COLUMNS_OF, "folder": "a"}))
    assert rows_of(index, "image_id") == [(path,) for path in paths]


def test_an_accent_of_one_sign_is_that_of_two(folder):
    (folder / "a" / "1.png").rename(folder / "a" / "e\u0301.png")
    write(folder, "a/\xe9,wart,p1,train,1", *ROWS[1:])
    assert index_of(folder)["image_id"][0] == "a/\xe9"


def test_patients_of_a_table_may_come_from_the_paths(folder):
    chosen = dataset(table={"split": "set"}, patients=Patients(pattern=r"^(?P<patient>\d)"))
    assert rows_of(index_of(folder, chosen), "given_group") == [("1",), ("2",), ("3",)]
    write(folder, "a\\1,wart,,,", "a\\2,mole,,,", "a\\3,mole,,,")
    assert rows_of(index_of(folder, chosen), "image_id", "given_group") == [
        ("a\\1", "1"),
        ("a\\2", "2"),
        ("a\\3", "3"),
    ]


def test_patients_of_a_table_may_come_from_another_that_writes_paths_in_its_own_way(folder):
    chosen = dataset(table={}, patients=Patients("patients.csv"))
    write(folder, "a\\1,wart,,,", "a/2.png,mole,,,", "a/3,mole,,,")
    write(folder, "a/1.png,x", "a\\2,x", "a/3.png,y", head="image,patient", name="patients.csv")
    assert rows_of(index_of(folder, chosen), "image_id", "given_group") == [
        ("a\\1", "x"),
        ("a/2.png", "x"),
        ("a/3", "y"),
    ]


def test_a_folder_is_found_by_its_table(folder):
    assert locate(dataset(), folder.parent, 64) == folder
    assert locate(dataset(), folder / "a", 64) is None


def test_files_without_a_row_are_told_and_rows_without_a_file_are_refused_or_left_out(folder, capsys):
    for name in ("4.png", "notes.txt"):
        (folder / "a" / name).write_bytes(b"")
    write(folder, *ROWS, "a/8.png,mole,p3,train,", "a/9,mole,p3,train,")
    assert refusal(folder) == (
        f"labels.csv: has 2 rows without a file in {folder} (the first: a/8.png); complete the images, remove those "
        "rows, or leave them out with skip_bad=true"
    )
    index = index_of(folder, skip_bad=True)
    assert rows_of(index, *ALL) == EXPECTED
    lost = read_index(folder.parent / "out", left_out=True)
    told = "cannot be read (No such file or directory)"
    assert rows_of(lost, "image_id", "class", "problem") == [
        ("a/8.png", "mole", told),
        ("a/9", "mole", told),
    ]
    assert (
        f"[skin] {folder}/labels.csv: 1 file in {folder} without a row (the first: a/4.png); not used"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            [*ROWS, ROWS[1], ROWS[2]],
            "has 2 images in more than one row (the first: a/2.png, rows 2 and 4); remove the rows that repeat another",
        ),
        (
            [*ROWS, "a/2,mole,p9,train,"],
            "has 1 image in more than one row (the first: a/2.png, rows 2 and 4); remove the rows that repeat another",
        ),
        (
            [*ROWS, "a/2.png,wart,p1,train,1"],
            "'a/2.png' has 2 rows with the labels mole and wart; an image has one label: correct it, or remove the "
            "image",
        ),
        (
            [*ROWS[:2], "a/3.png,Mole,p2,test,"],
            "has 1 row with a label of no class of skin (the first: 'Mole'); its classes have wart, mole; correct the "
            "table, or the classes in the catalogue",
        ),
        (
            [*ROWS[:2], "a/3.png,,p2,test,"],
            "has 1 row with a label of no class of skin (the first: ''); its classes have wart, mole; correct the "
            "table, or the classes in the catalogue",
        ),
        (
            ["a/1.png,,p1,,", "a/2.png,,p2,,"],
            "has no label in the column 'label'; name the column of labels as table.label",
        ),
        (
            [ROWS[0], "a/2.png,mole,,train,", "a/3.png,mole,,test,"],
            "names no patient for 2 images (the first: a/2.png); name the patient; where none is known, give the image "
            "a name of its own, as unknown-1",
        ),
        (
            [*ROWS[:2], "a/3.png,mole,p1,test,1"],
            "has 1 patient in several official splits (the first: p1 in test and train); correct the table, or leave "
            "table.split out to split the images by patients alone",
        ),
        (
            [*ROWS[:2], "a/3.png,mole,p1,,1"],
            "has 1 patient in several official splits (the first: p1 in none and train); correct the table, or leave "
            "table.split out to split the images by patients alone",
        ),
        (
            [*ROWS[:2], "a/3.png,mole,p2,holdout,"],
            "has 1 row with an official split that is not known (the first: 'holdout'); write train, validation, test "
            "or nothing",
        ),
        *(
            (
                [ROWS[0], f"{path},mole,p2,,"],
                f"row 2 names {path!r}, which leads out of the data set's folder; write paths from that folder on",
            )
            for path in ("../skin/a/2.png", "/etc/passwd", "C:/a/2.png", "a/../../2.png")
        ),
        (
            [ROWS[0], ",mole,p2,,", ",mole,p2,,"],
            "has 2 rows without a path (the first: row 2); name the image, or remove the row",
        ),
        ([","], "holds no row below its head; put a row for each image there"),
        (
            [ROWS[0], "a/2.png,mole,p1"],
            "row 2 has 3 cells, its head has 5; correct that row, or put quotes around cells with a separator in them",
        ),
        (
            [ROWS[0], 'a/2.png,mole,"p1,train,1', *ROWS[2:], '"'],
            "row 2 has 3 cells, its head has 5; correct that row, or put quotes around cells with a separator in them",
        ),
        (
            ['a/2.png,mole,"p\n1",train,1'],
            "row 1 has a line break or a control sign in the column 'patient'; correct it (a quote may not be closed)",
        ),
    ],
)
def test_a_table_that_says_what_cannot_be_is_refused(folder, rows, told):
    write(folder, *rows)
    assert refusal(folder) == f"labels.csv: {told}"
    assert not list((folder.parent / "out").glob("*"))


def test_a_path_that_may_be_two_files_is_refused(folder):
    (folder / "a" / "1.jpg").write_bytes(b"")
    write(folder, "a/1,wart,p1,,", *ROWS[1:])
    assert refusal(folder) == (
        "labels.csv: row 1 names 'a/1', which may be a/1.jpg or a/1.png; write the end of the file's name, too"
    )


def test_a_missing_column_is_refused_with_those_that_there_are(folder):
    write(folder, head="image,label,patients,set,fold")
    assert refusal(folder) == (
        "labels.csv: has no column 'patient'; it has image, label, patients, set, fold; "
        "correct table.patient in the catalogue"
    )
    write(folder, head="image,label,patient,set,set")
    assert refusal(folder) == "labels.csv: has two columns 'set'; rename one"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty; put a head and a row for each image there"),
        (
            b"image,label\xff\n",
            "not a readable table ('utf-8' codec can't decode byte 0xff in position 11: invalid "
            "start byte); save it as CSV in UTF-8, or as Parquet",
        ),
    ],
)
def test_what_is_no_table_is_refused(folder, content, told):
    (folder / "labels.csv").write_bytes(content)
    assert refusal(folder) == f"labels.csv: {told}"
    (folder / "labels.csv").write_bytes(b"PAR1 and no more")
    assert refusal(folder).startswith("labels.csv: not a readable table (")
    (folder / "labels.csv").unlink()
    os.mkfifo(folder / "labels.csv")
    assert refusal(folder) == "labels.csv: a pipe, not a file; remove it"
    (folder / "labels.csv").unlink()
    assert refusal(folder) == (
        "labels.csv: no such file; put the table there, or correct its name in the catalogue"
    )


def folders_of(folder, **changes):
    """Return class folders of the images: the first a wart, the others moles."""
    for name, numbers in (("Wart", "1"), ("Mole", "23")):
        (folder / name).mkdir()
        for number in numbers:
            (folder / "a" / f"{number}.png").rename(folder / name / f"p{number}_left.png")
    (folder / "a").rmdir()
    classes = (ClassEntry("wart", "wart", "Wart"), ClassEntry("mole", "mole", "Mole"))
    values = {"layout": "class-folders", "folders": (SourceFolder(".", ""),), "classes": classes}
    return dataset(**{**values, **changes})


def test_patients_of_class_folders_come_from_a_table(folder, capsys):
    chosen = folders_of(folder, patients=Patients("patients.csv", "path", "who"))
    rows = ("Wart/p1_left,7", r"Mole\p2_left.png,007", "Mole/p3_left.png,7")
    write(folder, *rows, "Mole/p4_left.png,7", head="path,who", name="patients.csv")
    assert rows_of(index_of(folder, chosen), "image_id", "given_group") == [
        ("Wart/p1_left.png", "7"),
        ("Mole/p2_left.png", "007"),
        ("Mole/p3_left.png", "7"),
    ]
    told = f"[skin] {folder}/patients.csv: 1 row of no image (the first: Mole/p4_left.png); not used\n"
    assert told in capsys.readouterr().err
    (folder / "tables").mkdir()
    (folder / "patients.csv").rename(folder / "tables" / "patients.csv")
    below = replace(chosen, patients=Patients("tables/patients.csv", "path", "who"))
    assert rows_of(index_of(folder, below), "given_group") == [("7",), ("007",), ("7",)]
    (folder / "tables" / "patients.csv").unlink()
    (folder / "tables").rmdir()
    write(folder, *rows[:2], head="path,who", name="patients.csv")
    assert refusal(folder, chosen) == (
        "patients.csv: names no patient for 1 image (the first: Mole/p3_left.png); name the patient; where none is "
        "known, give the image a name of its own, as unknown-1"
    )
    write(folder, *rows, "Mole/p3_left,8", head="path,who", name="patients.csv")
    assert refusal(folder, chosen) == (
        "patients.csv: names 'Mole/p3_left.png' twice, of the patients '7' and '8'; correct one"
    )
    write(folder, head="image,patient", name="patients.csv")
    assert refusal(folder, chosen) == (
        "patients.csv: row 1 has 5 cells, its head has 2; correct that row, or put quotes around cells with a "
        "separator in them"
    )


def test_a_pattern_that_takes_the_class_for_a_part_of_the_patient_is_refused(folder):
    chosen = folders_of(folder, patients=Patients(pattern="(?P<patient>.*)_left"))
    assert refusal(folder, chosen) == (
        "skin: patients.pattern: takes a class's folder for a part of the patient ('Wart/p1' of Wart/p1_left.png), who "
        "would be two in two classes; write [^/] in place of ."
    )
    chosen = replace(chosen, patients=Patients(pattern="(?P<patient>[^/]*)_left"))
    assert rows_of(index_of(folder, chosen), "given_group") == [("p1",), ("p2",), ("p3",)]


def test_patients_of_class_folders_come_from_the_names(folder):
    chosen = folders_of(folder, patients=Patients(pattern=r"^(?P<patient>p\d+)_"))
    assert rows_of(index_of(folder, chosen), "given_group") == [("p1",), ("p2",), ("p3",)]
    (folder / "Mole" / "p3_left.png").rename(folder / "Mole" / "left.png")
    assert refusal(folder, chosen) == (
        "skin: patients.pattern: names no patient for 1 image (the first: Mole/left.png); correct the pattern"
    )


def test_a_patient_in_two_official_class_folders_is_refused(folder):
    chosen = folders_of(
        folder,
        folders=(SourceFolder("train", "train"), SourceFolder("test", "test")),
        patients=Patients(pattern=r"_(?P<patient>left)"),
    )
    for part in ("train", "test"):
        (folder / part).mkdir()
    for name in ("Wart", "Mole"):
        (folder / name).rename(folder / "train" / name)
        (folder / "test" / name).mkdir()
    for name in ("Wart", "Mole"):
        Image.new("RGB", (9, 9)).save(folder / "test" / name / "x_left.png")
    assert refusal(folder, chosen) == (
        f"{folder}: has 1 patient in several official splits (the first: left in test and train); correct the "
        'patients, or set official_split: "" of the folders to split by patients alone'
    )
