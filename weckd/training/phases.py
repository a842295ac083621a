"""What a fit cost: seconds by phase, and memory."""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch


@dataclass
class Phases:
    """Seconds of named phases, one after another; a GPU's work is waited for where a phase ends."""

    device: torch.device
    _seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin to watch the memory of a GPU."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the seconds of a block to a phase."""
        began = time.monotonic()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.add(phase, time.monotonic() - began)

    def add(self, phase: str, seconds: float) -> None:
        """Add seconds to a phase."""
        self._seconds[phase] = self._seconds.get(phase, 0.0) + seconds

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each phase, to a millisecond."""
        return {phase: round(seconds, 3) for phase, seconds in self._seconds.items()}

    def peak_memory(self) -> dict[str, int]:
        """Return bytes: the largest memory of this process so far, and of this fit on a GPU."""
        host = {"host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        if self.device.type != "cuda":
            return host
        return {**host, "device": torch.cuda.max_memory_allocated(self.device)}
