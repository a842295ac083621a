"""The whole command, and what it says of packages and images."""

import pandas as pd
import pytest
from engine import TINY

from weckd.cli import main
from weckd.data.prepared import COLUMNS
from weckd.doctor.machine import compare, pinned
from weckd.files import file_digest, write_json, write_sums, write_text
from weckd.suite_file import resolve_suite


def test_versions_that_differ_between_pythons_are_all_as_locked(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:00\n"
        "numpy==2.5.5 ; python_full_version >= '3.12' \\\n    --hash=sha256:11\n"
        "Zope.Interface==7.2 \\\n    --hash=sha256:22\n"
    )
    assert pinned(lock) == {"numpy": ["2.4.6", "2.5.5"], "zope-interface": ["7.2"]}
    assert compare(pinned(lock), {"numpy": "2.5.5", "zope-interface": "7.2"}).found == "2 as locked"
    other = compare(pinned(lock), {"numpy": "2.4.5"})
    assert (other.level, other.found) == ("note", "not as locked: numpy 2.4.5 (locked: 2.4.6 or 2.5.5)")


def told(capsys, dataset, root, *more):
    changes = [f"datasets=[{dataset}]", "methods=[weckd,single]", f"data_root={root}", *more]
    plan = "analysis={families: [], claims: []}"
    status = main(["doctor", "--suite", str(TINY), "--config", *changes, plan])
    output = capsys.readouterr()
    lines = [" ".join(line.split()) for line in output.out.splitlines()]
    return status, lines, output.err


