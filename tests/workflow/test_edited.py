"""What somebody, or a disk, changes between two runs is made again by the same command, and reaches no table."""

import json
import os
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from engine import RECORDS, REPOSITORY, TINY, result_bytes, snakemake
from PIL import Image

from weckd.cli import main
from weckd.config import load_suite
from weckd.errors import UserError
from weckd.provenance.crate import write_crate
from weckd.run_files import RunFiles

pytestmark = pytest.mark.workflow
RUN = "results/tiny"


def edit(file, change):
    """Change a file and set its old time back."""
    before = file.stat()
    change(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def all_right(file):
    frame = pd.read_parquet(file)
    for label in frame["y"].unique():
        frame.loc[frame["y"] == label, [f"p_{c}" for c in range(3)]] = np.eye(3, dtype=np.float32)[label]
    frame.to_parquet(file, index=False)


def zeroed(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 4] + bytes(len(content) - len(content) // 4))


def other_part(file):
    text = file.read_text()
    file.write_text(text.replace(",test,", ",rest,").replace(",validation,", ",test,"))


def more_steps(file):
    file.write_text(file.read_text().replace('"steps_run": 4', '"steps_run": 5'))


def without_its_sum(file):
    content = json.loads(file.read_text())
    del content["sum"]
    file.write_text(json.dumps(content))


def emptied(file):
    file.write_text("")


PREDICTIONS = f"{RUN}/predictions/phantom_brain_mri/seed1.parquet"
IMAGES = "results/data/phantom_ear_ohio-32px/images.npy"
SPLIT = f"{RUN}/splits/phantom_brain_mri/seed2.csv"
GROUPS = f"{RUN}/groups/phantom_ear_ohio/groups.csv"
GATHERED = f"{RUN}/gathered/phantom_brain_mri/seeds1-2.tar"
MANIFEST, OTHER_MANIFEST = (
    f"{RUN}/manifests/phantom_{key}/seeds1-2.json" for key in ("ear_ohio", "brain_mri")
)


@pytest.mark.parametrize(
    ("name", "change", "again"),
    [
        (PREDICTIONS, all_right, "gather"),
        (IMAGES, zeroed, "prepare, group, audit, split, train, gather"),
        (SPLIT, other_part, "split, train, gather"),
        (GROUPS, zeroed, "group, audit, split, train, gather"),
        (GATHERED, zeroed, "train, gather"),
        (MANIFEST, more_steps, "train, gather"),
        (MANIFEST, emptied, "train, gather"),
        (MANIFEST, without_its_sum, "train, gather"),
    ],
)
def test_what_was_edited_is_noticed_and_planned_with_all_that_is_made_of_it(
    finished, copy, name, change, again
):
    folder, _ = finished
    edit(copy / name, change)
    assert (copy / name).read_bytes() != (folder / name).read_bytes()
    done = snakemake(copy, "-n", "--until", "gather", "audit")
    assert done.returncode == 0, done.stdout
    assert f"changed since it was read or made: {name}\n" in done.stdout
    assert set(re.findall(r"^rule (\w+):$", done.stdout, flags=re.MULTILINE)) == set(again.split(", "))


@pytest.mark.parametrize(
    ("edits", "again"),
    [
        (
            {IMAGES: zeroed, PREDICTIONS: all_right, OTHER_MANIFEST: more_steps},
            "prepare, group, audit, split, train, gather",
        ),
        (
            {
                GROUPS: zeroed,
                SPLIT: other_part,
                GATHERED: zeroed,
                MANIFEST: emptied,
                OTHER_MANIFEST: without_its_sum,
            },
            "group, audit, split, train, gather",
        ),
    ],
)
def test_the_same_command_makes_what_was_edited_anew_from_what_is_sound(finished, copy, edits, again):
    folder, _ = finished
    fits = sorted(copy.glob("results/fits/*/*/record.json"))
    for name, change in edits.items():
        edit(copy / name, change)
    done = snakemake(copy, "--cores", "2", "--until", "gather", "audit")
    assert done.returncode == 0, done.stdout
    for name in edits:
        assert f"changed since it was read or made: {name}\n" in done.stdout
        assert (copy / name).read_bytes() == (folder / name).read_bytes()
    told = re.findall(
        r"^changed      (.*) \(since read or made\); made again: (.*)$", done.stdout, re.MULTILINE
    )
    at_the_start, at_the_end = told
    assert at_the_start == at_the_end
    assert (set(at_the_end[0].split(", ")), at_the_end[1]) == (set(edits), again)
    assert (
        f"\nnot made     the tables and report of {RUN}, for which this command does not ask; " in done.stdout
    )
    assert "macro" not in done.stdout  # of an old table
    assert result_bytes(copy / RUN, RECORDS) == result_bytes(folder / RUN, RECORDS)
    assert sorted(copy.glob("results/fits/*/*/record.json")) == fits  # nothing was trained on what was edited


def test_edited_tables_figures_and_pages_are_made_again_and_reach_no_record(finished, copy):
    folder, _ = finished
    names = ("tables/main.md", "tables/claims.json", "figures/forest.svg", "audit/across.csv", "report.html")
    for name in names:
        edit(copy / RUN / name, lambda file: file.write_text(file.read_text() + "more\n"))
    with pytest.raises(UserError, match=r"across\.csv: edited or damaged, .* makes it again$"):
        write_crate(RunFiles(copy / RUN), REPOSITORY)
    done = snakemake(copy, "--cores", "2")
    assert done.returncode == 0, done.stdout
    for name in names:
        assert f"changed since it was read or made: {RUN}/{name}\n" in done.stdout
        assert (copy / RUN / name).read_bytes() == (folder / RUN / name).read_bytes()
    assert result_bytes(copy / RUN) == result_bytes(folder / RUN)
    assert "changed" not in snakemake(copy, "-n").stdout


def test_a_start_that_is_refused_loses_nothing_that_it_found_edited(copy):
    edit(copy / RUN / "tables/main.json", lambda file: file.write_text(file.read_text() + " "))
    kept = copy / "results/.again.json"
    kept.mkdir()
    refused = snakemake(copy, "-n")
    assert refused.returncode == 1
    assert refused.stdout.splitlines()[-1] == (
        "weckd: results/.again.json: cannot be written (Is a directory); a folder is in the way; remove it, or choose "
        "another file"
    )
    kept.rmdir()
    for _ in range(2):  # a dry run makes nothing, and loses nothing either
        assert "rule tables:\n" in snakemake(copy, "-n").stdout


def test_edited_attention_maps_are_made_again(finished, copy):
    folder, _ = finished
    name = f"{RUN}/attention/phantom_ear_ohio.npz"
    edit(copy / name, zeroed)
    done = snakemake(copy, "--cores", "2", "--until", "attention")
    assert done.returncode == 0, done.stdout
    assert f"changed since it was read or made: {name}\n" in done.stdout
    assert (copy / name).read_bytes() == (folder / name).read_bytes()


def test_an_edited_suite_json_is_made_anew_and_nothing_is_trained_by_it(finished, copy):
    folder, _ = finished
    fits = sorted(copy.glob("results/fits/*/*/record.json"))
    file = copy / RUN / "suite.json"
    edit(file, lambda file: file.write_text(file.read_text().replace('"steps": 4', '"steps": 5')))
    cells = [f"{RUN}/predictions/phantom_brain_mri/seed{seed}.parquet" for seed in (1, 2)]
    done = snakemake(copy, "--cores", "2", *cells)
    assert done.returncode == 0, done.stdout
    assert f"{RUN}/suite.json: not what the suite files say; made again\n" in done.stdout
    assert f"\nchanged      {RUN}/suite.json (since read or made); made again: suite\n" in done.stdout
    assert result_bytes(copy / RUN, RECORDS) == result_bytes(folder / RUN, RECORDS)
    assert sorted(copy.glob("results/fits/*/*/record.json")) == fits
    assert "not what the suite files say" not in snakemake(copy, "-n").stdout


def test_after_an_edit_of_the_plan_nothing_is_trained_and_all_that_is_made_says_what_it_was_trained_under(
    finished, copy, tmp_path
):
    folder, _ = finished
    old = load_suite(folder / RUN / "suite.json").plan_hash
    plan, mine = tmp_path / "plan.yaml", tmp_path / "mine.yaml"
    mine.write_text(TINY.read_text().replace("../../config/analysis.yaml", str(plan)))
    plan.write_text(
        (REPOSITORY / "config/analysis.yaml").read_text().replace("margin_pp: 2.0", "margin_pp: 3.0")
    )
    done = snakemake(copy, "--cores", "2", configfile=mine)
    assert done.returncode == 0, done.stdout
    new = load_suite(copy / RUN / "suite.json").plan_hash
    assert new != old
    told = f"Plan {new}; trained under {old}, before it was changed."
    assert f" plan {told.removeprefix('Plan ')} report " in " ".join(done.stdout.split())
    assert f'<p class="missing">{told}</p>' in (copy / RUN / "report.html").read_text()
    for file in (copy / RUN / "tables").glob("*.md"):
        assert told in file.read_text(), file
    ran = set(re.findall(r"^(?:local)?rule (\w+):$", done.stdout, flags=re.MULTILINE))
    assert ran == {"suite", "tables", "figures", "html_report", "provenance", "all"}
    assert result_bytes(copy / RUN, RECORDS[1:]) == result_bytes(
        folder / RUN, RECORDS[1:]
    )  # all but suite.json
    # Trained again for another reason, its fits remember it.
    shutil.rmtree(copy / RUN / "manifests")
    done = snakemake(copy, "--cores", "2", "--until", "train", configfile=mine)
    assert done.returncode == 0, done.stdout
    assert (copy / MANIFEST).read_bytes() == (folder / MANIFEST).read_bytes()


def test_a_job_refuses_damaged_images_before_its_first_step(copy, monkeypatch, capsys):
    edit(copy / IMAGES, zeroed)
    shutil.rmtree(copy / "results/fits")
    monkeypatch.chdir(copy)
    assert main(["train", "--run", RUN, "--dataset", "phantom_ear_ohio", "--seeds", "1"]) == 1
    told = capsys.readouterr().err
    assert told.splitlines()[-1].startswith(
        f"weckd: {IMAGES}: edited or damaged, the fingerprint of its images is "
    )
    assert told.endswith("the same snakemake command makes it again, and so does `weckd prepare`\n")
    assert list(copy.glob("results/fits/*/*/record.json")) == []


def test_images_relabelled_or_replaced_and_class_folders_swapped_give_other_fingerprints(tmp_path):
    own = tmp_path / "own/my"
    for number, name in enumerate(["effusion", "normal"]):
        (own / name).mkdir(parents=True)
        for image in range(12):
            pixels = np.random.default_rng([number, image]).integers(0, 255, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((72, 72), Image.Resampling.BICUBIC).save(
                own / name / f"{image:03d}.png"
            )
    catalogue = tmp_path / "my.yaml"

    def describe(**folders):
        classes = [{"key": key, "title": key, "folder": folder} for key, folder in folders.items()]
        entry = {"title": "Mine", "modality": "otoscopy", "licence": "MIT", "source": "here"}
        entry |= {
            "layout": "class-folders",
            "groups": "near-duplicates",
            "folders": [{"path": "", "official_split": ""}],
        }
        catalogue.write_text(json.dumps({"my": {**entry, "classes": classes}}))

    def until(rule, jobs, *others):
        changes = [f"catalogue={catalogue}", f"data_root={own.parent}", "datasets=[my]", *others]
        config = REPOSITORY / "config/real-small.yaml"
        done = snakemake(
            tmp_path, *("--cores", "2", "--until", rule, "--config"), *changes, configfile=config
        )
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("Finished jobid") == jobs
        return done.stdout

    def fingerprint(jobs):
        until("prepare", jobs)
        return json.loads((tmp_path / "results/data/my-64px/dataset.json").read_text())["fingerprint"]

    describe(effusion="effusion", normal="normal")
    found = [fingerprint(2)]
    assert fingerprint(0) == found[0]
    beside = ("group", 1, "seeds=[1]")  # a run of the same images
    assert "changed" not in until(*beside)
    for image in range(12):
        Image.fromarray(np.full((72, 72, 3), image, dtype=np.uint8)).save(own / "normal" / f"{image:03d}.png")
    found.append(fingerprint(2))
    files = ", ".join(f"{own}/normal/{number:03d}.png" for number in range(5))
    told = f"changed      {files}, 7 more files (since read or made); made again: group\n"
    assert until("group", 1, "seeds=[1]").count(told) == 2
    (own / "normal/010.png").rename(own / "effusion/m10.png")
    found.append(fingerprint(2))
    describe(effusion="normal", normal="effusion")
    found.append(fingerprint(2))
    assert len(set(found)) == 4
    own.parent.rename(tmp_path / "elsewhere")
    own = tmp_path / "elsewhere/my"
    assert fingerprint(0) == found[-1]  # the same images in another place
