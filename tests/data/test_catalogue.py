import re
from pathlib import Path

import pytest
import yaml

from weckd.data.catalogue import ClassEntry, Download, LabelTable, SourceFolder, find_dataset, load_catalogue
from weckd.errors import UserError

# Classes as in the literature on the six data sets; y follows this order in every file.
PHANTOM_CLASSES = {
    "phantom_ear_chile": "chronic_otitis_media earwax_plug myringosclerosis normal",
    "phantom_ear_ohio": "effusion normal tube",
    "phantom_ear_turkiye": (
        "acute_otitis_media chronic_suppurative_otitis_media earwax normal otitis_externa"
    ),
    "phantom_ear_kaggle": (
        "acute_otitis_media cerumen_impaction chronic_otitis_media myringosclerosis normal"
    ),
    "phantom_blood_cells": (
        "basophil eosinophil erythroblast immature_granulocyte lymphocyte monocyte neutrophil platelet"
    ),
    "phantom_brain_mri": "meningioma glioma pituitary",
}
ENTRY = {
    "title": "My ear images",
    "modality": "otoscopy",
    "licence": "CC BY 4.0",
    "source": "https://doi.org/10.0/0",
    "layout": "class-folders",
    "folders": [{"path": "", "official_split": ""}],
    "groups": "near-duplicates",
    "classes": [
        {"key": "normal", "folder": "Normal", "title": "normal", "count": 120},
        {"key": "effusion", "folder": "Effusion", "title": "effusion"},
    ],
}


def load(tmp_path, entries):
    file = tmp_path / "catalogue.yaml"
    file.write_text(entries if isinstance(entries, str) else yaml.safe_dump(entries), encoding="utf-8")
    return dict(list(load_catalogue(file).items())[len(load_catalogue()) :])


def refusal(tmp_path, entries):
    with pytest.raises(UserError) as refused:
        load(tmp_path, entries)
    return str(refused.value).removeprefix(f"{tmp_path / 'catalogue.yaml'}: ")


def test_the_catalogue_holds_the_six_sets_others_small_copies_and_six_phantoms():
    six = ["ear_chile", "ear_ohio", "ear_turkiye", "ear_kaggle", "blood_cells", "brain_mri"]
    others = ["brain_cheng", "brain_nickparvar", "brain_sartaj", "wbc_zheng", "blood_bccd", "brain_yesno"]
    small = ["ear_chile_small", "blood_bccd_small", "brain_cheng_small"]
    assert list(load_catalogue()) == [*six, *others, *small, *PHANTOM_CLASSES]


# Images of each set as its source or the literature counts them (see docs/data-sets.md).
@pytest.mark.parametrize(
    ("key", "images", "classes", "licence"),
    [
        ("ear_chile", 880, 4, "CC0"),
        ("ear_ohio", 454, 3, "CC BY 4.0"),
        ("ear_turkiye", 956, 9, "unknown"),
        ("ear_kaggle", 3000, 5, "none stated"),
        ("blood_cells", 17092, 8, "CC BY 4.0"),
        ("brain_mri", 3064, 3, "CC BY 4.0"),
        ("brain_cheng", 3064, 3, "CC BY 4.0"),
        ("brain_nickparvar", 7023, 4, "none checked"),
        ("brain_sartaj", 3264, 4, "none checked"),
        ("wbc_zheng", 300, 5, "GPL-3.0"),
        ("blood_bccd", 351, 5, "MIT"),
        ("brain_yesno", 253, 2, "Apache-2.0"),
    ],
)
def test_images_classes_and_licences(key, images, classes, licence):
    dataset = find_dataset(key)
    assert sum(entry.count for entry in dataset.classes) == images
    assert (len(dataset.classes), dataset.licence) == (classes, licence)
    assert dataset.groups == ("given" if key in ("brain_mri", "brain_cheng") else "near-duplicates")


def test_phantoms_have_classes_of_the_sets_that_they_stand_for():
    for key in PHANTOM_CLASSES:
        real = {entry.key for entry in find_dataset(key.removeprefix("phantom_")).classes}
        assert {entry.key for entry in find_dataset(key).classes} <= real


