"""What the workflow plans, for each configuration, and what it refuses, without running a job."""

import re

import pytest
from engine import REPOSITORY, TINY, snakemake

from weckd.config import suite_json
from weckd.study_suites import readings_suite
from weckd.suite_file import resolve_suite

pytestmark = pytest.mark.workflow
PHANTOMS = REPOSITORY / "config" / "phantoms.yaml"
PAPER = REPOSITORY / "config" / "paper.yaml"


def planned(folder, *arguments, configfile):
    text = snakemake(folder, "-n", *arguments, configfile=configfile).stdout
    return {name: int(count) for name, count in re.findall(r"^(\w+)\s+(\d+)$", text, flags=re.M)}, text


def test_real_images_of_the_package_are_the_default_and_every_cell_is_planned(tmp_path):
    jobs, _ = planned(tmp_path, configfile=None)
    assert jobs == {
        **{"all": 1, "suite": 1, "fetch": 3, "prepare": 3, "group": 3, "audit": 1, "split": 3},
        **{
            "train": 6,
            "gather": 15,
            "tables": 1,
            "attention": 3,
            "figures": 1,
            "html_report": 1,
            "provenance": 1,
            "total": 43,
        },
    }


@pytest.mark.parametrize(
    ("files", "target", "sets", "cells"),
    [
        (["real-small"], "all", 3, 15),
        (["real"], "all", 4, 40),
        (["real"], "readings", 4, 20),
        (["real", "real-backbones", "real-lite2"], "all", 4, 12),
        (["real", "real-curves"], "all", 4, 20),
    ],
)
def test_suites_of_real_images_plan_one_job_a_cell(files, target, sets, cells, tmp_path):
    (tmp_path / "somewhere").mkdir()
    found = tuple(REPOSITORY / "config" / f"{file}.yaml" for file in files)
    jobs, _ = planned(tmp_path, target, "--config", "data_root=somewhere", configfile=found)
    kinds = {"fetch": sets, "prepare": sets, "train": cells, "gather": cells}
    assert {name: jobs[name] for name in kinds} == kinds
    assert jobs.get("split_readings", jobs.get("split")) == sets


def test_paper_plans_sixty_cells_and_fetches_six_sets(tmp_path):
    jobs, text = planned(tmp_path, "-p", configfile=PAPER)
    cells = {"fetch": 6, "prepare": 6, "train": 60, "gather": 60}
    assert {name: jobs[name] for name in cells} == cells
    assert not {"weights", "tune_method"} & set(jobs)  # its network's weights are a package's
    assert "--image-size 224" in text
    assert "results/paper/predictions/brain_mri/seed10.parquet" in text


def test_the_papers_panel_and_settings_of_each_methods_own_are_laid_over_it(tmp_path):
    jobs, text = planned(tmp_path, "-p", configfile=(PAPER, PAPER.with_name("paper-panel.yaml")))
    assert (jobs["weights"], jobs["train"]) == (6, 60)
    assert "weckd weights vgg16_bn.tv_in1k" in text
    # Tuned are all but `permuted` and `majority`.
    jobs, _ = planned(tmp_path, configfile=(PAPER, PAPER.with_name("paper-tuned.yaml")))
    assert (jobs["tune_method"], jobs["train"]) == (9 * 6, 60)


def test_tune_plans_a_search_for_each_method_and_set_and_training_waits_for_it(tmp_path):
    changes = (
        "--config",
        "datasets=[phantom_ear_chile,phantom_brain_mri]",
        "methods=[weckd,single,majority]",
    )
    searches = {"suite": 1, "prepare": 2, "group": 2, "tuning_split": 2, "tune_method": 4}
    jobs, _ = planned(tmp_path, "tune", *changes, configfile=PHANTOMS)
    assert jobs == {"tune": 1, **searches, "total": 12}
    jobs, text = planned(tmp_path, "-p", *changes, "tuned=true", configfile=PHANTOMS)
    assert {name: jobs.get(name) for name in searches} == searches
    assert jobs["train"] == 2
    assert re.search(r"results/phantoms\+[0-9a-f]{8}/tuned/phantom_ear_chile/weckd\.json", text)
    assert re.search(
        r"weckd tune --run results/phantoms\+[0-9a-f]{8} --dataset phantom_ear_chile --method weckd", text
    )
    jobs, _ = planned(tmp_path, *changes, configfile=PHANTOMS)
    assert "tune_method" not in jobs


def test_readings_plan_a_run_of_their_own(tmp_path):
    changes = ("--config", "datasets=[phantom_ear_chile]", "seeds=[1,2]")
    jobs, text = planned(tmp_path, "readings", "-p", *changes, configfile=PHANTOMS)
    assert jobs == {  # and the audit of the suite itself, which tells what counts as independent
        **{"readings": 1, "suite": 1, "prepare": 1, "group": 2, "audit": 1, "split": 1},
        **{"train": 1, "gather": 2, "specification": 1, "total": 11},
    }
    assert re.search(r"results/phantoms\+[0-9a-f]{8}-readings/figures/specification\.svg", text)
    _, full = planned(tmp_path, "readings", "-p", *changes, "readings=full", configfile=PHANTOMS)
    assert re.search(r"results/phantoms\+[0-9a-f]{8}-readings-full/figures/specification\.svg", full)


