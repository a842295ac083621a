"""Time and memory of the search for near-duplicates as a data set grows, on one thread.

Thumbnails are drawn by this script (soft shapes; one in ten is a turned copy of another). The goal is 20,000 images in
two minutes.

Run: python benchmarks/duplicates.py (two minutes); it writes benchmarks/duplicates.md.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when NumPy starts

import platform
import resource
import time
from pathlib import Path

import numpy as np
from PIL import Image
from tabulate import tabulate

from weckd.data.duplicates import near_duplicates

SIZES = (2_000, 7_000, 20_000)
THRESHOLD = 0.97


def draw_thumbnails(count: int) -> np.ndarray:
    stream = np.random.default_rng(0)
    coarse = (stream.normal(size=(count, 8, 8)) * 40 + 128).clip(0, 255).astype(np.uint8)
    soft = [np.asarray(Image.fromarray(c).resize((32, 32), Image.Resampling.BICUBIC)) for c in coarse]
    thumbnails = np.stack(soft)
    for number in range(0, count, 10):
        thumbnails[number] = np.rot90(thumbnails[(7 * number + 1) % count])
    return thumbnails


def main() -> None:
    rows = []
    for count in SIZES:
        thumbnails = draw_thumbnails(count)
        start = time.perf_counter()
        found = near_duplicates(thumbnails, THRESHOLD)
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append([f"{count:,}", f"{seconds:.1f}", f"{peak:.0f}", f"{len(found.pairs.rows):,}"])
    table = tabulate(
        rows, headers=["images", "seconds", "peak MB of the process", "pairs found"], tablefmt="pipe"
    )
    text = (
        "# Near-duplicates over the eight flips and rotations\n\n"
        f"All pairs above {THRESHOLD}, and a spanning forest for every threshold from 0.90; one thread of "
        f"{os.cpu_count()} cores ({platform.machine()}), NumPy {np.__version__}, one run a size. Made by "
        f"`python benchmarks/duplicates.py`.\n\n{table}\n"
    )
    print(text)
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
