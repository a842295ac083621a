"""What a machine must have before hours are spent on it: packages, cards, memory, disk, folders to write to."""

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Literal

import torch

from weckd.config import Suite
from weckd.errors import UserError, counted
from weckd.gpus import asked_of_driver
from weckd.planning.first_second import refuse_small_machine
from weckd.training.limits import host_memory, memory_of_system

JOB_MB = 4000
"""Memory that the rules state for a training job."""
_LEAST_SHARED_MB = 1
"""Snakemake's and torch's locks between processes need a little; images are not passed between processes."""
MINIMUM_DRIVERS = {12: 525, 13: 580}
"""Least driver of each CUDA version that torch's wheels are built with (NVIDIA, minor version compatibility)."""
_QUERY = "name,compute_cap,driver_version,memory.total"
_VERSION = re.compile(r"[0-9]+\.[0-9]+")
_CPU = "every fit is trained on the CPU"
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)", re.MULTILINE)


@dataclass(frozen=True)
class Finding:
    """A check's outcome: fine, worth knowing, or in the way of a run."""

    level: Literal["ok", "note", "bad"]
    what: str  # that was looked at
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Card:
    """What the driver says of a card."""

    name: str
    capability: tuple[int, int]
    driver: int  # first number of its version
    memory_mb: int


def findings_text(findings: Sequence[Finding]) -> str:
    """Return a line a finding, with its remedy below it."""
    width = max(len(finding.what) for finding in findings)
    lines = []
    for finding in findings:
        mark = "BAD" if finding.level == "bad" else finding.level
        lines.append(f"{mark:<4}  {finding.what:<{width}}  {finding.found}")
        if finding.remedy:
            lines.append(f"{'':<{width + 8}}-> {finding.remedy}")
    return "\n".join(lines)


def package_findings(lock: Path) -> list[Finding]:
    """Return the Python in use and whether the packages are those of the lock, where it is there."""
    python = Finding("ok", "Python", platform.python_version())
    if not lock.exists():
        return [python, Finding("note", "packages", f"no {lock.name} here to compare them with")]
    installed = {_plain(found.name): found.version for found in distributions()}
    return [python, compare(pinned(lock), installed)]


def pinned(lock: Path) -> dict[str, list[str]]:
    """Return the versions that a lock file names, several where they differ between versions of Python."""
    versions: dict[str, list[str]] = {}
    for found in _PIN.finditer(lock.read_text(encoding="utf-8")):
        versions.setdefault(_plain(found["name"]), []).append(found["version"])
    return versions