def test_images_that_are_drawn_found_or_missing_are_told_apart(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, lines, _ = told(capsys, "phantom_ear_ohio", "null")
    assert "ok images phantom_ear_ohio drawn by the suite" in lines
    assert status == 0
    status, lines, _ = told(capsys, "brain_yesno", tmp_path / "mine")
    assert status == 1
    assert f"BAD images brain_yesno data_root: {tmp_path}/mine: no such folder; correct it" in " ".join(lines)
    (tmp_path / "mine").mkdir()
    status, lines, errors = told(capsys, "brain_yesno", tmp_path / "mine")
    assert status == 1
    assert f"BAD images brain_yesno data_root: {tmp_path}/mine/brain_yesno: no such folder; put" in " ".join(
        lines
    )
    assert "1 of" in errors and "checks say that a run would fail here" in errors
    for name, count in (("yes", 155), ("no", 98)):
        folder = tmp_path / "mine/brain_yesno" / name
        folder.mkdir(parents=True)
        for number in range(count):
            (folder / f"{number}.png").touch()
    status, lines, _ = told(capsys, "brain_yesno", tmp_path / "mine")
    assert f"ok images brain_yesno {tmp_path}/mine/brain_yesno" in lines
    assert status == 0


def test_images_that_prepare_would_miss_are_told(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "mine/brain_yesno"
    for name in ("yes", "no"):
        (place / name).mkdir(parents=True)
        (place / name / "1.png").touch()
    status, lines, _ = told(capsys, "brain_yesno", tmp_path / "mine")
    assert status == 1
    assert (
        f"BAD images brain_yesno {place}: class no has 1 image, the catalogue says 98; complete the download (what "
        "cannot be read may stay, skip_bad=true leaves it out), or set its `count` in the catalogue to 1"
        in lines
    )


def test_rows_of_a_table_without_a_file_are_told_unless_they_are_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "mine" / "brain_cheng"
    place.mkdir(parents=True)
    (place / "labels.csv").write_text("image,label,patient,fold\n1.png,glioma,p1,1\n2.png,meningioma,p2,1\n")
    (place / "1.png").touch()
    _, lines, _ = told(capsys, "brain_cheng", tmp_path / "mine")
    assert (
        f"BAD images brain_cheng {place}/labels.csv: has 1 row without a file in {place} (the first: 2.png); complete "
        "the images, remove those rows, or leave them out with skip_bad=true" in lines
    )
    _, lines, _ = told(capsys, "brain_cheng", tmp_path / "mine", "skip_bad=true")
    assert any("class meningioma has 1 image, the catalogue says 708" in line for line in lines)


def test_groups_that_a_split_would_refuse_are_told(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    classes = ("effusion", "normal", "tube")
    rows = [(f"{key}/{number}", key) for key in classes for number in range(40)]
    index = pd.DataFrame(rows, columns=["image_id", "class"]).reindex(columns=list(COLUMNS), fill_value="")
    changes = {"datasets": ["phantom_ear_ohio"], "methods": ["weckd", "single"], "data_root": "null"}
    run = resolve_suite([TINY], {**changes, "analysis": {"families": [], "claims": []}}).run
    prepared = tmp_path / "results/data/phantom_ear_ohio-32px"
    write_text(prepared / "index.csv", index.to_csv(index=False))
    files = {"index.csv": file_digest(prepared / "index.csv")}
    write_json(prepared / "dataset.json", {"key": "phantom_ear_ohio", "files": files})
    groups = tmp_path / "results" / run / "groups/phantom_ear_ohio/groups.csv"
    named = index[["image_id"]].assign(group_id=[f"g{number}" for number in range(len(index))])
    write_text(groups, named.to_csv(index=False))
    write_sums(groups.with_name("sums.json"), [groups])
    status, lines, _ = told(capsys, "phantom_ear_ohio", "null")
    assert (status, "ok groups phantom_ear_ohio enough for a split" in lines) == (0, True)
    named.loc[index["class"] == "tube", "group_id"] = [f"t{number % 3}" for number in range(40)]
    write_text(groups, named.to_csv(index=False))
    write_sums(groups.with_name("sums.json"), [groups])
    status, lines, _ = told(capsys, "phantom_ear_ohio", "null")
    assert status == 1
    assert (
        "BAD groups phantom_ear_ohio phantom_ear_ohio: class tube has 3 groups of 40 images (near-duplicates, or a "
        "patient's, are one group), a split needs 8 groups (three in test, one in each other part); leave it out "
        "with exclude_classes: {phantom_ear_ohio: [tube]}" in lines
    )
    write_text(groups, "edited")
    _, lines, _ = told(capsys, "phantom_ear_ohio", "null")
    assert f"BAD groups phantom_ear_ohio {groups.relative_to(tmp_path)}: edited or damaged, " in "\n".join(
        lines
    )


def test_weights_that_cannot_be_had_offline_are_in_the_way(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    command = ["doctor", "--suite", str(TINY), "--config", "backbone={name: test_resnet, init: r160_in1k}"]
    assert main(command) == 1
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "BAD weights test_resnet.r160_in1k not here, and HF_HUB_OFFLINE forbids to download them" in lines
    assert "-> save them as data/weights/test_resnet.r160_in1k.safetensors, or unset HF_HUB_OFFLINE" in lines
    (tmp_path / "data/weights").mkdir(parents=True)
    (tmp_path / "data/weights/test_resnet.r160_in1k.safetensors").touch()
    assert main(command) == 0


@pytest.mark.parametrize(("there", "level"), [(400_000_000, "BAD"), (10**12, "ok")])
def test_the_memory_of_a_training_job_is_held_against_what_there_is(
    there, level, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("weckd.planning.first_second.host_memory", lambda: there)
    monkeypatch.setattr("weckd.planning.first_second.visible_gpus", list)
    main(["doctor", "--suite", str(TINY)])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "memory of a training job" in line]
    assert line.startswith(level)
    need = "image_size: steps on two images of 32 px need about 0.5 GB of memory, there are 0.4 GB"
    assert need in line or level == "ok"


def test_a_plan_that_cannot_be_measured_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("weckd.planning.first_second.host_memory", lambda: 400_000_000)
    monkeypatch.setattr("weckd.planning.first_second.visible_gpus", list)
    assert main(["plan", "--suite", str(TINY)]) == 1
    assert capsys.readouterr() == (
        "",
        "weckd: image_size: steps on two images of 32 px need about 0.5 GB of memory, there are 0.4 GB; "
        "use a smaller image_size or backbone\n",
    )


def test_a_download_without_credentials_is_in_the_way(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    status, lines, _ = told(capsys, "ear_kaggle", "null")
    assert status == 1
    place = "kaggle:ucimachinelearning/otoscopic-image-dataset"
    assert f"BAD images ear_kaggle to be downloaded from {place}: it needs Kaggle credentials" in lines
    status, lines, _ = told(capsys, "ear_ohio", "null")
    assert status == 0
    assert any(line.startswith("note images ear_ohio to be downloaded from doi:10.5281/") for line in lines)
