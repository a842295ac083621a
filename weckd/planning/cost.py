"""What a suite will cost, as a person reads it: hours, by passes of its networks measured here, and bytes of disk."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from weckd.config import BackboneSettings, Suite
from weckd.data.catalogue import suite_datasets
from weckd.data.phantoms import IMAGES
from weckd.errors import counted
from weckd.fitted import fitted_table, fitted_text
from weckd.frozen_cells import frozen_places
from weckd.planning.first_second import Work, cell_work, total_tuning, total_work
from weckd.run_files import RunFiles
from weckd.training.layers import exchange_layers
from weckd.training.limits import deterministic
from weckd.training.networks import Backbone, build_backbone, prepare_device

MEASURED = 3
"""Passes whose median counts, after one that warms up."""
LONG = 2.0
"""Seconds of a first pass that is not repeated: its warming up is a small part of it."""
BESIDE = 1.1
"""A job's time over that of its passes: losses, augmentation, evaluation, storing (see benchmarks/efficiency.md)."""


@dataclass(frozen=True)
class CardRate:
    """Optimiser steps a second of whole runs, start-up of jobs included, that were measured on a card."""

    backbone: str
    image_size: int
    batch_size: int
    steps: int
    card: str


CARD_RATES = (
    CardRate("tf_efficientnet_lite0", 128, 16, 314, "one NVIDIA H200, sixteen jobs at once"),
    CardRate("tf_efficientnet_lite0", 64, 16, 409, "one NVIDIA H200, sixteen jobs at once"),
)
"""What docs/performance.md tells of."""
_PIXEL_BYTES = 3
_OTHER_BYTES_OF_A_FIT = 50_000
"""Logits, history, record and share of the predictions, a fit; rounded up from the demo suite's."""


@dataclass(frozen=True)
class Speed:
    """Of one backbone with the suite's images and batches."""

    training: float  # seconds of a training pass
    teaching: float  # seconds of a forward pass


Speeds = Mapping[BackboneSettings, Speed]
Sizes = Mapping[BackboneSettings, int]
"""Bytes of a backbone's weights."""


def plan_page(suite: Suite, speeds: Speeds, sizes: Sizes, device: str, width: int | None = None) -> str:
    """Return fits, steps, hours and disk of a suite, by the speeds of its backbones on a device and their bytes.

    `width` is as in `fitted_table`.
    """
    cells = len(suite.datasets) * len(suite.seeds)
    search = "search for settings" + ("" if suite.tuned else " (if asked for)")
    work = {
        "a cell (one data set, one seed)": cell_work(suite),
        f"all {cells} cells" if cells > 1 else "the only cell": total_work(suite),
        search: total_tuning(suite),
    }
    rows = [_row(name, each, speeds, sizes) for name, each in work.items()]
    headers = ["work", "fits", "steps", "device-hours", "kept, GB"]
    table = fitted_table(rows, headers, width, headers[:1], right=headers[1:])
    networks = "\n".join(
        f"  {backbone.name}: a training pass {1000 * speed.training:,.1f} ms, "
        f"a teacher's {1000 * speed.teaching:,.1f} ms"
        for backbone, speed in speeds.items()
    )
    head = (
        f"suite {suite.run}: {counted(len(suite.datasets), 'data set')} x {counted(len(suite.seeds), 'seed')}, "
        f"{counted(len(suite.methods), 'method')}, "
        f"{suite.image_size} px, batches of {suite.training.batch_size}"
    )
    told = (
        "steps: of the optimiser. kept: the weights that stay on disk.\n"
        f"Estimated from passes measured here, on {device}, with {100 * (BESIDE - 1):.0f} % for the rest of a job:\n"
        f"{networks}\n"
        "One job uses one GPU, or one core; hours on another device are others: run this there. Fits that are "
        f"stored already are not trained again, and not subtracted here{_frozen(suite)}.\n"
        f"{'' if device.startswith('cuda') else card_hours(suite)}"
        f"Disk: about {disk_bytes(suite, sizes) / 1e9:,.1f} GB in results/, and the downloads in data/."
    )
    return f"{fitted_text(head, width)}\n\n{table}\n\n{fitted_text(told, width)}"


