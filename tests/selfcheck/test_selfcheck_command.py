import json

import numpy as np
import pandas as pd
import pytest
from made_run import made_suite, random_right, write_made_run

from weckd.cli import main

NOT_RUN = (
    "no --run; make one with enough seeds: snakemake --cores all --configfile config/selfcheck.yaml, "
    "then weckd selfcheck --run results/selfcheck"
)


@pytest.fixture(scope="module")
def good_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "toy"
    suite = made_suite(("single", "permuted"), n_datasets=2)
    draw = np.random.default_rng(7)
    right = {
        key: {
            "single": random_right(key, "single"),
            "permuted": (draw.random((10, 40)) < 0.5).astype(np.int64),
        }
        for key in suite.datasets
    }
    write_made_run(folder, suite, right)
    return folder


def test_without_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["selfcheck", "--repetitions", "100"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].split() == ["check", "value", "allowed", "outcome"]
    assert lines[1] == "the primary test finds a gain where there is none in 5 % of experiments:"
    assert lines[2].startswith("  no gain, weak labels, 5 seeds      ")
    assert lines[2].endswith("0.000 to 0.162  passed (100 repetitions)")
    assert sum(line.startswith("  ") for line in lines) == 1 + 29 + 2
    assert sum(" passed (" in line for line in lines) == 29
    assert lines[-3].split("  ")[1] == "same method, other seeds"
    assert lines[-3].endswith(f"-                -  not run ({NOT_RUN})")
    assert lines[-1].split("  ")[1] == "permuted at chance"
    assert lines[-1].endswith(f"not run ({NOT_RUN})")
    assert printed.err == "[selfcheck] simulating 100 experiments a check\n"
    assert list(tmp_path.iterdir()) == []


def test_with_a_run(good_run, tmp_path, capsys):
    assert main(["selfcheck", "--run", str(good_run), "--repetitions", "100"]) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines()[1] == "[selfcheck] setting the methods of toy against themselves"
    assert sorted(file.name for file in (good_run / "selfcheck").iterdir()) == [
        "selfcheck.csv",
        "selfcheck.json",
        "selfcheck.md",
        "selfcheck.tex",
    ]
    frame = pd.read_csv(good_run / "selfcheck" / "selfcheck.csv")
    assert frame["outcome"].tolist() == ["passed"] * 33
    assert frame["source"].tolist() == ["simulation"] * 29 + ["toy"] * 4
    assert frame["phantom"].tolist()[29:] == [True] * 4
    assert frame["plan_hash"].tolist()[29:] == ["0123456789ab"] * 4
    assert frame[["phantom", "plan_hash"]][:29].isna().all(axis=None)
    assert ((frame["low"] <= frame["value"]) & (frame["value"] <= frame["high"])).all()
    text = (good_run / "selfcheck" / "selfcheck.md").read_text(encoding="utf-8")
    assert text.startswith(
        "### Self-checks\n\n**Phantom images drawn by this suite: says nothing about the paper's data.** "
        "Simulated experiments whose truth is known, or checks of a run's predictions, in fractions. A check that was "
        "not run is no failure, and says why. Predictions of toy. Plan 0123456789ab.\n\n| check "
    )
    assert text.count("\n| ") == 1 + 33
    (told,) = json.loads((good_run / "selfcheck" / "selfcheck.json").read_text(encoding="utf-8"))
    assert (told["title"], told["label"], len(told["rows"])) == ("Self-checks", "selfcheck", 33)
    assert told["warning"] == "Phantom images drawn by this suite: says nothing about the paper's data."
    elsewhere = tmp_path / "elsewhere"
    assert main(["selfcheck", "--run", str(good_run), "--repetitions", "100", "--out", str(elsewhere)]) == 0
    for name in ("selfcheck.csv", "selfcheck.md", "selfcheck.json"):
        assert (elsewhere / name).read_bytes() == (good_run / "selfcheck" / name).read_bytes()


def test_a_failed_check_is_named_and_the_report_written(tmp_path, capsys):
    suite = made_suite(("single", "permuted"))
    right = np.ones((10, 40), dtype=np.int64)
    right[4] = 0
    leak = random_right("leak")
    write_made_run(tmp_path, suite, {"set1": {"single": right, "permuted": leak}})
    assert main(["selfcheck", "--run", str(tmp_path), "--repetitions", "100"]) == 1
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1] == "weckd: selfcheck: failed: permuted at chance"
    assert "  FAILED (1 data set, 10 seeds)" in printed.out
    frame = pd.read_csv(tmp_path / "selfcheck" / "selfcheck.csv").set_index("check")
    assert frame.loc["permuted at chance", "outcome"] == "FAILED"


def test_without_a_run_the_report_goes_where_it_is_told(tmp_path):
    assert main(["selfcheck", "--repetitions", "100", "--out", str(tmp_path)]) == 0
    text = (tmp_path / "selfcheck.md").read_text(encoding="utf-8")
    assert "Phantom" not in text
    assert "| not run   | no --run; make one with enough seeds: " in text
    frame = pd.read_csv(tmp_path / "selfcheck.csv")
    assert frame["outcome"].tolist() == ["passed"] * 29 + ["not run"] * 2
    assert frame[["value", "low", "high"]][29:].isna().all(axis=None)


def test_a_folder_that_is_no_run(tmp_path, capsys):
    assert main(["selfcheck", "--run", str(tmp_path)]) == 1
    expected = (
        f"weckd: {tmp_path}: no predictions; finish the run first, by the command that `weckd runs` lists\n"
    )
    assert capsys.readouterr().err == expected


def test_no_repetitions(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["selfcheck", "--repetitions", "0"])
    assert stop.value.code == 2
    assert "'0' must be a whole number from 1" in capsys.readouterr().err
