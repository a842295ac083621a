"""The whole command, and what it says of packages and images."""

from engine import TINY

from weckd.cli import main
from weckd.doctor.packages import compare, pinned


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


def told(capsys, dataset, root):
    changes = [f"datasets=[{dataset}]", "methods=[weckd,single]", f"data_root={root}"]
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
    assert f"BAD images brain_yesno {tmp_path}/mine: no such folder; mend data_root" in " ".join(lines)
    (tmp_path / "mine").mkdir()
    status, lines, errors = told(capsys, "brain_yesno", tmp_path / "mine")
    assert status == 1
    assert f"BAD images brain_yesno {tmp_path}/mine/brain_yesno: no such folder; put" in " ".join(lines)
    assert "1 of" in errors and "checks say that a run would fail here" in errors
    for name in ("yes", "no"):
        (tmp_path / "mine/brain_yesno" / name).mkdir(parents=True)
    status, lines, _ = told(capsys, "brain_yesno", tmp_path / "mine")
    assert f"ok images brain_yesno {tmp_path}/mine/brain_yesno" in lines
    assert status == 0


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
