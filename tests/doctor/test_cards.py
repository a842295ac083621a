import shutil
import sys

import pytest
import torch

from weckd.doctor.machine import Card, card_findings, check_card, read_card

H200 = Card("NVIDIA H200", (9, 0), 580, 143771)
WHEELS = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]


def test_a_line_of_the_driver_is_read():
    assert read_card(["NVIDIA H200", "9.0", "580.65.06", "143771"]) == H200


def test_a_card_that_the_wheels_can_use_is_fine():
    finding = check_card(H200, "13.0", WHEELS)
    assert (finding.level, finding.what) == ("ok", "GPU NVIDIA H200")
    assert finding.found == "driver 580, compute capability 9.0, 143,771 MB"


@pytest.mark.parametrize(
    ("driver", "cuda", "level"),
    [(579, "13.0", "bad"), (580, "13.0", "ok"), (524, "12.8", "bad"), (525, "12.8", "ok")],
)
def test_the_least_driver_is_that_of_the_wheels_cuda(driver, cuda, level):
    finding = check_card(Card("card", (9, 0), driver, 1000), cuda, WHEELS)
    assert finding.level == level
    if level == "bad":
        assert finding.found == f"driver {driver} is too old for CUDA {cuda}"
        assert finding.remedy == f"update the driver to {driver + 1} or newer"


@pytest.mark.parametrize(("capability", "level"), [((7, 0), "bad"), ((7, 5), "ok"), ((12, 0), "ok")])
def test_a_card_older_than_the_wheels_code_is_named(capability, level):
    finding = check_card(Card("card", capability, 600, 1000), "13.0", WHEELS)
    assert finding.level == level
    if level == "bad":
        assert finding.found == "compute capability 7.0; torch's wheels begin at 7.5"


def with_tool(tmp_path, monkeypatch, script):
    """Let the driver's tool be a script of ours."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!{sys.executable}\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("nvidia-smi") == str(tool)


def test_a_driver_that_fails_is_told_with_its_own_words(tmp_path, monkeypatch):
    with_tool(tmp_path, monkeypatch, "import sys; print('Driver/library version mismatch'); sys.exit(18)")
    [finding] = card_findings()
    assert (finding.level, finding.found) == ("bad", "nvidia-smi fails: Driver/library version mismatch")


def test_an_old_driver_is_found_through_the_tool(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with_tool(tmp_path, monkeypatch, "print('Tesla V100, 7.0, 535.10.01, 16160')")
    [finding] = card_findings()
    assert finding.level == "bad"
    assert finding.found == "driver 535 is too old for CUDA 13.0"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU, and so its driver's libraries")
def test_a_card_that_torch_cannot_use_is_not_called_fine(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    with_tool(tmp_path, monkeypatch, "print('NVIDIA H200, 9.0, 580.65.06, 143771')")
    card, product = card_findings()
    assert card.level == "ok"
    assert (product.level, product.what) == ("bad", "GPU, a product of matrices")
    assert product.found.startswith("fails: ")


def test_no_driver_is_worth_a_note(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    [finding] = card_findings()
    assert finding.level == "note"
    assert "every fit is trained on the CPU" in finding.found


@pytest.mark.parametrize("status", [0, 14])
def test_a_warning_of_the_driver_is_told_beside_the_cards(status, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    warning = "WARNING: infoROM is corrupted at gpu 0000:00:1E.0"
    with_tool(
        tmp_path,
        monkeypatch,
        f"print('Tesla V100, 7.0, 535.10.01, 16160\\n{warning}'); raise SystemExit({status})",
    )
    note, card = card_findings()
    assert (note.level, note.found) == ("note", f"nvidia-smi warns: {warning}")
    assert card.found == "driver 535 is too old for CUDA 13.0"
