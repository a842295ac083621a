"""The command line: quick help, lists, messages in place of tracebacks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from weckd.cli import main

CONFIG = Path(__file__).resolve().parents[1] / "config"
COMMANDS = [
    "datasets",
    "methods",
    "show",
    "suite",
    "prepare",
    "group",
    "split",
    "train",
    "gather",
    "tables",
    "figures",
]


@pytest.mark.parametrize("command", [[], *[[name] for name in COMMANDS]])
def test_help_of_every_command(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: weckd")
    if not command:
        assert all(f"\n    {name} " in text for name in COMMANDS)


LISTING = "from weckd.cli import main; main(['methods'])"


@pytest.mark.parametrize("code", ["import weckd", LISTING, "import weckd.suite_file"])
def test_lists_and_suites_import_nothing_heavy(code):
    check = f"{code}\nimport sys\nassert not {{'torch', 'timm', 'pandas', 'matplotlib'}} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, check=False).returncode == 0


def test_gathering_and_analysis_import_no_torch():
    check = (
        "import weckd.training.gather, weckd.analysis.report_tables, weckd.analysis.figures, sys\n"
        "assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, check=False).returncode == 0


def test_lists(capsys):
    assert main(["datasets"]) == 0
    text = capsys.readouterr().out
    assert "phantom_blood_cells  Phantom of PBC blood cells" in text
    assert main(["datasets", "ear_chile"]) == 0
    assert "class          earwax_plug, earwax plug, Earwax plug, 220" in capsys.readouterr().out
    assert main(["methods"]) == 0
    text = capsys.readouterr().out
    assert "M3: D3; from M2; taught by M2 (T 4 -> 1, beta 1); 1 S" in text
    assert "M2: D2+D3; from M1; taught by M1 (T 4, beta 1); 2 S" in text


def test_suite_is_written_where_the_run_looks_for_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["suite", str(CONFIG / "demo.yaml"), "--config", "seeds=[4]", "methods=[weckd,single]"]) == 0
    (file,) = (tmp_path / "results").glob("demo+*/suite.json")
    assert json.loads(file.read_text())["seeds"] == [4]
    assert main(["methods", "--suite", str(file)]) == 0
    assert "M1: D1; init; 16" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["datasets", "ear_chil"], "weckd: no data set 'ear_chil'; did you mean 'ear_chile'?"),
        (["suite", "nowhere.yaml"], "weckd: nowhere.yaml: cannot be read"),
        (
            ["suite", str(CONFIG / "demo.yaml"), "--config", "seeds"],
            "weckd: --config seeds: must be KEY=VALUE",
        ),
        (["show", "nowhere"], "weckd: nowhere: no tables/gains.md; finish the run first"),
        (
            ["prepare", "--dataset", "ear_chile", "--image-size", "64", "--out", "x"],
            "weckd: ear_chile: needs its images in a local folder",
        ),
        (
            [
                "gather",
                "--seed",
                "1",
                "--manifest",
                "m.json",
                "--split",
                "s.csv",
                "--store",
                "f",
                "--out",
                "o",
            ],
            "weckd: m.json: no such manifest; make it with `weckd train`",
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