def card_hours(suite: Suite) -> str:
    """Return a line on the hours of all cells on a card, where what was measured on one is of the suite's networks."""
    work, size, batch = total_work(suite), suite.image_size, suite.training.batch_size
    found = [rate for rate in CARD_RATES if (rate.image_size, rate.batch_size) == (size, batch)]
    lacking = sorted({backbone.name for backbone in work.passes} - {rate.backbone for rate in found})
    if lacking:
        there = "; ".join(
            f"{e.backbone} at {e.image_size} px in batches of {e.batch_size}" for e in CARD_RATES
        )
        return (
            f"On a card: not known. No measurement is committed of {', '.join(lacking)} at {size} px in batches of "
            f"{batch}; those there are (docs/performance.md): {there}.\n"
        )
    hours = work.steps / found[0].steps / 3600
    return (
        f"On a card: {hours:,.2f} hours for all cells, not measured here but by {found[0].steps} steps a second that "
        f"docs/performance.md tells of ({found[0].card}).\n"
    )


def _frozen(suite: Suite) -> str:
    """Return in words how many of a run's cells are frozen where it would be trained; "" for none."""
    frozen = len(frozen_places(suite, RunFiles(Path("results", suite.run))))
    return (
        f"; nor are the {counted(frozen, 'cell')} that are frozen in results/reference/{suite.run}"
        if frozen
        else ""
    )


def disk_bytes(suite: Suite, sizes: Sizes) -> int:
    """Return about how many bytes a run writes into results/: prepared images, weights, predictions."""
    images = sum(  # that are drawn, or that the catalogue counts; classes without a count weigh nothing
        IMAGES if dataset.phantom else sum(entry.count or 0 for entry in dataset.classes)
        for dataset in suite_datasets(suite).values()
    )
    work, image = total_work(suite), suite.image_size**2 * _PIXEL_BYTES
    return images * image + _kept_bytes(work, sizes) + work.fits * _OTHER_BYTES_OF_A_FIT


def _row(name: str, work: Work, speeds: Speeds, sizes: Sizes) -> list[str]:
    hours, kept = seconds(work, speeds) / 3600, _kept_bytes(work, sizes) / 1e9
    return [name, f"{work.fits:,}", f"{work.steps:,}", f"{hours:,.2f}", f"{kept:,.2f}"]


def seconds(work: Work, speeds: Speeds) -> float:
    """Return the seconds that some work takes one device."""
    passes = (
        each.training * speeds[backbone].training + each.teaching * speeds[backbone].teaching
        for backbone, each in work.passes.items()
    )
    return BESIDE * sum(passes)


def _kept_bytes(work: Work, sizes: Sizes) -> int:
    return sum(count * sizes[backbone] for backbone, count in work.kept.items())


def suite_speeds(suite: Suite) -> dict[BackboneSettings, Speed]:
    """Return the speed of every backbone that the suite trains, telling of each on stderr.

    Raises:
        UserError: see `_measured`.
    """
    speeds = {}
    for backbone in total_work(suite).passes:
        print(f"measuring {backbone.name} at {suite.image_size} px", file=sys.stderr, flush=True)
        speeds[backbone] = _measured(suite, backbone)
    return speeds


def _measured(suite: Suite, backbone: BackboneSettings) -> Speed:
    """Return the seconds of a backbone's passes on this machine's device, with weights at random.

    Raises:
        UserError: timm has no such network, or it cannot be trained on this device.
    """
    device = prepare_device()
    classes = _classes(suite)
    plain = build_backbone(backbone.fetched or backbone.name, classes)
    if suite.training.exchange_layers and device.type == "cpu":
        exchange_layers(plain)
    network = Backbone(plain).to(device)
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

    with deterministic(backbone, suite.image_size):
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


def _seconds(run: Callable[[], None], device: torch.device) -> float:
    """Return a GPU's seconds, or those of the one core that a job has, whatever else the machine does meanwhile."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time

    def timed() -> float:
        began = clock()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return clock() - began

    first = timed()
    return first if first > LONG else sorted(timed() for _ in range(MEASURED))[MEASURED // 2]
