import re
from pathlib import Path

import pytest
import yaml

from weckd.data.catalogue import ClassEntry, Download, SourceFolder, find_dataset, load_catalogue
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


def test_the_catalogue_holds_the_six_sets_four_others_and_six_phantoms():
    six = ["ear_chile", "ear_ohio", "ear_turkiye", "ear_kaggle", "blood_cells", "brain_mri"]
    others = ["brain_nickparvar", "brain_sartaj", "wbc_zheng", "brain_yesno"]
    assert list(load_catalogue()) == [*six, *others, *PHANTOM_CLASSES]


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
        ("brain_nickparvar", 7023, 4, "none checked"),
        ("brain_sartaj", 3264, 4, "none checked"),
        ("wbc_zheng", 300, 5, "GPL-3.0"),
        ("brain_yesno", 253, 2, "Apache-2.0"),
    ],
)
def test_images_classes_and_licences(key, images, classes, licence):
    dataset = find_dataset(key)
    assert sum(entry.count for entry in dataset.classes) == images
    assert (len(dataset.classes), dataset.licence) == (classes, licence)
    assert dataset.groups == ("given" if key == "brain_mri" else "near-duplicates")


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


def test_only_the_kaggle_set_and_its_phantom_are_derived():
    derived = {key: dataset.derived_from for key, dataset in load_catalogue().items() if dataset.derived_from}
    assert derived == {
        "ear_kaggle": ("ear_chile", "ear_turkiye"),
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


def test_an_entry_is_all_that_a_new_set_needs(tmp_path):
    dataset = load(tmp_path, {"my_ears": ENTRY})["my_ears"]
    assert dataset.key == "my_ears"
    assert dataset.classes == (
        ClassEntry("normal", "normal", "Normal", count=120),
        ClassEntry("effusion", "effusion", "Effusion"),
    )


def test_the_readme_shows_a_valid_entry(tmp_path):
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"```yaml\n(.*?)```", readme, flags=re.DOTALL)
    entries = [text for text in shown if "class-folders" in text]
    assert len(entries) == 1
    assert list(load(tmp_path, entries[0])) == ["my_ears"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (
            "ear_chle",
            r"^no data set 'ear_chle'; did you mean 'ear_chile'\? Known data sets: ear_chile, ear_o",
        ),
        ("q", r"^no data set 'q'\. Known data sets: .*, phantom_blood_cells, phantom_brain_mri$"),
    ],
)
def test_an_unknown_key_is_refused_with_the_known_ones(key, message):
    with pytest.raises(UserError, match=message):
        find_dataset(key)


def changed(**changes):
    return {"my_ears": {**ENTRY, **changes}}


NO = {"key": False, "folder": "no", "title": "no"}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (changed(modality="sonography"), "my_ears.modality: 'sonography' is not one of ['otoscopy',"),
        (changed(clases=[]), "my_ears: Additional properties are not allowed ('clases' was unexpected)"),
        (
            changed(classes=[ENTRY["classes"][0], NO]),
            "my_ears.classes.1.key: False is not of type 'string'; wr",
        ),
        (
            changed(classes=[{"key": "a", "title": "a"}] * 2),
            "my_ears.classes.0: 'folder' is a required property",
        ),
        (changed(classes=ENTRY["classes"][:1]), "my_ears.classes: "),
        (changed(groups="given"), "my_ears.groups: 'near-duplicates' was expected"),
        (changed(layout="phantom"), "my_ears.title: 'My ear images' does not match '^Phantom of '"),
        (changed(classes=[ENTRY["classes"][0]] * 2), "my_ears.classes: key 'normal' stands twice"),
        (
            changed(derived_from=["ear_peru"]),
            "my_ears.derived_from: no data set 'ear_peru' in the catalogue",
        ),
        (
            changed(download={"doi": "10.5281/zenodo.77", "version": 2}),
            "my_ears.download: 'kaggle' is a dependency of 'version'",
        ),
        (
            changed(download={"kaggle": "someone/ears", "version": 0}),
            "my_ears.download.version: 0 is less than the minimum of 1",
        ),
        ({"My ears": ENTRY}, "top level: 'My ears' does not match"),
        ([], "top level: [] is not of type 'object'"),
    ],
)
def test_a_wrong_entry_is_refused_by_entry_and_key(tmp_path, entries, message):
    told = refusal(tmp_path, entries)
    assert told.startswith("not a valid catalogue\n  ")
    assert f"\n  {message}" in told


def test_a_data_set_of_the_users_own_can_be_derived_from_one_of_ours_but_not_replace_it(tmp_path):
    assert load(tmp_path, changed(derived_from=["ear_chile"]))["my_ears"].derived_from == ("ear_chile",)
    assert refusal(tmp_path / "..", {"ear_chile": ENTRY}).endswith(
        "ear_chile: the package's catalogue has a data set of this key; choose another"
    )


def test_a_version_on_kaggle_can_be_pinned(tmp_path):
    entries = changed(download={"kaggle": "someone/ears", "version": 2})
    assert load(tmp_path, entries)["my_ears"].download == Download(kaggle="someone/ears", version=2)


def test_layouts_with_labels_have_no_folders(tmp_path):
    labelled = {key: value for key, value in ENTRY.items() if key != "folders"} | {"layout": "medmnist-npz"}
    told = refusal(tmp_path, {"my_ears": labelled})
    assert "my_ears.classes.0: 'label' is a required property" in told
    classes = [{"key": key, "label": 3, "title": key} for key in ("a", "b")]
    told = refusal(tmp_path / ".", {"my_ears": {**labelled, "classes": classes}})
    assert told.endswith("my_ears.classes: label 3 stands twice")


def test_a_catalogue_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(
        UserError, match=r"mine.yaml: cannot be read \(.*No such file.*\); name a catalogue file"
    ):
        find_dataset("ear_chile", tmp_path / "mine.yaml")


def test_a_real_set_needs_folders_licence_and_source(tmp_path):
    bare = {key: value for key, value in ENTRY.items() if key not in ("folders", "licence", "source")}
    told = refusal(tmp_path, {"my_ears": bare})
    for key in ("folders", "licence", "source"):
        assert f"my_ears: '{key}' is a required property" in told


def test_a_copied_entry_cannot_replace_its_original(tmp_path):
    text = yaml.safe_dump({"my_ears": ENTRY})
    told = refusal(tmp_path, text + text)
    assert told.startswith("not valid YAML: key 'my_ears' stands twice")


def test_text_that_is_no_yaml_is_refused(tmp_path):
    assert refusal(tmp_path, "a: [1").startswith("not valid YAML: ")


def test_the_entry_that_the_readme_shows_is_all_that_is_needed(tmp_path):
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", readme, flags=re.DOTALL)
    file = tmp_path / "catalogue.yaml"
    file.write_text(block)
    dataset = load_catalogue(file)["my_ears"]
    assert [entry.key for entry in dataset.classes] == ["normal", "effusion"]
    assert not dataset.phantom
