"""Which GPU a job uses: workflow engines count local GPUs, but do not say which job has which."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from weckd.errors import UserError, counted
from weckd.locks import try_lock

_POLL = 1.0  # seconds
_NO_CARD = re.compile(
    r"no devices were found|couldn't communicate with the nvidia driver|has failed", re.IGNORECASE
)


@contextmanager
def claimed_gpu(jobs_per_gpu: int, locks: Path | None = None) -> Iterator[None]:
    """Hold a place on a GPU for a block, waiting for a free one, as the only GPU that this process sees.

    To be entered before torch is imported. A place is a locked file, so that it is free again when its process ends,
    however it ends. Where there is no GPU, nothing happens. The files' folder is one for all processes of the machine
    unless told.

    Raises:
        UserError: CUDA_VISIBLE_DEVICES names a GPU that is not there.
    """
    gpus = visible_gpus()
    if not gpus:
        yield
        return
    folder, waiting = locks or Path(tempfile.gettempdir(), "weckd-gpus"), False
    while True:
        for place, gpu in product(range(jobs_per_gpu), gpus):  # the first places of all GPUs are taken first
            if held := try_lock(folder / f"{gpu}-{place}.lock"):
                os.environ["CUDA_VISIBLE_DEVICES"] = gpu
                with held:
                    yield
                return
        if not waiting:
            places = f"{counted(len(gpus), 'GPU')}, {counted(jobs_per_gpu, 'job')} each"
            print(f"waiting for one of {places}", file=sys.stderr, flush=True)
            waiting = True
        time.sleep(_POLL)


@dataclass(frozen=True)
class Listed:
    """What nvidia-smi says of the cards."""

    rows: list[list[str]]  # of as many values as were asked for
    said: str  # every other line: warnings, and why it fails
    failed: bool


def asked_of_driver(tool: str, values: str, options: str = "noheader") -> Listed:
    """Ask nvidia-smi for values, with commas between, of every card; other lines, as warnings, are kept apart."""
    command = [tool, f"--query-gpu={values}", f"--format=csv,{options}"]
    try:
        process = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError as problem:
        return Listed([], str(problem.strerror), True)
    rows, said = [], process.stderr.strip().splitlines()
    for line in filter(str.strip, process.stdout.splitlines()):
        row = [part.strip() for part in line.split(",")]
        if len(row) == values.count(",") + 1:
            rows.append(row)
        else:
            said.append(line.strip())
    # A warning (14: a corrupted infoROM) ends it with a status of its own; the cards that it lists are there.
    return Listed(rows, "; ".join(said), process.returncode != 0 and not rows)


def visible_gpus() -> list[str]:
    """Return the names of the GPUs that this process may use, as CUDA_VISIBLE_DEVICES takes them.

    Raises:
        UserError: CUDA_VISIBLE_DEVICES names a GPU that is not there.
    """
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    tool = shutil.which("nvidia-smi")
    if tool is None or allowed in ("", "-1", "NoDevFiles"):
        return []
    # Its names hold within clusters' jobs too, each of which may call its own card number 0.
    listed = asked_of_driver(tool, "index,uuid")
    if listed.failed:
        if _NO_CARD.search(listed.said):
            return []  # the tool without a card, as in some containers
        print(f"nvidia-smi fails ({listed.said}); going on without a GPU", file=sys.stderr, flush=True)
        return []
    names = {index: name for index, name in listed.rows if index.isdecimal() and name.startswith("GPU-")}
    if allowed is None:
        return list(names.values())
    words = allowed.replace(" ", "").split(",")
    for word in words:
        if word not in names and not word.startswith(("GPU-", "MIG-")):
            told = f"this machine has no GPU {word}; known: {', '.join(names)}"
            raise UserError(f"CUDA_VISIBLE_DEVICES={allowed}: {told}")
    return [names.get(word, word) for word in words]
