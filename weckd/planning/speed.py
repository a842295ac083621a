"""How long the passes of a suite's networks take on this machine, measured with a few of them."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from weckd.config import BackboneSettings, Suite
from weckd.planning.work import total_work
from weckd.training.device import device_kind, prepare_device
from weckd.training.networks import Backbone, build_backbone

MEASURED = 3
"""Passes whose median counts, after one that warms up."""
LONG = 2.0
"""Seconds of a first pass that is not repeated: its warming up is a small part of it."""


@dataclass(frozen=True)
class Speed:
    """Of one backbone with the suite's images and batches."""

    training: float  # seconds of a training pass
    teaching: float  # seconds of a forward pass


def suite_speeds(suite: Suite) -> dict[BackboneSettings, Speed]:
    """Return the speed of every backbone that the suite trains, telling of each on stderr.

    Raises:
        UserError: timm has no such network.
    """
    speeds = {}
    for backbone in total_work(suite).passes:
        print(f"measuring {backbone.name} at {suite.image_size} px", file=sys.stderr, flush=True)
        speeds[backbone] = measure(suite, backbone)
    return speeds


def measure(suite: Suite, backbone: BackboneSettings) -> Speed:
    """Return the seconds of a backbone's passes on this machine's device, with weights at random.

    Raises:
        UserError: timm has no such network.
    """
    device = prepare_device()
    classes = _classes(suite)
    network = Backbone(build_backbone(backbone.fetched or backbone.name, classes)).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), fused=True)
    size = suite.training.batch_size
    images = torch.rand(size, 3, suite.image_size, suite.image_size, device=device)
    labels = torch.arange(size, device=device) % classes

    def train() -> None:
        loss = F.cross_entropy(network(images), labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    def teach() -> None:
        with torch.no_grad():
            network(images)

    return Speed(_seconds(train, device), _seconds(teach, device))


def state_bytes(suite: Suite) -> dict[BackboneSettings, int]:
    """Return the bytes of the weights of every backbone that the suite trains.

    Raises:
        UserError: timm has no such network.
    """
    sizes = {}
    for backbone in total_work(suite).passes:
        with torch.device("meta"):  # shapes alone: nothing is drawn or allocated
            network = build_backbone(backbone.fetched or backbone.name, _classes(suite))
        sizes[backbone] = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    return sizes


def _classes(suite: Suite) -> int:
    return max(len(facts.classes) for facts in suite.facts.values())


def measured_on() -> str:
    """Return the device that is measured."""
    return device_kind(prepare_device())


def _seconds(run: Callable[[], None], device: torch.device) -> float:
    def timed() -> float:
        began = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    first = timed()
    return first if first > LONG else sorted(timed() for _ in range(MEASURED))[MEASURED // 2]
