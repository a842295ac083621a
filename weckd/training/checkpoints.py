"""Checkpoints of a fit under way: a file that is whole or not there, named by its fit, its steps and its own digest."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load, save

from weckd.files import remove_left, whole_file
from weckd.training.interruption import StopRequest
from weckd.training.progress import Progress
from weckd.training.running import RunningFit

_SECONDS = "seconds"


@dataclass
class Checkpoints:
    """Keeps one fit's state at an interval, and when the process is asked to stop."""

    folder: Path
    identity: str  # of the fit
    interval: float  # seconds between two checkpoints
    stop: StopRequest
    progress: Progress
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _kept: float = field(init=False)  # when the last checkpoint was written
    resumed_at: int | None = field(
        default=None, init=False
    )  # steps of the checkpoint that the fit went on from
    seconds_before: float = field(default=0.0, init=False)  # of its steps, in the processes before this one

    def __post_init__(self) -> None:
        """Start the clock."""
        self._began = self._kept = self.clock()

    def resume(self, fit: RunningFit) -> None:
        """Bring a fit to its last checkpoint, where it has one; a damaged one is set aside and the one before used."""
        for file in sorted(self.folder.glob(f"{self._stem}-*"), reverse=True):
            content = file.read_bytes()
            if hashlib.sha256(content).hexdigest()[:16] != file.stem.rpartition("-")[2]:
                aside = file.replace(file.with_name(f"damaged-{file.name}"))
                self.progress.tell(f"checkpoint {file} is damaged: set aside as {aside.name}")
                continue
            state = load(content)
            self.seconds_before = float(state.pop(_SECONDS))
            fit.load(state)
            self.resumed_at = fit.done
            self.progress.skip(fit.done)
            self.progress.tell(f"goes on at step {fit.done} of {len(fit.rates)}, from {file}")
            return

    def after_step(self, fit: RunningFit) -> None:
        """Keep the fit's state where it is time to; leave where the process was asked to."""
        asked = self.stop.received is not None
        if asked or self.clock() - self._kept >= self.interval:
            self._keep(fit)
            self._kept = self.clock()
        if asked:
            self.progress.tell(
                f"asked to stop: kept step {fit.done} of {len(fit.rates)}; the same command goes on from there"
            )
            self.stop.leave()

    def discard(self) -> None:
        """Remove the fit's checkpoints, and what a killed process left of one."""
        for file in self.folder.glob(f"{self._stem}-*"):
            file.unlink()
        remove_left(self.folder, f"{self._stem}-*")

    @property
    def _stem(self) -> str:
        return self.identity[:20]

    def _keep(self, fit: RunningFit) -> None:
        state = {key: value.detach().cpu().contiguous() for key, value in fit.state().items()}
        seconds = self.seconds_before + self.clock() - self._began
        content = save({**state, _SECONDS: torch.tensor(seconds, dtype=torch.float64)})
        # Eight digits sort; the digest at the end tells a damaged file.
        name = f"{self._stem}-{fit.done:08d}-{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
        earlier = list(self.folder.glob(f"{self._stem}-*"))
        with whole_file(self.folder / name) as temporary:
            temporary.write_bytes(content)
        for file in earlier:
            if file.name != name:
                file.unlink()