def test_of_several_sizes_the_smallest_that_need_not_be_enlarged_is_used():
    blood = find_dataset("blood_cells")
    names = {size: [file.name for file in blood.record_files(size)] for size in (16, 28, 29, 224, 300)}
    assert names == {
        16: ["bloodmnist.npz"],
        28: ["bloodmnist.npz"],
        29: ["bloodmnist_64.npz"],
        224: ["bloodmnist_224.npz"],
        300: ["bloodmnist_224.npz"],
    }
    assert blood.record_files(224)[0].md5 == "b718ff6835fcbdb22ba9eacccd7b2601"
    assert [file.name for file in find_dataset("brain_mri").record_files(224)] == [
        "brainTumorDataPublic*.zip"
    ]
    assert find_dataset("wbc_zheng").record_files(224) == ()


@pytest.mark.parametrize(("key", "classes"), PHANTOM_CLASSES.items())
def test_phantoms_have_the_classes_of_what_they_stand_for(key, classes):
    dataset = find_dataset(key)
    assert dataset.phantom
    assert " ".join(entry.key for entry in dataset.classes) == classes
    assert dataset.title.startswith("Phantom of ")
    assert dataset.groups == ("given" if key == "phantom_brain_mri" else "near-duplicates")


def test_only_the_kaggle_set_its_phantom_and_copies_in_other_files_are_derived():
    derived = {key: dataset.derived_from for key, dataset in load_catalogue().items() if dataset.derived_from}
    assert derived == {
        "ear_kaggle": ("ear_chile", "ear_turkiye"),
        "brain_cheng": ("brain_mri",),
        "ear_chile_small": ("ear_chile",),
        "blood_bccd_small": ("blood_bccd",),
        "brain_cheng_small": ("brain_cheng", "brain_mri"),
        "phantom_ear_kaggle": ("phantom_ear_chile", "phantom_ear_turkiye"),
    }


def test_the_chilean_set_has_official_splits():
    dataset = find_dataset("ear_chile")
    assert dataset.folders == (SourceFolder("Training-validation", "train"), SourceFolder("Testing", "test"))
    assert dataset.classes[1] == ClassEntry("earwax_plug", "earwax plug", "Earwax plug", count=220)
    assert (dataset.modality, dataset.licence, dataset.phantom) == ("otoscopy", "CC0", False)
    assert dataset.source == "https://doi.org/10.6084/m9.figshare.11886630"


def test_counts_of_the_real_sets():
    counts = {
        key: {entry.key: entry.count for entry in find_dataset(key).classes}
        for key in ("wbc_zheng", "brain_yesno")
    }
    assert counts["wbc_zheng"] == {
        "basophil": 1,
        "eosinophil": 22,
        "lymphocyte": 53,
        "monocyte": 48,
        "neutrophil": 176,
    }
    assert counts["brain_yesno"] == {"no": 98, "yes": 155}
    for key in ("brain_mri", "brain_cheng"):
        assert [(entry.count, entry.unverified) for entry in find_dataset(key).classes] == [
            (708, ()),
            (1426, ()),
            (930, ()),
        ]


def test_an_entry_is_all_that_a_new_set_needs(tmp_path):
    dataset = load(tmp_path, {"my_ears": ENTRY})["my_ears"]
    assert dataset.key == "my_ears"
    assert dataset.classes == (
        ClassEntry("normal", "normal", "Normal", count=120),
        ClassEntry("effusion", "effusion", "Effusion"),
    )


@pytest.mark.parametrize("patients", [None, {"pattern": "(?P<patient>p[0-9]+)"}])
def test_suspected_variants_may_be_kept_together_with_patients_or_without(tmp_path, patients):
    entry = {**ENTRY, "groups": "suspected", **({"patients": patients} if patients else {})}
    assert load(tmp_path, {"my_ears": entry})["my_ears"].groups == "suspected"


