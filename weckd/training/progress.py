"""A job under way: a line of progress every few seconds, and requests to stop.

Signals to stop are SIGTERM, which clusters send before they take a machine back, and Ctrl-C.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
INTERVAL = 5.0  # seconds between lines


@dataclass
class Progress:
    """Counts the optimiser steps that a job has to make and tells how far it is, and in which cell and fit."""

    label: str
    total_steps: int
    seconds: Callable[[], float] = time.monotonic
    done_steps: int = 0
    cell: str = ""
    fit: str = ""
    began: float = field(init=False)
    last: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self.began = self.last = self.seconds()

    def step(self) -> None:
        """Count one optimiser step; print a line where the last is `INTERVAL` seconds old."""
        self.done_steps += 1
        now = self.seconds()
        if now - self.last >= INTERVAL:
            self.last = now
            left = (now - self.began) / self.done_steps * (self.total_steps - self.done_steps)
            self.tell(f"{self.done_steps}/{self.total_steps} steps, about {duration(left)} left")

    def skip(self, steps: int) -> None:
        """Take steps that need no training out of the count."""
        self.total_steps -= steps

    def tell(self, text: str) -> None:
        """Print one line."""
        place = ", ".join(filter(None, (self.cell, self.fit)))
        print(f"[{self.label}] {place + ': ' if place else ''}{text}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Return seconds as "40 s", "3 min" or "2.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


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
