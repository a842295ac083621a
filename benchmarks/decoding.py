"""Images a second from JPEG files to the array: `weckd prepare` against a plain Pillow loop, side by side in one run.

Both are given the same photographs drawn by this script (soft shapes and grain, quality 90) and one thread. The plain
loop opens, converts to RGB and resizes; `prepare` also makes the thumbnail, two hashes and the index. The two take
turns, and the ratio of each turn is its own measurement.

Run: python benchmarks/decoding.py (half a minute); it writes benchmarks/decoding.md.
"""

import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, features
from tabulate import tabulate

from weckd.data.catalogue import ClassEntry, Dataset, SourceFolder
from weckd.data.prepare import Origin, prepare

IMAGES, TURNS = 24, 5
SIZES = [(2048, 1536), (4000, 3000)]
TARGETS = [64, 224]
CLASSES = ("a", "b")


def draw_photographs(folder: Path, width: int, height: int) -> None:
    stream = np.random.default_rng(0)
    for number in range(IMAGES):
        coarse = stream.integers(0, 256, (height // 40, width // 40, 3), dtype=np.uint8)
        soft = np.asarray(
            Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), dtype=float
        )
        grain = stream.normal(0, 4, (height, width, 1))
        place = folder / CLASSES[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray((soft + grain).clip(0, 255).astype(np.uint8)).save(
            place / f"{number}.jpg", quality=90
        )


def plain_seconds(folder: Path, size: int) -> float:
    start = time.perf_counter()
    for file in sorted(folder.rglob("*.jpg")):
        np.asarray(Image.open(file).convert("RGB").resize((size, size), Image.Resampling.BICUBIC))
    return time.perf_counter() - start


def prepare_seconds(dataset: Dataset, folder: Path, size: int, out: Path) -> float:
    start = time.perf_counter()
    prepare(dataset, Origin(folder, {}), size, out)
    return time.perf_counter() - start


def main() -> None:
    dataset = Dataset(
        key="photographs",
        title="Photographs",
        modality="other",
        layout="class-folders",
        groups="near-duplicates",
        classes=tuple(ClassEntry(key, key, key) for key in CLASSES),
        folders=(SourceFolder(".", ""),),
    )
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        for width, height in SIZES:
            folder = Path(temporary, f"{width}")
            draw_photographs(folder, width, height)
            for target in TARGETS:
                out = Path(temporary, "out")
                turns = [
                    (plain_seconds(folder, target), prepare_seconds(dataset, folder, target, out))
                    for _ in range(TURNS)
                ]
                ratios = [plain / ours for plain, ours in turns]
                rows.append(
                    [
                        f"{width}x{height}",
                        target,
                        *(f"{IMAGES / statistics.median(column):.0f}" for column in zip(*turns, strict=True)),
                        f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})",
                    ]
                )
    headers = ["JPEG", "pixels a side", "plain loop, images/s", "prepare, images/s", "ratio, median (range)"]
    table = tabulate(rows, headers=headers, tablefmt="pipe", disable_numparse=True)
    turbo = f"libjpeg-turbo {features.version_feature('libjpeg_turbo')}"
    text = (
        "# Decoding large JPEGs\n\n"
        f"{IMAGES} photographs a size, {TURNS} turns, one thread of {os.cpu_count()} cores ({platform.machine()}); "
        f"Pillow {PIL.__version__}, {turbo}. Made by `python benchmarks/decoding.py`.\n\n"
        f"{table}\n"
    )
    print(text)
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