def test_readings_of_a_reference_are_drawn_from_one_of_their_own_or_refused(tmp_path):
    suite = resolve_suite([TINY], {})
    whole, readings = (tmp_path / "results/reference" / run for run in (suite.run, f"{suite.run}-readings"))
    for folder, one in ((whole, suite), (readings, readings_suite(suite))):
        folder.mkdir(parents=True)
        (folder / "suite.json").write_text(suite_json(one))
    arguments = (tmp_path, "readings", "--config", "records=reference")
    jobs, _ = planned(*arguments, configfile=TINY)
    assert jobs == {"readings": 1, "unfreeze": 1, "unfreeze_readings": 1, "specification": 1, "total": 4}
    (readings / "suite.json").unlink()
    _, text = planned(*arguments, configfile=TINY)
    assert "weckd: records=reference: there is no reference" in text
    assert "results/reference/tiny-readings; make one with `weckd freeze`" in text


def test_the_suite_of_all_readings_is_written_though_no_shell_takes_an_argument_so_long(tmp_path):
    suite = readings_suite(resolve_suite([TINY], {"readings": "full"}))
    file = f"results/{suite.run}/suite.json"
    snakemake(tmp_path, "--cores", "1", "--config", "readings=full", "--", file)
    assert (tmp_path / file).read_text(encoding="utf-8") == suite_json(suite)
    assert (tmp_path / file).stat().st_size > 2**19


def test_a_set_that_cannot_be_had_stops_at_fetch_with_what_to_do(tmp_path):
    # No copy is there, and Kaggle needs credentials: no network is touched.
    changes = [
        "datasets=[ear_kaggle]",
        "seeds=[1]",
        f"data_root={tmp_path}",
        "methods=[single]",
        "tuned=false",
    ]
    process = snakemake(tmp_path, "--cores", "1", "--config", *changes, configfile=PAPER)
    assert process.returncode != 0
    assert "Error in rule fetch" in process.stdout
    assert "it needs Kaggle credentials" in process.stdout
    assert f"save it as {tmp_path}/ear_kaggle.zip" in process.stdout
    assert "Traceback" not in process.stdout
    assert not (tmp_path / "results" / "data").exists()


def test_command_line_narrows_a_run_into_a_folder_of_its_own(tmp_path):
    changes = ["--config", "seeds=[1,2]", "datasets=[phantom_ear_chile]", "methods=[weckd,single,pooled]"]
    jobs, text = planned(tmp_path, "-p", *changes, configfile=PHANTOMS)
    assert jobs["train"] == 1
    assert jobs["gather"] == 2
    assert re.search(r"results/phantoms\+[0-9a-f]{8}/predictions/phantom_ear_chile/seed2\.parquet", text)
    assert "results/phantoms/" not in text
    assert re.search(
        r"weckd train --run results/phantoms\+[0-9a-f]{8} --dataset phantom_ear_chile --seeds 1 2 ", text
    )


def test_batches_of_seeds_do_not_make_another_run(tmp_path):
    text = snakemake(tmp_path, "-n", "--config", "seeds_per_job=2", configfile=PHANTOMS).stdout
    assert "results/phantoms/manifests/phantom_ear_chile/seeds3-4.json" in text
    assert "results/phantoms/manifests/phantom_ear_chile/seeds5-5.json" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("dataset=[ear_chile]", "dataset: no such key; did you mean 'datasets'? Keys here: analysis, "),
        ("datasets=[ear_chille]", "ear_chile"),
        ("methods=[weckd,singel]", "no method 'singel'; did you mean 'single'?"),
        (
            "seeds=[1,1]",
            "seeds: must be a list of 1 or more, none twice, each a whole number from 0 to 4294967295, not [1, 1]",
        ),
        ("seeds=none", "seeds.0: must be a whole number from 0 to 4294967295, not 'none'"),
        ("image_size=big", "image_size: must be a whole number from 16 to 1024, not 'big'"),
        (
            "seeds=[010]",
            "seeds.0: must be a whole number from 0 to 4294967295, not '010' (numbers are written as 10, 0.5",
        ),
        (
            "training={learning_rate: .nan}",
            "training.learning_rate: must be a number above 0 and at most 10, not '.nan'",
        ),
        ("split={stage: 0.34}", "split.stage: 3 stages of 0.34 are 1.02 of the training part, which is 1"),
        (
            "suite=reference",
            "and no name that results/ has for something else: data, fits, reference, studies, or one",
        ),
    ],
)
def test_mistakes_are_refused_by_name(tmp_path, change, message):
    process = snakemake(tmp_path, "-n", "--config", change, configfile=PHANTOMS)
    assert process.returncode != 0
    assert message in process.stdout
    assert "Traceback" not in process.stdout


def test_an_option_of_which_the_engine_would_drop_the_first_is_refused(tmp_path):
    tiny, phantoms = (str(file) for file in (TINY, PHANTOMS))
    for option, words in (
        ("--config", ["--config", "seeds=[1]", "-C", "methods=[single]"]),
        ("--configfile", ["--configfile", phantoms, f"--configfile={tiny}"]),
    ):
        process = snakemake(tmp_path, "-n", *words, configfile=None)
        told = f"weckd: {option}: is given twice, and the engine heeds the last alone; give all its values after one"
        assert process.returncode != 0
        assert told in process.stdout


def test_readings_that_the_suites_stages_leave_no_room_for_are_refused_and_the_suite_itself_is_not(tmp_path):
    change = ("--config", "split={stage: 0.25, stages: 4}")
    assert snakemake(tmp_path, "-n", *change, configfile=PHANTOMS).returncode == 0
    process = snakemake(tmp_path, "-n", "readings", *change, configfile=PHANTOMS)
    assert process.returncode != 0
    told = "readings: split.stage: 6 stages of 0.25 are 1.5 of the training part, which is 1; set split.stage to 0.166"
    assert told in process.stdout
