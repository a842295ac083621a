"""The command line: quick help, lists, messages in place of tracebacks."""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from weckd import cli
from weckd.cli import main
from weckd.data.catalogue import CATALOGUE_FILE
from weckd.files import write_sums
from weckd.methods.catalogue import METHODS

CONFIG = Path(__file__).resolve().parents[1] / "config"
COMMANDS = [
    "datasets",
    "methods",
    "readings",
    "show",
    "runs",
    "suite",
    "fetch",
    "weights",
    "prepare",
    "lock",
    "group",
    "audit",
    "split",
    "train",
    "tables",
    "figures",
    "specification",
    "import-predictions",
    "attention",
    "report",
    "freeze",
    "agree",
    "unfreeze",
    "selfcheck",
]


@pytest.mark.parametrize("command", [[], *[[name] for name in COMMANDS]])
def test_help_of_every_command(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: weckd")
    if not command:
        assert all(len(re.findall(rf"^  {name}\b", text, flags=re.M)) == 1 for name in COMMANDS)


def test_help_lists_commands_for_people_before_those_that_are_jobs_of_the_workflow(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    people, jobs = text.split("\nfor people:\n")[1].split("\njobs of the workflow:\n")
    listed = [re.findall(r"^  ([\w-]+)  ", part, flags=re.M) for part in (people, jobs)]
    assert {"plan", "datasets", "show", "verify", "agree"} < set(listed[0])
    assert {"attention", "lock", "group", "split", "train"} < set(listed[1])
    known = next(action for action in cli._parser()._actions if action.choices).choices
    assert sorted([*listed[0], *listed[1]]) == sorted(known)


HEAVY = ("torch", "timm", "pandas", "scipy", "matplotlib", "PIL", "pyarrow", "statsmodels", "jinja2")
"""What takes long to be imported."""


@pytest.mark.parametrize(
    "code",
    [
        *("import weckd", "import weckd.suite_file"),
        *(f"main([{name!r}])" for name in ("methods", "datasets", "readings", "runs")),
        f"main(['suite', {str(CONFIG / 'phantoms.yaml')!r}, '--out', 'suite.json'])",
    ],
)
def test_lists_and_suites_import_nothing_heavy(code, tmp_path):
    check = (
        f"from weckd.cli import main\n{code}\nimport sys\nprint('heavy', *{{*{HEAVY!r}}} & {{*sys.modules}})"
    )
    run = partial(subprocess.run, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert run([sys.executable, "-c", check]).stdout.splitlines()[-1] == "heavy"


def test_gathering_and_analysis_import_no_torch():
    check = (
        "import sys, weckd.training.gather, weckd.analysis.write_tables, weckd.analysis.sheets.main\n"
        "assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, check=False).returncode == 0


def test_lists(capsys):
    assert main(["datasets", "--wide"]) == 0
    text = capsys.readouterr().out
    assert "phantom_blood_cells  Phantom of PBC blood cells" in text
    assert main(["datasets", "ear_chile"]) == 0
    page = capsys.readouterr().out
    assert "citation       Viscaino M, Maass JC" in page
    assert re.search(r"^earwax_plug +earwax plug +Earwax plug +220$", page, flags=re.M)
    assert "weckd fetch --dataset ear_chile" in page
    assert main(["datasets", "ear_turkiye"]) == 0
    page = capsys.readouterr().out
    assert re.search(r"^normal +normal +Normal +535 +folder$", page, flags=re.M)  # a spelling never checked
    assert "with Kaggle credentials" in page
    assert main(["readings", "--wide"]) == 0
    assert "17 readings differ from the reference in one choice" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "begin", "end"),
    [
        (
            ["datasets"],
            [
                "key                  title                                  modality    images",
                "-------------------  -------------------------------------  ----------  --------",
                "ear_chile            Ear imagery database (Viscaino 2020)   otoscopy    880",
                "ear_ohio             OtoMatch (Camalan 2020)                otoscopy    454",
                "ear_turkiye          Eardrum data set, Van Akdamar          otoscopy    956",
                "                     hospital (Başaran 2020)",
            ],
            ["--wide shows also: from, classes, licence"],
        ),
        (
            ["methods"],
            [
                "method              role             steps in all    the question it answers",
                "------------------  ---------------  --------------  ---------------------------",
                "weckd               chain            3 S             M1 -> M2 -> M3, each from",
                "                                                     the last one's weights,",
                "                                                     taught by it (reference",
                "                                                     reading)",
                "single              reference        1 S             the baseline: M1 alone",
            ],
            ["every share of the labels, or one of them, as `panel-resnet50-30`."],
        ),
        (
            ["readings"],
            [
                "+-------------+--------------------+--------------------+---------------------+",
                "| choice      | reference (ours)   | other readings     | what in the paper   |",
                "|             |                    |                    | leaves it open      |",
            ],
            ["a suite's methods a reading is named by what it changes, as", "'start=fresh,attention=none'."],
        ),
    ],
)
def test_lists_fit_a_terminal(words, begin, end, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[: len(begin)] == begin
    assert lines[-len(end) :] == end
    assert max(map(len, lines)) <= 80
    monkeypatch.setenv("COLUMNS", "400")
    main(words)
    broad = capsys.readouterr().out
    main([*words, "--wide"])
    as_wide = capsys.readouterr().out
    assert broad == as_wide or words == ["readings"]  # whose wide form wraps its cells
    assert "--wide" not in broad


FITS = {
    "weckd": "M3: D3; from M2; taught by M2 (T 4 -> 1, beta 1); 1 S",
    "ensemble": "M3: D3; init, member 3; 1 S",
    "one-step": "M2: D2+D3; from M1; taught by M1 (T 4, beta 1); 2 S",
    "chain-plain": "M2: D2; from M1; taught by M1 (T 4, no attention); 1 S",
    "chain-dense": "M3: D3; from M2; taught by M1 and M2 (T 4 -> 1, beta 1); 1 S",
    "chain-random": "M3: D3; from M2; taught by init (T 4 -> 1, beta 1); 1 S",
    "chain-shuffled": "M3: D3; from M2; taught by M2 (T 4 -> 1, beta 1, logits of another image); 1 S",
    "attention-other": "M2: D2; from M1; taught by M1 (T 4 -> 1, beta 1, maps of another image); 1 S",
    "temperature-rising": "M2: D2; from M1; taught by M1 (T 1 -> 4, beta 1); 1 S",
    "chain-fresh-long": "M3: D3; init; taught by M2 (T 4 -> 1, beta 1); 3 S",
    "attention-only": "M2: D2; from M1; taught by M1 (T 4 -> 1, no divergence, beta 1); 1 S",
    "born-again-pooled": "M3: D1+D2+D3; init, member 3; taught by M2 (T 4, beta 1); 1 S",
    "decoupled": "M2: D2+D3; from M1; taught by M1 (decoupled 1 : 8, T 4); 2 S",
    "mutual": "M1: D1+D2+D3; init; beside a peer from init, member 2 (T 1); 1.5 S",
    "snapshot": "M3: D1+D2+D3; from M2; 1 S",
    "full-converged": "M1: D1+D2+D3+rest; init; 10 S",
    "permuted": "M1: D1+D2+D3+rest; init; labels shuffled; 3 S",
    "majority": "class shares of D1+D2+D3+rest",
}


def test_methods_are_listed_with_their_fits_in_units_of_s(capsys):
    assert main(["methods", "--wide"]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert list(rows) == list(METHODS)
    for name, text in FITS.items():
        assert text in rows[name], name


def test_a_suites_methods_and_readings_are_listed_with_their_steps(tmp_path, capsys):
    file = tmp_path / "suite.json"
    changed = "temperature=learned,attention=gate,mixing=additive,squared=no"
    methods = f"methods=[mutual, pooled-2, '{changed}', 'start=fresh,subsets=overlapping']"
    changes = [methods, "analysis={families: [], claims: []}"]
    assert main(["suite", str(CONFIG / "phantoms.yaml"), "--config", *changes, "--out", str(file)]) == 0
    assert main(["methods", "--wide", "--suite", str(file)]) == 0
    rows = rows_of(capsys.readouterr().out)
    assert list(rows) == ["mutual", "pooled-2", changed, "start=fresh,subsets=overlapping"]
    assert "member 2 (T 1); 24" in rows["mutual"]  # 3 * 16 steps of two networks
    assert "M1: D1+D2; init; 32" in rows["pooled-2"]
    taught = "taught by M1 (T learned in 1 .. 21, beta 1, CE + alpha KL, without T^2); with gates; 16"
    assert f"M2: D2; from M1; {taught}" in rows[changed]
    assert "M3: E3; init; taught by M2 (T 4 -> 1, beta 1); 16" in rows["start=fresh,subsets=overlapping"]


def rows_of(table):
    """Return the text of each row of a grid by its first cell."""
    rows, name = {}, ""
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] != "method":
            name = cells[0] or name
            rows[name] = rows.get(name, "") + "\n" + " ".join(cells[1:])
    return rows


def test_readings_are_listed_with_their_number(capsys):
    assert main(["readings", "--wide"]) == 0
    text = capsys.readouterr().out
    assert "| length      | 3                  | 1, 2, 4, 5, 6" in text
    assert "17 readings differ from the reference in one choice; the whole grid has 4320." in text


def test_a_folder_of_class_folders_is_described_prepared_grouped_audited_and_recorded(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (6, 40, 40, 3), dtype=np.uint8)
    for number, image in enumerate([*noise, noise[0]]):
        place = tmp_path / "My ears" / ("Normal" if number < 4 else "Wax")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number}.png")
    assert main(["datasets", "--describe", "My ears"]) == 0
    entry = capsys.readouterr().out.replace("FILL IN", "unknown")
    (tmp_path / "mine.yaml").write_text(entry)
    own = ["--dataset", "my_ears", "--catalogue", "mine.yaml", "--image-size", "32"]
    assert main(["prepare", *own, "--source", "My ears", "--jobs", "2", "--out", "p"]) == 0
    group = ["--threshold", "0.97", "--prepared", "p"]
    assert main(["group", "--dataset", "my_ears", *group, "--out", "g"]) == 0
    assert main(["lock", "p"]) == 0
    assert main(["audit", *group, "--groups", "g", "--out", "a"]) == 0
    text = capsys.readouterr().out
    # Seven images, six of them different; the copy has another label.
    assert re.search(r"\| my_ears +\| 7 +\| 6 +\| 6 \(2\) +\| - +\| 6 +\| 1 +\| 1 +\| 0 +\| yes ", text)
    assert (tmp_path / "a" / "my_ears.png").exists()


def test_suite_is_written_where_the_run_looks_for_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    changes = ["--config", "seeds=[4]", "--config", "methods=[weckd,single]"]  # neither is dropped
    assert main(["suite", str(CONFIG / "phantoms.yaml"), *changes]) == 0
    (file,) = (tmp_path / "results").glob("phantoms+*/suite.json")
    assert json.loads(file.read_text())["seeds"] == [4]
    assert json.loads(file.read_text())["methods"] == ["weckd", "single"]
    assert main(["methods", "--wide", "--suite", str(file)]) == 0
    assert "M1: D1; init; 16" in capsys.readouterr().out


@pytest.mark.parametrize(
    "place", [["PHANTOMS", "MORE"], ["--suite", "PHANTOMS", "MORE"], ["PHANTOMS", "--suite", "MORE"]]
)
def test_suite_files_are_named_alike_for_every_command(place, tmp_path, capsys):
    more = tmp_path / "more.yaml"
    more.write_text("suite: mine\ntraining: {steps: 7}\n")
    files = [
        word.replace("PHANTOMS", str(CONFIG / "phantoms.yaml")).replace("MORE", str(more)) for word in place
    ]
    made = tmp_path / "made.json"
    assert main(["suite", *files, "--config", "methods=[single]", "--out", str(made)]) == 0
    assert json.loads(made.read_text())["name"] == "mine"
    for named in ([*files, "--config", "methods=[single]"], [str(made)], ["--suite", str(made)]):
        assert main(["methods", "--wide", *named]) == 0
        assert "M1: D1; init; 7" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["suite", "plan", "methods", "doctor"])
def test_changes_without_suite_files_and_of_a_made_suite_are_refused(command, tmp_path, capsys):
    made = tmp_path / "made.json"
    assert main(["suite", str(CONFIG / "phantoms.yaml"), "--out", str(made)]) == 0
    for files in ([], [str(made)], [str(made), str(CONFIG / "phantoms.yaml")]):
        assert main([command, *files, "--config", "seeds=[1]"]) == 1
        assert capsys.readouterr().err == (
            "weckd: suite: name suite files, as config/demo.yaml; or the suite.json of a run, without changes\n"
        )


def test_a_suite_that_is_refused_leaves_no_file(tmp_path, capsys):
    out = tmp_path / "folder" / "suite.json"
    command = ["suite", str(CONFIG / "phantoms.yaml"), "--out", str(out), "--config"]
    for change in ("training={learning_rat: 1}", "seeds=[010]", "split={stage: 0.5}", "datasets=[mine]"):
        assert main([*command, change]) == 1
        assert re.search(rf"\b{change.partition('=')[0]}\b", capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []
    assert main([*command, "split={stage: 0.25, stages: 4}", "--readings"]) == 1
    assert capsys.readouterr().err == (
        "weckd: split.stage: 6 stages of 0.25 are 1.5 of the training part, which is 1; set split.stage to 0.166 "
        "or less\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["datasets", "ear_chil"], "weckd: no data set 'ear_chil'; did you mean 'ear_chile'?"),
        (["suite", "nowhere.yaml"], "weckd: nowhere.yaml: cannot be read"),
        (
            ["suite", str(CONFIG / "phantoms.yaml"), "--config", "seeds"],
            "weckd: --config seeds: must be KEY=VALUE",
        ),
        (
            ["show", "nowhere"],
            "weckd: nowhere: no run; begin one with snakemake --cores all --configfile SUITE",
        ),
        (
            ["prepare", "--dataset", "ear_chile", "--image-size", "64", "--out", "x"],
            "weckd: ear_chile: needs its images; name their folder, or the source.json of `weckd fetch`",
        ),
        (["datasets", "--describe", "nowhere"], "weckd: nowhere: no such folder; name one that holds"),
        (["lock", "nowhere"], "weckd: nowhere/dataset.json: cannot be read"),
        (["lock", "--weights", "w.json"], "weckd: w.json: cannot be read"),
        (["lock"], "weckd: lock: nothing to record; name folders of `prepare`, or files with --weights"),
        (
            ["weights", "test_resnet.a1_in1k", "--out", "w.json"],
            "weckd: backbone.init: timm has no weights 'test_resnet.a1_in1k'; use other weights (",
        ),
        (
            ["fetch", "--dataset", "wbc_zheng", "--image-size", "64", "--out", "s.json"],
            "weckd: wbc_zheng: needs its images in a local folder",
        ),
        (
            ["attention", "--run", "results/demo", "--dataset", "ear_chile"],
            "weckd: results/demo: no run; begin one with snakemake --cores all --configfile SUITE",
        ),
    ],
)
def test_mistakes_end_in_one_message_and_status_one(command, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(command) == 1
    errors = capsys.readouterr().err
    assert errors.startswith(message)
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


LONG = "x" * 300
BRAIN = "phantom_brain_mri"
PHANTOMS = str(CONFIG / "phantoms.yaml")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a prepared phantom, the run r with its groups and splits, and what is none of these."""
    place = tmp_path_factory.mktemp("place")
    changes = ["datasets=[phantom_brain_mri]", "methods=[single,majority]", "seeds=[1,2]", "image_size=32"]
    run, prepared = place / "r", place / "data" / f"{BRAIN}-32px"
    key = ["--dataset", BRAIN]
    for command in (
        ["suite", PHANTOMS, "--config", *changes, "--out", str(run / "suite.json")],
        ["prepare", *key, "--image-size", "32", "--out", str(prepared)],
        [
            *("group", *key, "--prepared", str(prepared), "--threshold", "0.97"),
            *("--out", str(run / "groups" / BRAIN)),
        ],
        ["split", "--run", str(run), *key],
    ):
        assert main(command) == 0
    (place / "p").symlink_to(prepared)
    (place / "{}").write_text("{}")
    (place / "[]").write_text("[]")
    (place / "empty").touch()
    (place / "folder").mkdir()
    (place / "folder" / "dataset.json").write_bytes(bytes(range(128, 256)))
    shutil.copy(prepared / "index.csv", place / "folder")
    return place


def group(key=BRAIN, prepared="p", threshold="0.9"):
    return f"group --dataset {key} --prepared {prepared} --threshold {threshold} --out o"


def of_run(command, key=BRAIN, run="r"):
    return f"{command} --run {run} --dataset {key}"


SPLIT, TRAIN = of_run("split"), of_run("train --seeds 1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (group(key="ear_chile"), f"p: holds {BRAIN}, not ear_chile; name the folder of ear_chile\n"),
        (group(prepared="nowhere"), "nowhere/index.csv: not a readable index (No such file or directory)"),
        (
            group(prepared="folder"),
            "folder/dataset.json: cannot be read ('utf-8' codec can't decode byte 0x80",
        ),
        (
            of_run("split", key="ear_chile"),
            f"--dataset ear_chile: r/suite.json has no such data set; known: {BRAIN}\n",
        ),
        (
            of_run("train --seeds 1", key="ear_chile"),
            f"--dataset ear_chile: r/suite.json has no such data set; known: {BRAIN}\n",
        ),
        (of_run("train --seeds 1 3"), "seed 3: r/suite.json has no such seed; known: 1, 2\n"),
        (of_run("train --seeds 0"), "seed 0: r/suite.json has no such seed; known: 1, 2\n"),
        (
            "specification --run r",
            "r: a run without readings; make one with `snakemake --cores all readings`\n",
        ),
        (of_run("split", run="[]"), "[]: no run; there are r (`weckd runs` tells of each)\n"),
        (of_run("tables", run="[]").partition(" --dataset")[0], "[]: no run; there are r ("),
        ("freeze nowhere", "nowhere: no run; there are r (`weckd runs` tells of each)\n"),
        ("agree nowhere r", "nowhere: no run; there are r (`weckd runs` tells of each)\n"),
        (
            f"suite {PHANTOMS} --out {LONG}",
            f"{LONG}: cannot be written (File name too long); shorten the name, or choose another folder\n",
        ),
        (
            f"suite {PHANTOMS} --out folder",
            "folder: cannot be written (Is a directory); a folder is in the way; remove it, or choose another file\n",
        ),
        (f"show {LONG}", f"{LONG}/suite.json: File name too long; choose a shorter name\n"),
        ("runs folder", "folder: no run; begin one with snakemake --cores all --configfile SUITE\n"),
    ],
)
def test_an_argument_that_is_missing_or_of_another_kind_is_one_message(
    words, message, place, monkeypatch, capsys
):
    monkeypatch.chdir(place)
    assert main(words.split()) == 1
    assert capsys.readouterr().err.startswith(f"weckd: {message}")


GROUPS = f"r/groups/{BRAIN}/groups.csv"
FACTS, FIRST = f"data/{BRAIN}-32px/dataset.json", f"r/splits/{BRAIN}/seed1.csv"


@pytest.mark.parametrize(
    ("words", "file", "content", "message"),
    [
        (
            SPLIT,
            "r/suite.json",
            "[]",
            "not a readable suite.json ('list' object has no attribute 'items'); make it",
        ),
        (SPLIT, GROUPS, "", "not a readable file of groups (No columns to parse from file); make it"),
        (SPLIT, GROUPS, "a,b\n", "columns must be image_id and group_id; make it with"),
        (SPLIT, GROUPS, "image_id,group_id\na,b\n", "has no group of "),
        (TRAIN, FACTS, None, "cannot be read (No such file or directory)"),
        (TRAIN, FIRST, None, "not a readable split file (No such file or directory)"),
    ],
)
def test_a_file_of_a_run_that_is_missing_or_of_another_kind_is_one_message(
    words, file, content, message, place, tmp_path, monkeypatch, capsys
):
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    path = Path(file)
    path.unlink(missing_ok=True)
    if content is Path:
        path.mkdir(parents=True)
    elif content is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        write_sums(path.with_name("sums.json"), [path])
    assert main(words.split()) == 1
    assert capsys.readouterr().err.startswith(f"weckd: {file}: {message}")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (group(threshold="nan"), "'nan' must be a number above 0, and at most 1"),
        (group(threshold="7"), "'7' must be a number above 0, and at most 1"),
        (f"prepare --dataset {BRAIN} --image-size -5 --out o", "'-5' must be a whole number from 1"),
    ],
)
def test_a_number_that_means_nothing_is_refused_with_its_option(words, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(words.split())
    assert stop.value.code == 2
    assert capsys.readouterr().err.endswith(f": {message}\n")


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "no-such"])
def test_a_notebooks_screen_and_the_users_own_settings_take_no_part_in_figures(backend, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "matplotlibrc").write_bytes(b"\xff\xfe nothing of text")
    code = (
        "from weckd.cli import main; main(['readings']); import matplotlib.pyplot as p; "
        "assert p.get_backend().lower() == 'agg'; import weckd.analysis.figures.write"
    )
    own = {**os.environ, "MPLBACKEND": backend, "MATPLOTLIBRC": str(tmp_path / "own")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=own, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_fault_of_ours_stays_a_traceback(monkeypatch):
    def lost(_width):
        Path("never-named").read_text()

    monkeypatch.setattr("weckd.listing.reading_table", lost)
    with pytest.raises(FileNotFoundError):
        main(["readings"])


def test_methods_that_have_no_line_of_their_own_are_told_below_the_list(capsys):
    assert main(["methods", "--wide"]) == 0
    assert capsys.readouterr().out.endswith("or one of them, as `panel-resnet50-30`.\n")


def test_the_package_runs_where_it_is_not_installed():
    process = subprocess.run(
        [sys.executable, "-m", "weckd", "methods"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0
    assert "weckd" in process.stdout
    refused = subprocess.run(
        [sys.executable, "-m", "weckd", "show", "x"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("weckd: ")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_command_whose_output_nobody_reads_has_not_succeeded(stream):
    reader, writer = os.pipe()
    os.close(reader)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: writer}
    command = ["datasets"] if stream == "stdout" else ["datasets", "no-such"]  # a list, and a message
    done = subprocess.run([sys.executable, "-m", "weckd", *command], check=False, **streams)
    os.close(writer)
    assert done.returncode == 141  # of SIGPIPE, as other programs have it behind `| head`
    assert not (done.stdout or b"") + (done.stderr or b"")


def test_output_to_a_full_disk_is_one_message_and_closed_output_is_none(tmp_path):
    command = [sys.executable, "-m", "weckd", "methods"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        "weckd: output cannot be written (No space left on device); free some space, or choose another disk\n",
    )
    closed = ["bash", "-c", '"$@" >&-', "bash", *command]
    done = subprocess.run(closed, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_version_that_is_pinned_is_listed(tmp_path, capsys):
    package = yaml.safe_load(CATALOGUE_FILE.read_text())["ear_kaggle"]
    entry = {**package, "derived_from": [], "download": {**package["download"], "version": 2}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"mine": entry}))
    place = "Kaggle ucimachinelearning/otoscopic-image-dataset version 2"
    assert main(["datasets", "--wide", "--catalogue", str(tmp_path / "mine.yaml")]) == 0
    assert re.search(rf"^mine .* {place}$", capsys.readouterr().out, flags=re.M)
    assert main(["datasets", "mine", "--catalogue", str(tmp_path / "mine.yaml")]) == 0
    told = (
        f"Fetched from {place} by the workflow into data/mine/ with Kaggle credentials (docs/data-sets.md), or by\n"
        f"  weckd fetch --dataset mine --catalogue {tmp_path}/mine.yaml --image-size 224 "
        f"--out data/mine/source-224px.json\n"
    )
    assert told in capsys.readouterr().out


def test_ctrl_c_is_no_traceback(monkeypatch, tmp_path, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("weckd.data.fetch.fetch", interrupted)
    out = str(tmp_path / "source.json")
    assert main(["fetch", "--dataset", "ear_chile", "--image-size", "64", "--out", out]) == 130
    told = "weckd: interrupted; nothing half-made is kept, and the same command goes on\n"
    assert capsys.readouterr().err == told
