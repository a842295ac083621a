"""Which GPU a job uses: workflow engines count local GPUs, but do not say which job has which."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import IO

from weckd.errors import UserError
from weckd.locks import try_lock

_POLL = 1.0  # seconds


@contextmanager
def claimed_gpu(jobs_per_gpu: int, locks: Path | None = None) -> Iterator[None]:
    """Hold a place on a GPU for a block, waiting for a free one, as the only GPU that this process sees.

    To be entered before torch is imported. A place is a locked file, so that it is free again when its process ends,
    however it ends. Where there is no GPU, nothing happens.

    Args:
        jobs_per_gpu: places on each GPU.
        locks: folder of the files; one for all processes of the machine unless told.

    Raises:
        UserError: CUDA_VISIBLE_DEVICES names a GPU that is not there.
    """
    gpus = visible_gpus()
    if not gpus:
        yield
        return
    folder = locks or Path(tempfile.gettempdir(), "weckd-gpus")
    gpu, held = _free_place(gpus, jobs_per_gpu, folder)
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    with held:
        yield


def _free_place(gpus: Sequence[str], jobs_per_gpu: int, folder: Path) -> tuple[str, IO[str]]:
    """Return a GPU and the open file that holds a place on it; the first places of all GPUs are taken first."""
    waiting = False
    while True:
        for place, gpu in product(range(jobs_per_gpu), gpus):
            held = try_lock(folder / f"{gpu}-{place}.lock")
            if held is not None:
                return gpu, held
        if not waiting:
            print(
                f"waiting for one of {len(gpus)} GPUs, {jobs_per_gpu} jobs each", file=sys.stderr, flush=True
            )
            waiting = True
        time.sleep(_POLL)


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
    listed = subprocess.run(
        [tool, "--query-gpu=index,uuid", "--format=csv,noheader"], capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        return []  # the tool without a card, as in some containers
    names = dict(line.replace(" ", "").split(",") for line in listed.stdout.splitlines())
    if allowed is None:
        return list(names.values())
    found = []
    for word in allowed.replace(" ", "").split(","):
        if word.startswith(("GPU-", "MIG-")):
            found.append(word)
        elif word in names:
            found.append(names[word])
        else:
            raise UserError(
                f"CUDA_VISIBLE_DEVICES={allowed}: this machine has no GPU {word}; known: {', '.join(names)}"
            )
    return found
