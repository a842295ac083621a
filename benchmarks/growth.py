"""Seconds and memory as the work grows tenfold: prepare, a training cell, the tables, and planning the workflow.

Each is a process of its own, so that its peak memory is its own; three sizes each, one run a size. Linear or better is
the goal; the start of each process is in its seconds.

Run: python benchmarks/growth.py; it writes benchmarks/growth.md and benchmarks/growth.svg.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from analysis import simulated_run
from PIL import Image
from tabulate import tabulate
from workplace import FOLDER, machine, make_workplace

ROOT = FOLDER.parent
WECKD = [sys.executable, "-m", "weckd"]
Command = tuple[int, list[str]]  # size, and what is run for it


def main() -> None:
    """Measure everything and write table and plot."""
    measurements = {
        "prepare: images": preparing,
        "a training cell: optimiser steps": training,
        "tables: test images a cell": tables,
        "snakemake -n: cells": planning,
    }
    rows = []
    for name, commands in measurements.items():
        with tempfile.TemporaryDirectory() as folder:
            rows += [(name, size, *measured(command)) for size, command in commands(Path(folder))]
        print(*rows[-3:], sep="\n", flush=True)
    frame = pd.DataFrame(rows, columns=["what", "size", "seconds", "peak MB"])
    draw(frame)
    frame["seconds"] = [f"{value:.1f}" for value in frame["seconds"]]
    frame["peak MB"] = [f"{value:.0f}" for value in frame["peak MB"]]
    frame["size"] = [f"{value:,}" for value in frame["size"]]
    text = (
        "# Growth over a tenfold size\n\n"
        f"One process and one run a size, {machine()}. Made by `python benchmarks/growth.py`. "
        "Goal: linear or better.\n\n"
        f"{tabulate(frame, headers='keys', tablefmt='pipe', showindex=False, disable_numparse=True)}\n\n"
        "![Seconds and memory against size](growth.svg)\n"
    )
    (FOLDER / "growth.md").write_text(text, encoding="utf-8")


def preparing(folder: Path) -> Iterator[Command]:
    """Yield `weckd prepare` on photographs of 600 px."""
    draws = np.random.default_rng(1)
    for size in (200, 630, 2000):
        source = folder / f"own {size}"
        for number in range(size):
            file = source / ("a", "b")[number % 2] / f"{number:05d}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            small = draws.integers(0, 255, (30, 30, 3), dtype=np.uint8)
            Image.fromarray(small).resize((600, 600)).save(file, quality=90)
        described = [*WECKD, "datasets", "--describe", str(source)]
        catalogue = folder / f"{size}.yaml"
        entry = subprocess.run(described, check=True, capture_output=True, text=True).stdout
        catalogue.write_text(entry.replace("FILL IN", "unknown"), encoding="utf-8")
        key = entry.split(":", 1)[0]
        command = [
            *WECKD,
            "prepare",
            "--dataset",
            key,
            "--catalogue",
            str(catalogue),
            "--source",
            str(source),
        ]
        yield size, [*command, "--image-size", "64", "--jobs", "1", "--out", str(folder / f"out {size}")]


def training(folder: Path) -> Iterator[Command]:
    """Yield `weckd train` of a chain."""
    for steps in (16, 50, 160):
        place = make_workplace(
            folder / str(steps),
            "phantoms",
            "phantom_ear_chile",
            None,
            methods=["weckd"],
            training={"steps": steps},
        )
        run = str(place.run.folder)
        yield (
            3 * steps,
            [*WECKD, "train", "--run", run, "--dataset", place.dataset, "--seeds", "1"],
        )


def tables(folder: Path) -> Iterator[Command]:
    """Yield `weckd tables` on simulated predictions of five seeds."""
    for images in (100, 316, 1000):
        run = folder / str(images)
        simulated_run(run, 5, images)
        yield images, [*WECKD, "tables", "--run", str(run), "--out", str(folder / f"tables {images}")]


def planning(folder: Path) -> Iterator[Command]:
    """Yield `snakemake -n` for a cell of each data set and seed, a job a cell."""
    for seeds in (10, 32, 100):
        names = ",".join(str(seed) for seed in range(1, seeds + 1))
        changes = ["--config", f"seeds=[{names}]", "seeds_per_job=1"]
        snakemake = [
            sys.executable,
            "-m",
            "snakemake",
            "--snakefile",
            str(ROOT / "Snakefile"),
            "--quiet",
            "all",
        ]
        yield 6 * seeds, [*snakemake, "-n", "--directory", str(folder / str(seeds)), *changes]


# A process inherits the peak of the one that starts it: a small one stands between.
BETWEEN = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
process = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
seconds = time.perf_counter() - began
assert process.returncode == 0, process.stderr
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024]))
"""


def measured(command: list[str]) -> tuple[float, float]:
    """Run a command; return its seconds and its peak memory in MB."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    between = [sys.executable, "-c", BETWEEN, *command]
    output = subprocess.run(between, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    seconds, megabytes = json.loads(output)
    return seconds, megabytes


def draw(frame: pd.DataFrame) -> None:
    """Draw seconds and memory against size, both on logarithmic axes, with a line of slope 1."""
    mpl.rcParams["svg.hashsalt"] = "growth"
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, column in zip(axes, ("seconds", "peak MB"), strict=True):
        for name, group in frame.groupby("what", sort=False):
            axis.loglog(group["size"] / group["size"].iloc[0], group[column], marker="o", label=name)
        low = frame[column].min()
        axis.loglog([1, 10], [low, 10 * low], color="grey", linestyle=":", label="linear")
        axis.set(xlabel="size, times the smallest", ylabel=column)
    axes[0].legend()
    figure.savefig(FOLDER / "growth.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
