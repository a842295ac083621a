"""Steps a second on a GPU: made one by one, replayed as a CUDA graph, and replayed for several fits side by side.

Images are noise, so no data set is needed. A bare step is a replayed one on views that are drawn already.

Run: python benchmarks/captured.py; it needs a GPU, and writes benchmarks/captured.md.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tabulate import tabulate
from torch import Tensor
from workplace import FOLDER, machine

from weckd.config import BackboneSettings
from weckd.methods.fits import Fit
from weckd.methods.losses import Distillation, Temperature
from weckd.suite_file import resolve_suite
from weckd.training.batches import CellData, Step, Views
from weckd.training.captured import captured_step
from weckd.training.fit import labelled_batches
from weckd.training.networks import Networks, initial_state, prepare_device
from weckd.training.optimisation import Cell, Given, RunningFit, Setup, make_objective

CASES = (("tf_efficientnet_lite0", 128, 16), ("resnet50", 224, 32))  # pixels a side, images a batch
IN_FLIGHT = (4, 16)
WARM, STEPS = 20, 200
CLASSES = 4
M1 = Fit(("D1",), WARM + STEPS)
LOSSES = {
    "supervised": M1,
    "distilled": replace(M1, teachers=(M1,), loss=Distillation(0.5, 1.0, Temperature("linear", 4.0, 1.0))),
}


class Drawn:
    """The views of one batch, the same at each step."""

    def __init__(self, views: Tensor) -> None:
        self.views = views

    def at(self, _: Step) -> Tensor:
        """Return them."""
        return self.views


def begun(fit: Fit, name: str, px: int, batch: int, device: torch.device) -> tuple[RunningFit, Views, Tensor]:
    """Return a fit before its first step, with networks of its own, and its batches."""
    suite = resolve_suite([FOLDER.parent / "config" / "demo.yaml"], {})
    training = replace(suite.training, batch_size=batch)
    backbone = BackboneSettings(name, "random")
    networks = Networks(backbone, CLASSES, px, training.batchnorm_momentum, device)
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (256, px, px, 3), dtype=np.uint8)).to(device)
    labels, groups = rng.integers(0, CLASSES, 256), np.array([f"g{image}" for image in range(256)])
    parts = {"D1": np.arange(200), "validation": np.arange(200, 228), "test": np.arange(228, 256)}
    data = CellData("noise", 1, images, labels, groups, parts, CLASSES)
    cell = Cell(data, networks, training, suite.augmentation, Path(), ())
    views, given = labelled_batches(fit, cell)
    state = initial_state(backbone, "noise", CLASSES, 1, 1, Path())
    student = networks.student(fit, state)
    none = np.empty(0, dtype=np.int64)
    setup = Setup(fit, cell, Given(state, [state] * len(fit.teachers)), student, views, none)
    return RunningFit(make_objective(setup), fit.steps, training.learning_rate, training), views, given


def a_second(steps: Sequence[Callable[[], None]]) -> float:
    """Return how many steps a second some fits make together, each on a stream of its own where there are several."""
    streams = [torch.cuda.Stream() if len(steps) > 1 else torch.cuda.current_stream() for _ in steps]

    def make(count: int) -> float:
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(count):
            for step, stream in zip(steps, streams, strict=True):
                with torch.cuda.stream(stream):
                    step()
        torch.cuda.synchronize()
        return time.perf_counter() - began

    make(WARM)
    return len(steps) * STEPS / make(STEPS)


def measured(fit: Fit, name: str, px: int, batch: int, device: torch.device) -> list[float]:
    """Return steps a second: eager, replayed, bare, and replayed for several fits at once."""
    eager, views, labels = begun(fit, name, px, batch, device)
    bare, *_ = begun(fit, name, px, batch, device)
    several = [begun(fit, name, px, batch, device) for _ in range(max(IN_FLIGHT))]
    drawn = Drawn(views.at(0))
    replayed = [captured_step(*each) for each in several]
    found = [
        a_second([lambda: eager.step(views.at(eager.done), labels[eager.done])]),
        a_second(replayed[:1]),
        a_second([captured_step(bare, drawn, labels)]),  # type: ignore[arg-type] # of Views, `at` alone is used
    ]
    for count in IN_FLIGHT:
        for going, *_ in several:
            going.done = 0
        found.append(a_second(replayed[:count]))
    return found


def main() -> None:
    """Measure all cases and write the table."""
    device = prepare_device()
    if device.type != "cuda":
        raise SystemExit("needs a GPU: a CPU makes the same steps one by one")
    rows = []
    for name, px, batch in CASES:
        for loss, fit in LOSSES.items():
            found = measured(fit, name, px, batch, device)
            rows.append([f"{name}, {px} px, {batch} images, {loss}", *(f"{rate:.0f}" for rate in found)])
            print(rows[-1], flush=True)
    header = ["steps a second", "one by one", "replayed", "bare", *(f"{n} fits at once" for n in IN_FLIGHT)]
    (FOLDER / "captured.md").write_text(
        f"# Steps replayed as a CUDA graph\n\n{machine()}. {STEPS} steps after {WARM}, views drawn and augmented but "
        "in the bare step. Made by `python benchmarks/captured.py`. [docs/performance.md](../docs/performance.md) says "
        f"what follows.\n\n{tabulate(rows, header, tablefmt='github')}\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