def test_the_entry_that_the_page_shows_is_all_that_is_needed(tmp_path):
    page = (Path(__file__).resolve().parents[2] / "docs" / "data-sets.md").read_text(encoding="utf-8")
    shown = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    entries = [text for text in shown if "class-folders" in text]
    assert len(entries) == 1
    [(key, dataset)] = load(tmp_path, entries[0]).items()
    assert (key, [entry.key for entry in dataset.classes]) == ("my_ears", ["normal", "effusion"])
    assert not dataset.phantom


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "ear_chle",
            r"^no data set 'ear_chle'; did you mean 'ear_chile'\? Known data sets: ear_chile, ear_o",
        ),
        (
            "q",
            r"^no data set 'q'\. Known data sets: .*, phantom_brain_mri; one of your own is read from a file: "
            r"catalogue=FILE$",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_known_ones(key, message):
    with pytest.raises(UserError, match=message):
        find_dataset(key)


def changed(**changes):
    return {"my_ears": {**ENTRY, **changes}}


KEYS = (
    "Keys here: citation, classes, derived_from, download, folders, frame, groups, groups_note, key, layout, "
    "licence, modality, patients, source, table, title"
)
WORDS = "at most 100 lower-case letters, digits and _"
NONE = {"key": "none", "folder": "None", "title": "none"}


BY_NAME = {"pattern": "(?P<patient>p[0-9]+)"}
TABLE = {"file": "labels.csv", "image": "path", "label": "diagnosis"}


def with_class(**changes):
    return changed(classes=[ENTRY["classes"][0], {**NONE, **changes}])


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (
            changed(modality="sonography"),
            "my_ears.modality: must be otoscopy, microscopy, MRI or other, not 'sonography'; by which results are "
            "averaged",
        ),
        (changed(clases=[]), f"my_ears.clases: no such key; did you mean 'classes'? {KEYS}"),
        (
            with_class(key=False),
            f"my_ears.classes.1.key: must be {WORDS}, not false (a word in quotes is text); what the class is "
            "called in all files",
        ),
        (
            with_class(key="none\n"),
            f"my_ears.classes.1.key: must be {WORDS}, not 'none\\n'; what the class is called in all files",
        ),
        (
            with_class(count=0),
            "my_ears.classes.1.count: must be a whole number from 1, or null, not 0; images to be found; leave it out "
            "where it is not known, and leave out a class without images",
        ),
        (
            with_class(folder="a/b"),
            "my_ears.classes.1.folder: must be the name of a file or folder, without /, or null, not 'a/b'; of class "
            "folders, as the source spells it",
        ),
        (changed(classes=[{"key": "a", "title": "a"}, NONE]), "my_ears.classes.0.folder: is missing"),
        (
            with_class(title=""),
            "my_ears.classes.1.title: must be text other than FILL IN, not ''; what it is called in tables and figures",
        ),
        (
            changed(title=1.5),
            "my_ears.title: must be text other than FILL IN, not 1.5 (a word in quotes is text); what the data set is "
            "called in tables and figures",
        ),
        (
            {**changed(derived_from=["yours"]), "yours": {**ENTRY, "derived_from": ["my_ears"]}},
            "my_ears.derived_from: yours is itself derived from my_ears\n"
            "  yours.derived_from: my_ears is itself derived from yours",
        ),
        (
            {
                **changed(derived_from=["yours"]),
                "yours": {**ENTRY, "derived_from": ["theirs"]},
                "theirs": {**ENTRY, "derived_from": ["ear_chile", "my_ears"]},
                "ours": {**ENTRY, "derived_from": ["my_ears"]},
            },
            "my_ears.derived_from: yours is itself derived from my_ears\n"
            "  theirs.derived_from: my_ears is itself derived from theirs\n"
            "  yours.derived_from: theirs is itself derived from yours",
        ),
        (with_class(label=1), "my_ears.classes.1.label: has no place in the layout class-folders"),
        (
            changed(classes=[]),
            "my_ears.classes: must be a list, of two or more classes, not []",
        ),
        (
            changed(groups="given"),
            "my_ears.groups: must be near-duplicates: no patients are named, neither by `patients` nor by a column of "
            "a table",
        ),
        (changed(patients=BY_NAME), "my_ears.groups: must be given: its patients are named"),
        (changed(patients={}, groups="given"), "my_ears.patients: must hold one of file and pattern"),
        (
            changed(patients={**BY_NAME, "file": "p.csv"}, groups="given"),
            "my_ears.patients: must hold one of file and pattern",
        ),
        (
            changed(patients={"pattern": "p(patient)"}, groups="given"),
            "my_ears.patients.pattern: must be a regular expression with a group (?P<patient>..), or null, not "
            "'p(patient)'; in place of a table; searched in the image's path, and where that has none in its file's "
            "name",
        ),
        (changed(table=TABLE), "my_ears.table: has no place in the layout class-folders"),
        (
            changed(layout="phantom"),
            "my_ears.layout: a phantom can only be one of the package's own",
        ),
        (with_class(key="normal"), "my_ears.classes: key 'normal' is given twice"),
        (with_class(title="normal"), "my_ears.classes: title 'normal' is given twice"),
        (with_class(folder="Normal"), "my_ears.classes: folder 'Normal' is given twice"),
        (changed(folders=2 * ENTRY["folders"]), "my_ears.folders: path '.' is given twice"),
        (
            changed(folders=[{"path": path, "official_split": ""} for path in ("a", "./a/")]),
            "my_ears.folders: path 'a' is given twice",
        ),
        *(
            (
                changed(folders=[{"path": path, "official_split": ""}]),
                f"my_ears.folders.0.path: must be a path below the data set's folder, not {path!r}",
            )
            for path in ("/etc", "../yours", "a/../..")
        ),
        *(
            (
                with_class(folder=name),
                f"my_ears.classes.1.folder: must be the name of a file or folder, without /, or null, not {name!r}; of "
                "class folders, as the source spells it",
            )
            for name in (".", "..")
        ),
        (changed(derived_from=["ear_peru"]), "my_ears.derived_from: no data set 'ear_peru' in the catalogue"),
        (changed(derived_from=["my_ears"]), "my_ears.derived_from: my_ears is itself derived from my_ears"),
        (changed(key="your_ears"), "my_ears.key: the key is what is above the entry; leave it out here"),
        (
            changed(licence="FILL IN", source="FILL IN: a link"),
            "my_ears.licence: must be text other than FILL IN, not 'FILL IN'; of the images; unknown where "
            "it is not known\n"
            "  my_ears.source: must be text other than FILL IN, not 'FILL IN: a link'; where a person "
            "reads about the images",
        ),
        (changed(download={}), "my_ears.download: must hold one of doi and kaggle"),
        (
            changed(download={"doi": "10.5281/zenodo.1", "kaggle": "a/b"}),
            "my_ears.download: must hold one of doi and kaggle",
        ),
        (
            changed(download={"kaggle": "a/b\n"}),
            "my_ears.download.kaggle: must be owner/name on Kaggle, in lower-case letters, digits and -, or null, "
            "not 'a/b\\n'",
        ),
        (
            changed(frame="first"),
            "my_ears.frame: must be a number from 0, or middle, or null, not 'first'; of DICOM files of several "
            "frames, the one that is used",
        ),
        (
            changed(download={"doi": "10.5281/zenodo.77", "version": 2}),
            "my_ears.download.version: a DOI names a version by itself",
        ),
        (
            changed(download={"kaggle": "someone/ears", "version": 0}),
            "my_ears.download.version: must be a whole number from 1, or null, not 0; of the data set on Kaggle; "
            "without it the newest",
        ),
        *(
            ({key: ENTRY}, f"{key}.key: must be {WORDS}, and not weights, macro or largest, not {key!r}")
            for key in ("My ears", "weights", "macro", "largest")
        ),
        (
            {"a" * 101: ENTRY},
            f"{'a' * 101}.key: must be {WORDS}, and not weights, macro or largest, not '{'a' * 37}...{'a' * 38}'",
        ),
    ],
)
def test_a_wrong_entry_is_refused_by_entry_and_key(tmp_path, entries, told):
    assert refusal(tmp_path, entries) == f"not a valid catalogue\n  {told}"


