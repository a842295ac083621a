"""Seconds of a whole training job against the bare optimiser steps that it makes, on one resident batch.

A job trains every fit of a cell: it loads the prepared images, builds the networks, draws and augments views, makes the
steps with all terms of the losses, evaluates once and stores weights and predictions, all after its imports. The bare
steps are forward, cross-entropy, backward and optimiser of the same networks, as many of each kind, and a teacher's
forward pass where the fit has teachers. Both are made in turns in one process. The goal is 95 % on a CPU, 85 % on a
GPU.

Run: python benchmarks/efficiency.py [--data-root FOLDER]; it writes benchmarks/efficiency.md.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from tabulate import tabulate
from workplace import FOLDER, Workplace, machine, make_workplace

from weckd.methods.catalogue import suite_methods
from weckd.methods.fits import Fit
from weckd.training.batches import load_prepared, unit_images
from weckd.training.networks import Backbone, Networks, initial_state, prepare_device

CELLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "phantoms": (
        "phantoms",
        "phantom_ear_chile",
        {"methods": ["weckd", "single", "sequential", "pooled", "full-converged"]},
    ),
    "real-small": ("real-small", "ear_chile", {"methods": ["weckd", "single"]}),
    "224 px": ("real-small", "ear_chile", {"methods": ["weckd", "single"], "image_size": 224}),
}


def main() -> None:
    """Measure the cells and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, help="folder of real images; without it, phantoms alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=["phantoms", "real-small"])
    options = parser.parse_args()
    rows = []
    for name in options.cells:
        config, dataset, changes = CELLS[name]
        root = None if dataset.startswith("phantom") else options.data_root
        if root is None and not dataset.startswith("phantom"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            place = make_workplace(Path(folder), config, dataset, root, **changes)
            rows.append({"cell": name, **measured(place, options.rounds)})
            print(rows[-1], flush=True)
    table = tabulate(pd.DataFrame(rows), "keys", "pipe", showindex=False, disable_numparse=True)
    text = (
        f"# A whole training job against its bare steps\n\nMedians of {options.rounds} rounds in turns, one process of "
        f"one thread, {machine()}. Made by `python benchmarks/efficiency.py`. Goal: 95 % on a CPU, 85 % on a "
        f"GPU.\n\n{table}\n"
    )
    (FOLDER / "efficiency.md").write_text(text, encoding="utf-8")


def measured(place: Workplace, rounds: int) -> dict[str, Any]:
    """Return medians over rounds: seconds of the job, of its bare steps, and of the job's phases."""
    device = prepare_device()
    bare = BareSteps(place, device)
    bare.run(5)
    place.train(place.again("warm"))
    times: list[tuple[float, float]] = []
    for number in range(rounds):
        run = place.again(f"round {number}")
        began = time.perf_counter()
        place.train(run)
        whole = time.perf_counter() - began
        began = time.perf_counter()
        bare.run()
        times.append((whole, time.perf_counter() - began))
    records = [json.loads(file.read_text()) for file in run.store.glob("*/*/record.json")]
    phases = pd.DataFrame([record["seconds"] for record in records]).sum()
    return {
        "network": f"{place.suite.backbone.name}, {place.suite.image_size} px",
        "steps": str(sum(record["steps_run"] for record in records)),
        "job, s": f"{median(whole for whole, _ in times):.1f}",
        "bare steps, s": f"{median(steps for _, steps in times):.1f}",
        "efficiency, %": f"{100 * median(steps / whole for whole, steps in times):.1f}",
        **{f"of the job: {phase}, s": f"{seconds:.1f}" for phase, seconds in phases.items()},
    }


class BareSteps:
    """The steps of a cell's fits on one batch, as the plainest loop makes them."""

    def __init__(self, place: Workplace, device: torch.device) -> None:
        """Build the networks and the batch."""
        suite = place.suite
        images = load_prepared(place.dataset, place.prepared, device).images
        classes = len(suite.facts[place.dataset].classes)
        networks = Networks(suite.backbone, classes, suite.image_size, 0.1, device, exchange=False)
        self.fits = tuple(dict.fromkeys(fit for method in suite_methods(suite) for fit in method.fits()))
        state = initial_state(suite.backbone, place.dataset, classes, 1, 1, place.folder)
        self.student = networks.student(self.fits[0], state)
        self.teacher = networks.teachers([self.fits[0]], [state])[0]
        self.batch = unit_images(images[: suite.training.batch_size])
        self.labels = torch.arange(suite.training.batch_size, device=device) % classes

    def run(self, most: int | None = None) -> None:
        """Make the steps of every fit, or at most so many of each."""
        for fit in self.fits:
            self._steps(self.student, fit, min(fit.steps, most or fit.steps))
        if self.batch.is_cuda:
            torch.cuda.synchronize()

    def _steps(self, student: Backbone, fit: Fit, count: int) -> None:
        optimiser = torch.optim.AdamW(student.parameters(), lr=1e-3, fused=True)
        for _ in range(count):
            if fit.teachers:
                with torch.no_grad():
                    self.teacher(self.batch)
            loss = F.cross_entropy(student(self.batch), self.labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


if __name__ == "__main__":
    main()
