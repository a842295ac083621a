"""Where the files of a run lie: for its commands as for the rules, and nowhere else."""

import re
from dataclasses import replace
from pathlib import Path

from engine import REPOSITORY, TINY

from weckd.run_files import RunFiles, batches
from weckd.suite_file import resolve_suite

RUN = RunFiles(Path("results/tiny"))


def test_paths_are_those_that_documents_name():
    suite = resolve_suite([TINY], {})
    found = {
        "results/data/ear-32px": RUN.prepared(suite, "ear"),
        "results/data/ear-32px-skip-bad": RUN.prepared(replace(suite, skip_bad=True), "ear"),
        "data/ear/source-32px.json": RUN.source(suite, "ear"),
        "data/weights": RUN.weights,
        "results/fits": RUN.store,
        "results/studies": RUN.studies,
        "results/tiny/suite.json": RUN.suite,
        "results/tiny/splits/ear/seed1.csv": RUN.split("ear", 1),
        "results/tiny/tuned/splits/ear/seed7.csv": RUN.split("ear", 7, tuning=True),
        "results/tiny/tuned/ear/weckd.json": RUN.tuned("ear", "weckd"),
        "results/tiny/gathered/ear/seeds1-2.tar": RUN.gathered("ear", "seeds1-2"),
        "results/tiny/predictions/ear/seed1.parquet": RUN.prediction("ear", 1),
        "results/tiny/attention/ear.npz": RUN.attention("ear"),
        "results/tiny/audit/across.csv": RUN.across,
        "results/tiny/logs/train/ear/seeds1-2.log": RUN.log("train/ear/seeds1-2"),
    }
    assert {name: str(path) for name, path in found.items()} == {name: name for name in found}


def test_downloads_lie_beside_the_folder_of_all_runs_wherever_a_command_is_called():
    assert str(RunFiles(Path("/there/results/tiny")).downloads) == "/there/data"
    assert str(RunFiles(Path("tiny")).downloads) == "../data"


def test_a_cell_is_in_the_manifest_of_its_batch():
    suite = replace(resolve_suite([TINY], {}), seeds=(1, 2, 5), seeds_per_job=2)
    assert batches(suite) == {"seeds1-2": (1, 2), "seeds5-5": (5,)}
    names = [RUN.manifest_of(suite, "ear", seed).name for seed in (1, 2, 5, 8)]
    assert names == ["seeds1-2.json", "seeds1-2.json", "seeds5-5.json", "seeds8-8.json"]


def test_rules_spell_no_path_of_a_run():
    rules = "".join(
        file.read_text() for file in [REPOSITORY / "Snakefile", *(REPOSITORY / "rules").glob("*.smk")]
    )
    folders = "audit|figures|gathered|groups|imported|logs|manifests|predictions|splits|tables|tuned"
    assert re.findall(rf"suite\.json\"|\b(?:{folders})/|\}}\.(?:npz|tar)", rules) == []