@pytest.mark.parametrize("content", ["- 1", "my_ears: 3", "3", "my_ears:"])
def test_what_is_no_catalogue_is_refused(tmp_path, content):
    assert refusal(tmp_path, content) == (
        "not a valid catalogue: must hold the key of each data set, and below it its entry; see docs/data-sets.md"
    )


def test_words_of_digits_and_of_yes_and_no_are_keys(tmp_path):
    text = yaml.safe_dump({"my_ears": ENTRY}).replace("my_ears", "2019").replace("key: normal", "key: no")
    dataset = load(tmp_path, text.replace("folder: Normal", "folder: 2018"))["2019"]
    assert (dataset.key, dataset.classes[0].key, dataset.classes[0].folder) == ("2019", "no", "2018")


def test_a_data_set_of_the_users_own_can_be_derived_from_one_of_ours_but_not_replace_it(tmp_path):
    assert load(tmp_path, changed(derived_from=["ear_chile"]))["my_ears"].derived_from == ("ear_chile",)
    assert refusal(tmp_path / "..", {"ear_chile": ENTRY}).endswith(
        "ear_chile: the package's catalogue has a data set of this key; choose another"
    )


def test_a_version_on_kaggle_can_be_pinned(tmp_path):
    entries = changed(download={"kaggle": "someone/ears", "version": 2})
    assert load(tmp_path, entries)["my_ears"].download == Download(kaggle="someone/ears", version=2)