def compare(wanted: Mapping[str, Sequence[str]], installed: Mapping[str, str]) -> Finding:
    """Compare installed versions with a lock's; packages that are absent are for other systems or for development."""
    there = {name: versions for name, versions in wanted.items() if name in installed}
    other = [
        f"{name} {installed[name]} (locked: {' or '.join(versions)})"
        for name, versions in there.items()
        if installed[name] not in versions
    ]
    if other:
        shown = ", ".join(other[:5]) + (f" and {len(other) - 5} more" if len(other) > 5 else "")
        remedy = "results agree within intervals, not to the byte; `make setup` installs the locked ones"
        return Finding("note", "packages", f"not as locked: {shown}", remedy)
    return Finding("ok", "packages", f"{len(there)} as locked")


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def card_findings() -> list[Finding]:
    """Return what is wrong or right with each card, against what the installed torch was built for."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return [Finding("note", "GPU", f"no NVIDIA driver here (in a container: --gpus all); {_CPU}")]
    listed = asked_of_driver(tool, _QUERY, "noheader,nounits")
    if listed.failed:
        remedy = "repair the driver, or hide the card with CUDA_VISIBLE_DEVICES=''"
        return [Finding("bad", "GPU", f"nvidia-smi fails: {listed.said}", remedy)]
    cuda = torch.version.cuda
    if cuda is None:
        return [Finding("note", "GPU", f"torch {torch.__version__} is built without CUDA; {_CPU}")]
    findings = [Finding("note", "GPU", f"nvidia-smi warns: {listed.said}")] if listed.said else []
    cards = [read_card(row) for row in listed.rows if _VERSION.fullmatch(row[1])]
    findings += [check_card(card, cuda, torch.cuda.get_arch_list()) for card in cards]
    bad = any(finding.level == "bad" for finding in findings)
    return findings if bad else [*findings, _computes()]


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
    numbers = [name.removeprefix("sm_").rstrip("af") for name in architectures if name.startswith("sm_")]
    first = min(((int(number[:-1]), int(number[-1])) for number in numbers), default=card.capability)
    own = ".".join(map(str, card.capability))
    if card.capability < first:
        remedy = "use a newer card, or the CPU with CUDA_VISIBLE_DEVICES=''"
        begin = ".".join(map(str, first))
        return Finding("bad", what, f"compute capability {own}; torch's wheels begin at {begin}", remedy)
    return Finding("ok", what, f"driver {card.driver}, compute capability {own}, {card.memory_mb:,} MB")


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


def machine_findings(folder: Path, needed_bytes: int) -> list[Finding]:
    """Check what a run in `folder` needs, which is expected to write so many bytes."""
    below = (folder / name for name in ("results", "data", ".snakemake"))
    places = [place for place in (folder, *below, Path(tempfile.gettempdir())) if place.exists()]
    shared = shared_memory(Path("/dev/shm"))  # noqa: S108 - looked at, not written to
    return [_cores_and_memory(), shared, _disk(folder, needed_bytes), *map(writable, places)]


def _cores_and_memory() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit, told = host_memory(), memory_of_system("MemAvailable")
    # Of a container or a batch system's job its limit counts.
    free = min(found // 2**20 for found in (*told, limit) if found is not None) if told else None
    what, takes = "cores and memory", f"a training job may take {JOB_MB:,} MB"
    if free is None:
        return Finding("note", what, f"{counted(cores, 'core')}; the system does not tell its free memory")
    found = f"{counted(cores, 'core')}, {free:,} MB free"
    if free < JOB_MB:
        return Finding("bad", what, found, f"free some: {takes}")
    if free < cores * JOB_MB:
        return Finding("note", what, found, f"{takes}; limit the jobs with --cores {free // JOB_MB}")
    return Finding("ok", what, found)


def memory_finding(suite: Suite) -> Finding:
    """Check that this machine's memory holds a training job of a suite."""
    what = "memory of a training job"
    try:
        need = refuse_small_machine(suite)
    except UserError as problem:
        found, _, remedy = str(problem).rpartition("; ")
        return Finding("bad", what, found, remedy)
    return Finding("ok", what, f"about {need / 1e9:,.1f} GB at least")


def shared_memory(place: Path) -> Finding:
    """Check the shared memory at `place`."""
    what = "shared memory"
    if not place.is_dir():
        return Finding("note", what, f"no {place} here")
    free = shutil.disk_usage(place).free // 2**20
    if free < _LEAST_SHARED_MB or not os.access(place, os.W_OK):
        return Finding("bad", what, f"{place}: {free} MB, or not writable", "in a container: --shm-size 64m")
    return Finding("ok", what, f"{free:,} MB free")


def _disk(folder: Path, needed: int) -> Finding:
    place = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:,.1f} GB free, about {needed / 1e9:,.1f} GB needed"
    if free >= needed:
        return Finding("ok", "disk", found)
    return Finding("bad", "disk", f"{place}: {found}", "free some space, or run in a folder of another disk")


def writable(folder: Path) -> Finding:
    """Check that this process can make and remove a file in a folder."""
    what = f"folder {folder.name or folder}"
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            return Finding("ok", what, f"{folder.absolute()} can be written")
    except OSError as problem:
        found = f"{folder.absolute()}: cannot be written by user {os.getuid()} ({problem.strerror})"
        owner = "run as its owner (in a container: --user $(id -u):$(id -g))"
        return Finding("bad", what, found, f"give that user the folder (chown), or {owner}")
