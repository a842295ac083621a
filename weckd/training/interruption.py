"""Requests to stop: SIGTERM, which clusters send before they take a machine back, and Ctrl-C."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass
class StopRequest:
    """Ends the process at once, but for blocks that have to come to an end first."""

    received: int | None = None  # number of the signal
    _deferred: bool = False

    def listen(self) -> None:
        """Take the signals over; only the main thread can."""
        for number in SIGNALS:
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