ONE_FILE = "must name the npz file, or one for each size with its pixels"
ALL_PIXELS = "pixels must be told of every file or of none, and none twice"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([], ONE_FILE),
        ([{"name": "a.npz"}, {"name": "b.npz"}], ONE_FILE),
        ([{"name": "*.npz"}], ONE_FILE),
        ([{"name": "a.npz", "pixels": 28}, {"name": "b.npz", "pixels": 28}], ALL_PIXELS),
        ([{"name": "a.npz", "pixels": 28}, {"name": "b.npz"}], ALL_PIXELS),
    ],
)
def test_an_npz_set_says_which_file_is_read(tmp_path, files, told):
    entry = {key: value for key, value in ENTRY.items() if key != "folders"}
    entry |= {"layout": "medmnist-npz", "download": {"doi": "10.5281/zenodo.1", "files": files}}
    entry["classes"] = [{"key": key, "label": number, "title": key} for number, key in enumerate("ab")]
    assert refusal(tmp_path, {"my_ears": entry}) == f"not a valid catalogue\n  my_ears.download.files: {told}"
    sized = [{"name": f"{side}.npz", "pixels": side} for side in (64, 28)]
    entry["download"]["files"] = sized
    assert load(tmp_path / "..", {"my_ears": entry})["my_ears"].record_files(32)[0].name == "64.npz"


def test_a_split_that_is_not_known_is_told_with_the_empty_one(tmp_path):
    told = refusal(tmp_path, changed(folders=[{"path": "", "official_split": "Test"}]))
    assert told.endswith(
        "my_ears.folders.0.official_split: must be train, validation, test or \"\", not 'Test'"
    )


def test_layouts_with_labels_have_no_folders(tmp_path):
    labelled = {key: value for key, value in ENTRY.items() if key != "folders"} | {"layout": "matlab-v73"}
    told = refusal(tmp_path, {"my_ears": labelled})
    assert told.splitlines()[1:3] == [
        "  my_ears.classes.0.label: is missing",
        "  my_ears.classes.0.folder: has no place in the layout matlab-v73",
    ]
    classes = [{"key": key, "label": 3, "title": key} for key in ("a", "b")]
    told = refusal(tmp_path / ".", {"my_ears": {**labelled, "classes": classes}})
    assert told.endswith("my_ears.classes: label '3' is given twice")
    classes[0]["label"] = "three"
    told = refusal(tmp_path / ".", {"my_ears": {**labelled, "classes": classes}})
    assert told.endswith("my_ears.classes.0.label: must be a whole number in the layout matlab-v73")


