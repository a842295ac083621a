"""Progress of a training job: a line every few seconds, as readable in a log file as on a terminal."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

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
