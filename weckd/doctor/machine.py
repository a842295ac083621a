"""Cores, memory, shared memory, disk, and the folders that a run writes to."""

import os
import shutil
import tempfile
from pathlib import Path

from weckd.config import Suite
from weckd.doctor.finding import Finding
from weckd.errors import UserError
from weckd.planning.first_second import refuse_small_machine
from weckd.training.memory import host_memory

JOB_MB = 4000
"""Memory that the rules state for a training job."""
_LEAST_SHARED_MB = 1
"""Snakemake's and torch's locks between processes need a little; images are not passed between processes."""


def machine_findings(folder: Path, needed_bytes: int) -> list[Finding]:
    """Check what a run in `folder` needs.

    Args:
        folder: working folder of the run.
        needed_bytes: that the run is expected to write.
    """
    places = [
        folder,
        *(folder / name for name in ("results", "data", ".snakemake")),
        Path(tempfile.gettempdir()),
    ]
    return [
        _cores_and_memory(),
        shared_memory(Path("/dev/shm")),  # noqa: S108 - looked at, not written to
        _disk(folder, needed_bytes),
        *(writable(place) for place in places if place.exists()),
    ]


def _cores_and_memory() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free, limit = available_mb(Path("/proc/meminfo")), host_memory()
    if free is not None and limit is not None:
        free = min(free, limit // 2**20)  # of a container or a batch system's job
    if free is None:
        return Finding("note", "cores and memory", f"{cores} cores; the system does not tell its free memory")
    found = f"{cores} cores, {free:,} MB free"
    if free < JOB_MB:
        return Finding("bad", "cores and memory", found, f"free some: a training job may take {JOB_MB:,} MB")
    if free < cores * JOB_MB:
        remedy = f"a training job may take {JOB_MB:,} MB; limit the jobs with --cores {free // JOB_MB}"
        return Finding("note", "cores and memory", found, remedy)
    return Finding("ok", "cores and memory", found)


def memory_finding(suite: Suite) -> Finding:
    """Check that this machine's memory holds a training job of a suite."""
    what = "memory of a training job"
    try:
        need = refuse_small_machine(suite)
    except UserError as problem:
        found, _, remedy = str(problem).rpartition("; ")
        return Finding("bad", what, found, remedy)
    return Finding("ok", what, f"about {need / 1e9:,.1f} GB at least")


def available_mb(file: Path) -> int | None:
    """Return the memory that can be had without swapping, from a file like /proc/meminfo."""
    if not file.exists():
        return None
    words = (line.split() for line in file.read_text(encoding="utf-8").splitlines())
    return next((int(found[1]) // 1024 for found in words if found[0] == "MemAvailable:"), None)


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
    if free < needed:
        return Finding(
            "bad", "disk", f"{place}: {found}", "free some space, or run in a folder of another disk"
        )
    return Finding("ok", "disk", found)


def writable(folder: Path) -> Finding:
    """Check that this process can make and remove a file in a folder."""
    what = f"folder {folder.name or folder}"
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            return Finding("ok", what, f"{folder.absolute()} can be written")
    except OSError as problem:
        who = f"user {os.getuid()}"
        return Finding(
            "bad",
            what,
            f"{folder.absolute()}: cannot be written by {who} ({problem.strerror})",
            "give that user the folder (chown), or run as its owner (in a container: --user $(id -u):$(id -g))",
        )