def in_a_table(labels=("wart", 1), table=TABLE, **changes):
    entry = {key: value for key, value in ENTRY.items() if key != "folders"} | {
        "layout": "csv",
        "table": table,
    }
    entry["classes"] = [
        {"key": key, "label": label, "title": key} for key, label in zip("ab", labels, strict=True)
    ]
    return {"my_ears": {**entry, **changes}}


def test_a_table_names_its_columns_and_has_labels_of_text_or_numbers(tmp_path):
    dataset = load(tmp_path, in_a_table(groups="given", table={**TABLE, "patient": "who"}))["my_ears"]
    assert dataset.table == LabelTable("labels.csv", "path", "diagnosis", "who")
    assert [entry.label for entry in dataset.classes] == ["wart", 1]
    assert not dataset.official_test
    dataset = load(tmp_path / "..", in_a_table(table={**TABLE, "split": "part"}, labels=("1", "01")))[
        "my_ears"
    ]
    assert dataset.official_test


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (
            {"my_ears": {k: v for k, v in in_a_table()["my_ears"].items() if k != "table"}},
            "table: is missing",
        ),
        (in_a_table(labels=("1", 1)), "classes: label '1' is given twice"),
        (
            in_a_table(labels=(1.5, "")),
            "classes.0.label: must be a whole number from 0, or text, or null, not 1.5; what the class is called "
            "in a table (text or a number), or in the files of other layouts (a number)\n"
            "  my_ears.classes.1.label: must be a whole number from 0, or text, or null, not ''; what the class is "
            "called in a table (text or a number), or in the files of other layouts (a number)",
        ),
        (
            in_a_table(table={**TABLE, "label": "FILL IN"}),
            "table.label: must be text other than FILL IN, not 'FILL IN'; column of labels, text or numbers",
        ),
        (
            in_a_table(table={**TABLE, "file": "../labels.csv"}),
            "table.file: must be a path below the data set's folder, text other than FILL IN, not '../labels.csv'; the "
            "table, CSV, TSV or Parquet, below the data set's folder",
        ),
        (in_a_table(table={**TABLE, "patient": "who"}), "groups: must be given: its patients are named"),
        (
            in_a_table(table={**TABLE, "patient": "who"}, patients=BY_NAME, groups="given"),
            "patients: table.patient names them already; leave one out",
        ),
    ],
)
def test_a_wrong_entry_of_a_table_is_refused(tmp_path, entries, told):
    assert refusal(tmp_path, entries) == f"not a valid catalogue\n  my_ears.{told}"


def test_a_catalogue_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(
        UserError, match=r"mine.yaml: cannot be read \(.*No such file.*\); name a catalogue file"
    ):
        find_dataset("ear_chile", tmp_path / "mine.yaml")


def test_a_real_set_needs_folders_licence_and_source(tmp_path):
    bare = {key: value for key, value in ENTRY.items() if key not in ("folders", "licence", "source")}
    told = refusal(tmp_path, {"my_ears": bare})
    assert told == (
        "not a valid catalogue\n  my_ears.licence: is missing\n  my_ears.source: is missing\n"
        "  my_ears.folders: is missing"
    )


def test_a_copied_entry_cannot_replace_its_original(tmp_path):
    text = yaml.safe_dump({"my_ears": ENTRY})
    told = refusal(tmp_path, text + text)
    assert told.startswith("not valid YAML: key 'my_ears' is given twice")


def test_text_that_is_no_yaml_is_refused(tmp_path):
    assert refusal(tmp_path, "a: [1").startswith("not valid YAML: ")


def test_a_frame_is_a_number_or_a_word(tmp_path):
    frames = {
        f"ears_{number}": {**ENTRY, "frame": frame} for number, frame in enumerate((0, "12", "middle", None))
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(frames))
    found = load_catalogue(tmp_path / "mine.yaml")
    assert [found[key].frame for key in frames] == ["0", "12", "middle", None]
