"""Locks that die with the process that holds them, and processes that die with their parent or are asked to stop.

Signals to stop are SIGTERM, which clusters send before they take a machine back, and Ctrl-C.
"""

import ctypes
import fcntl
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from weckd.errors import UserError
from weckd.files import told_errors

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
SIGNALS = (signal.SIGTERM, signal.SIGINT)


def take_run_lock(path: Path, runs: Iterable[str] = ()) -> IO[str]:
    """Take the lock of a working folder and return the open file that holds it; keep it until the end.

    The runs are those that are made meanwhile, for `runs_under_way`.

    Raises:
        UserError: another live run holds it, or it cannot be written, as on a disk that is read-only.
    """
    with told_errors(path):
        stream = try_lock(path)
    if stream is None:
        holder = path.read_text().partition("\n")[0] or "unknown"
        raise UserError(
            f"{path}: another run (process {holder}) is working in this folder; wait for it, stop it, or use "
            "another folder with --directory"
        )
    stream.truncate(0)
    stream.write("\n".join([str(os.getpid()), *runs]))
    stream.flush()
    return stream


def runs_under_way(path: Path) -> list[str]:
    """Return the runs that whoever holds the lock of a working folder makes; none where nobody does."""
    if not path.exists():
        return []
    with path.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return stream.read().splitlines()[1:]
    return []


def try_lock(path: Path) -> IO[str] | None:
    """Return the open file that holds a lock for as long as it stays open, or None where another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = path.open("a+")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    return stream


@contextmanager
def held_lock(path: Path) -> Iterator[None]:
    """Hold a lock for a block, waiting for whoever has it."""
    stream = try_lock(path)
    if stream is None:
        print(f"waiting for another process that holds {path}", file=sys.stderr, flush=True)
        stream = path.open("a")
        fcntl.flock(stream, fcntl.LOCK_EX)
    with stream:
        yield


def die_with_parent() -> None:
    """Ask the kernel to send SIGTERM to this process when its parent ends (Linux; elsewhere nothing happens).

    A workflow engine that is killed would else leave training jobs behind that go on writing. SIGTERM gives them time
    for a checkpoint.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # the parent ended before the request was made
        os.kill(os.getpid(), signal.SIGTERM)


@dataclass
class StopRequest:
    """Ends the process at once, but for blocks that have to come to an end first."""

    received: int | None = None  # number of the signal
    _deferred: bool = False

    def listen(self) -> None:
        """Take over the signals that whoever started this process lets through; only the main thread can."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._take)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Let the block look at `received` itself; what it did not look at ends the process behind it."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        if self.received is not None:
            self.leave()

    def leave(self) -> None:
        """End the process with the exit status of its signal."""
        raise SystemExit(128 + (self.received or 0))

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        if not self._deferred:
            self.leave()
