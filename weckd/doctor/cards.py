"""The driver and the cards, against what the installed torch was built for."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from weckd.doctor.finding import Finding
from weckd.gpus import asked_of_driver

MINIMUM_DRIVERS = {12: 525, 13: 580}
"""Least driver of each CUDA version that torch's wheels are built with (NVIDIA, minor version compatibility)."""
_QUERY = "name,compute_cap,driver_version,memory.total"
_VERSION = re.compile(r"[0-9]+\.[0-9]+")
_CPU = "every fit is trained on the CPU"


@dataclass(frozen=True)
class Card:
    """What the driver says of a card."""

    name: str
    capability: tuple[int, int]
    driver: int  # first number of its version
    memory_mb: int


def card_findings() -> list[Finding]:
    """Return what is wrong or right with each card, or that there is none."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return [Finding("note", "GPU", f"no NVIDIA driver here (in a container: --gpus all); {_CPU}")]
    listed = asked_of_driver(tool, _QUERY, "noheader,nounits")
    if listed.failed:
        remedy = "mend the driver, or hide the card with CUDA_VISIBLE_DEVICES=''"
        return [Finding("bad", "GPU", f"nvidia-smi fails: {listed.said}", remedy)]
    warned = [Finding("note", "GPU", f"nvidia-smi warns: {listed.said}")] if listed.said else []
    if torch.version.cuda is None:
        return [Finding("note", "GPU", f"torch {torch.__version__} is built without CUDA; {_CPU}")]
    cards = [read_card(row) for row in listed.rows if _VERSION.fullmatch(row[1])]
    findings = [*warned] + [
        check_card(card, torch.version.cuda, torch.cuda.get_arch_list()) for card in cards
    ]
    if any(finding.level == "bad" for finding in findings):
        return findings
    return [*findings, _computes()]


def read_card(row: Sequence[str]) -> Card:
    """Return a card from its row of nvidia-smi, as `NVIDIA H200`, `9.0`, `580.65.06`, `143771` (0 where not told)."""
    name, capability, driver, memory = row
    major, _, minor = capability.partition(".")
    first = driver.partition(".")[0]
    known = int(first) if first.isdecimal() else 0
    return Card(name, (int(major), int(minor)), known, int(memory) if memory.isdecimal() else 0)


def check_card(card: Card, cuda: str, architectures: Sequence[str]) -> Finding:
    """Compare a card with what torch was built for.

    Args:
        card: as the driver describes it.
        cuda: version of CUDA that torch was built with, such as "13.0".
        architectures: that torch holds code for, such as "sm_90"; empty where torch does not say.
    """
    what = f"GPU {card.name}"
    least = MINIMUM_DRIVERS.get(int(cuda.partition(".")[0]), 0)
    if card.driver < least:
        remedy = f"update the driver to {least} or newer"
        return Finding("bad", what, f"driver {card.driver} is too old for CUDA {cuda}", remedy)
    built = [_capability(name) for name in architectures if name.startswith("sm_")]
    own = ".".join(map(str, card.capability))
    if built and card.capability < min(built):
        first = ".".join(map(str, min(built)))
        remedy = "use a newer card, or the CPU with CUDA_VISIBLE_DEVICES=''"
        return Finding("bad", what, f"compute capability {own}; torch's wheels begin at {first}", remedy)
    return Finding("ok", what, f"driver {card.driver}, compute capability {own}, {card.memory_mb:,} MB")


def _capability(architecture: str) -> tuple[int, int]:
    digits = architecture.removeprefix("sm_").rstrip("af")
    return int(digits[:-1]), int(digits[-1])


def _computes() -> Finding:
    """Return whether torch can compute on the first card."""
    what = "GPU, a product of matrices"
    remedy = "see what `nvidia-smi` says; in a container, give it the cards: --gpus all"
    try:
        ones = torch.ones(64, 64, device="cuda")
        right = bool(((ones @ ones) == 64).all())
    except RuntimeError as problem:
        return Finding("bad", what, f"fails: {str(problem).splitlines()[0]}", remedy)
    return Finding("ok", what, "right") if right else Finding("bad", what, "wrong", remedy)
