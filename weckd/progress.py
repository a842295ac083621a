"""One line of how far a run is, rewritten in place on a terminal; what each job says is in its log."""

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from weckd.errors import duration

WIDTH = 80
"""Columns that the line fills at most."""
_TICK = 1.0  # seconds between two looks at the jobs
_STEP, _APART, _SILENCE = 0.1, 30.0, 300.0
"""Where no terminal shows the line, it is printed at each such part of the work, so many seconds apart, or after such a
silence."""
_TAIL = 4096  # bytes of a log in which its last line of progress lies
_STEPS = re.compile(r"(\d+)/(\d+) steps(?: \((\d+) from before\))?")
_PERCENT = re.compile(r"(\d+)%\|")
_CLEAR = "\r\x1b[K"


@dataclass(frozen=True)
class Work:
    """A job of a call of the workflow, as it is now."""

    name: str
    state: str  # "waiting", "running", "ended" or "failed"
    cells: int = 0  # that it trains
    log: Path | None = None


@dataclass(frozen=True)
class HowFar:
    """How far a call is: cells of the whole run, jobs of this call alone."""

    cells: int
    before: float  # cells that were trained before
    since: float  # and since; the one under way counts in part
    lost: int  # of jobs that failed
    jobs: int
    ended: int
    failed: int
    under_way: tuple[str, ...]

    @property
    def left(self) -> float:
        """Cells that are to be trained still."""
        return self.cells - self.before - self.since - self.lost

    @property
    def share(self) -> float:
        """The part of this call's work that is done: of its cells, where it has any to train, else of its jobs."""
        cells = self.since + self.left
        return self.since / cells if cells > 0 else self.ended / max(self.jobs, 1)

    def line(self, seconds: float | None, width: int) -> str:
        """Return it in one line of less than `width` columns; training takes `seconds` still, None: unknown."""
        parts = []
        if self.cells:
            # A share of steps comes short of a whole cell by rounding.
            before, there = int(self.before + 1e-6), int(self.before + self.since + 1e-6)
            parts.append(f"{there} of {self.cells} cells{f' ({before} from before)' if before else ''}")
        parts.append(f"{self.ended} of {self.jobs} jobs")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if seconds is not None:
            parts.append(f"about {duration(seconds)} left")
        now = f"; {', '.join(self.under_way)}" if self.under_way else ""
        text = f"weckd: {', '.join(parts)}{now}"
        return text if len(text) < width else f"{text[: width - 3]}.."


def how_far(works: Collection[Work], cells: int) -> HowFar:
    """Return how far a call is.

    Args:
        works: its jobs.
        cells: of the whole run; those that no job of this call trains were trained before.
    """
    before, since, under_way = cells - sum(float(work.cells) for work in works), 0.0, []
    for work in works:
        done, earlier = _told(work.log) if work.state in ("running", "ended") else (0.0, 0.0)
        if work.state == "running":
            under_way.append(f"{work.name} ({done:.0%})" if done else work.name)
        before += work.cells * earlier
        since += work.cells * ((1.0 if work.state == "ended" else done) - earlier)
    states = [work.state for work in works]
    lost = sum(work.cells for work in works if work.state == "failed")
    counts = len(works), states.count("ended"), states.count("failed")
    return HowFar(cells, before, since, lost, *counts, tuple(sorted(under_way)))


def _told(log: Path | None) -> tuple[float, float]:
    """Return the part of its work that a job's log tells of, and that part which was there before the job began."""
    text = ""
    with suppress(OSError):
        if log:
            with log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                text = file.read().decode(errors="replace")
    if steps := _STEPS.findall(text):
        done, whole, earlier = (int(number or 0) for number in steps[-1])
        return done / max(whole, 1), earlier / max(whole, 1)
    percent = _PERCENT.findall(text)
    return (int(percent[-1]) / 100 if percent else 0.0), 0.0


class ProgressLine:
    """Shows how far a call is until it is stopped: on a terminal in place, else in a line from time to time."""

    def __init__(
        self,
        look: Callable[[], Collection[Work]],
        cells: int,
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the line of jobs as `look` finds them, and of so many cells of the whole run; `start` shows it."""
        self._look, self._cells, self._stream, self._clock = look, cells, stream, clock
        self._in_place = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._began: tuple[float, float] | None = (
            None  # when cells began to be trained, and how many were then
        )
        self._printed: tuple[float, float] | None = None  # when, and the share then
        self._shown = False  # on a terminal
        self._stopped = threading.Event()

    def start(self) -> None:
        """Show the line from now on, from a thread that ends with the process."""
        threading.Thread(target=self._go_on, daemon=True).start()

    def stop(self) -> None:
        """Take the line away, and show none any more."""
        self._stopped.set()
        self.clear()

    def clear(self) -> None:
        """Take the line away where there is one, so that something else can be printed."""
        if self._shown:
            self._shown = False
            self._write(_CLEAR)

    def show(self) -> None:
        """Show the line, where it is due."""
        far, now = how_far(self._look(), self._cells), self._clock()
        if self._began is None and far.since:
            self._began = now, far.since
        width = min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if self._in_place else WIDTH
        line = far.line(self._seconds_left(far, now), width)
        if self._in_place:
            # The cursor goes back to the line's beginning: whatever else is printed overwrites it.
            self._write(f"{_CLEAR}{line}\r")
            self._shown = True
        elif self._due(now, far.share):
            self._printed = now, far.share
            self._write(f"{line}\n")

    def _seconds_left(self, far: HowFar, now: float) -> float | None:
        began, since = self._began or (now, far.since)
        return (now - began) / (far.since - since) * far.left if far.since > since and far.left > 0 else None

    def _due(self, now: float, share: float) -> bool:
        if self._printed is None:
            return True
        waited, gone = now - self._printed[0], share - self._printed[1]
        return waited >= _SILENCE or (waited >= _APART and gone >= _STEP)

    def _go_on(self) -> None:
        while not self._stopped.is_set():
            self.show()
            self._stopped.wait(_TICK)

    def _write(self, text: str) -> None:
        with suppress(OSError):  # whoever read it is gone; the run goes on
            self._stream.write(text)
            self._stream.flush()
