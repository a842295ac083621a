"""The plan as a person reads it, and the bytes that a run writes."""

from collections.abc import Mapping
from pathlib import Path

from tabulate import tabulate

from weckd.config import BackboneSettings, Suite
from weckd.data.catalogue import Dataset, find_dataset
from weckd.data.phantoms import IMAGES
from weckd.errors import counted
from weckd.planning.speed import Speed
from weckd.planning.work import Work, cell_work, total_tuning, total_work

Speeds = Mapping[BackboneSettings, Speed]
Sizes = Mapping[BackboneSettings, int]
BESIDE = 1.1
"""A job's time over that of its passes: losses, augmentation, evaluation, storing (see benchmarks/efficiency.md)."""
_PIXEL_BYTES = 3
_OTHER_BYTES_OF_A_FIT = 50_000
"""Logits, history, record and share of the predictions, a fit; rounded up from the demo suite's."""


def plan_page(suite: Suite, speeds: Speeds, sizes: Sizes, device: str) -> str:
    """Return fits, steps, hours and disk of a suite.

    Args:
        suite: settings of the run.
        speeds: of every backbone of it.
        sizes: bytes of every backbone's weights.
        device: that they were measured on.
    """
    cells = len(suite.datasets) * len(suite.seeds)
    search = "the search for settings" + ("" if suite.tuned else ", where asked for")
    work = {
        "a cell (one data set, one seed)": cell_work(suite),
        f"all {cells} cells": total_work(suite),
        search: total_tuning(suite),
    }
    table = tabulate(
        [_row(name, each, speeds, sizes) for name, each in work.items()],
        headers=["", "fits", "optimiser steps", "device-hours", "kept weights, GB"],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=("left", *["right"] * 4),
    )
    networks = "\n".join(
        f"  {backbone.name}: a training pass {1000 * speed.training:,.1f} ms, "
        f"a teacher's {1000 * speed.teaching:,.1f} ms"
        for backbone, speed in speeds.items()
    )
    return (
        f"suite {suite.run}: {counted(len(suite.datasets), 'data set')} x {counted(len(suite.seeds), 'seed')}, "
        f"{counted(len(suite.methods), 'method')}, "
        f"{suite.image_size} px, batches of {suite.training.batch_size}\n\n{table}\n\n"
        f"Estimated from passes measured here, on {device}, with {100 * (BESIDE - 1):.0f} % for the rest of a job:\n"
        f"{networks}\n"
        "One job uses one GPU, or one core; hours on another device are others: run this there. Fits that are "
        "stored already\nare not trained again, and not subtracted here.\n"
        f"Disk: about {disk_bytes(suite, sizes) / 1e9:,.1f} GB in results/, and the downloads in data/."
    )


def disk_bytes(suite: Suite, sizes: Sizes) -> int:
    """Return about how many bytes a run writes into results/: prepared images, weights, predictions."""
    catalogue = Path(suite.catalogue) if suite.catalogue else None
    images = sum(_images(find_dataset(key, catalogue)) for key in suite.datasets)
    work = total_work(suite)
    pixels = images * suite.image_size**2 * _PIXEL_BYTES
    return pixels + _kept_bytes(work, sizes) + work.fits * _OTHER_BYTES_OF_A_FIT


def _images(dataset: Dataset) -> int:
    """Return the images that are drawn, or that the catalogue counts; classes without a count weigh nothing."""
    if dataset.phantom:
        return IMAGES
    return sum(entry.count or 0 for entry in dataset.classes)


def _row(name: str, work: Work, speeds: Speeds, sizes: Sizes) -> list[str]:
    hours = seconds(work, speeds) / 3600
    return [
        name,
        f"{work.fits:,}",
        f"{work.steps:,}",
        f"{hours:,.2f}",
        f"{_kept_bytes(work, sizes) / 1e9:,.2f}",
    ]


def seconds(work: Work, speeds: Speeds) -> float:
    """Return the seconds that some work takes one device."""
    passes = (
        each.training * speeds[backbone].training + each.teaching * speeds[backbone].teaching
        for backbone, each in work.passes.items()
    )
    return BESIDE * sum(passes)


def _kept_bytes(work: Work, sizes: Sizes) -> int:
    return sum(count * sizes[backbone] for backbone, count in work.kept.items())
