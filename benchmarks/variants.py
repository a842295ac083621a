"""What the search for suspected variants finds and misses: variants planted among real images, and time.

A hundred images of each set get three variants each, as augmented sets have them: any turn, mirrored or not, zoomed by
0.9 to 1.3, shifted by up to a tenth, a little brighter or darker, and beyond the photograph black, its edge or its
mirror image. Sources keep their own proportions; all images are then 64 pixels a side, as `weckd prepare` would make them.

Run: python benchmarks/variants.py FOLDER (a quarter of an hour); FOLDER/<key>/ holds a data set's images, and a
labels.csv with the columns image and patient where patients are known. It writes benchmarks/variants.md.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when NumPy starts

import csv
import platform
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import affine_transform
from tabulate import tabulate

from weckd.data.decode import decode_image
from weckd.data.duplicates import components, near_duplicates
from weckd.data.variants import THRESHOLD, suspected_variants

KEYS = ("ear_chile", "brain_cheng", "blood_bccd", "wbc_zheng", "brain_yesno")
SIDE, SOURCES, VARIANTS, MANY = 64, 100, 3, 20_000


def read(folder: Path) -> tuple[list[Image.Image], list[str]]:
    """Return a set's images, none larger than 400 pixels, and their patients; an image's own name where none are known."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in {".jpg", ".jpeg", ".png", ".bmp"})
    images = [decode_image(file).image for file in files]
    for image in images:
        image.thumbnail((400, 400))
    table = folder / "labels.csv"
    rows = csv.DictReader(table.read_text().splitlines()) if table.exists() else ()
    patients = {Path(row["image"]).stem: row["patient"] for row in rows}
    return images, [patients.get(file.stem, str(file)) for file in files]


def vary(image: Image.Image, stream: np.random.Generator) -> Image.Image:
    """Return one variant."""
    pixels = np.asarray(image).astype(np.float32)
    size = np.array(pixels.shape[:2])
    turn, zoom = stream.uniform(0, 2 * np.pi), stream.uniform(0.9, 1.3)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / zoom
    matrix = matrix @ np.diag([1, stream.choice([1, -1])])
    middle = (size - 1) / 2
    offset = middle + stream.uniform(-0.1, 0.1, 2) * size - matrix @ middle
    border = stream.choice(["constant", "nearest", "reflect"])
    layers = [affine_transform(pixels[..., c], matrix, offset, order=1, mode=border) for c in range(3)]
    brighter = np.stack(layers, axis=2) * stream.uniform(0.9, 1.1) + stream.uniform(-10, 10)
    return Image.fromarray(np.clip(brighter, 0, 255).astype(np.uint8))


def search(images: list[Image.Image], patients: list[str]):
    """Return what is kept together, the pairs that are suspected besides, and the seconds that these took."""
    small = [[i.resize((SIDE, SIDE), Image.Resampling.BICUBIC), i.convert("L").resize((32, 32), Image.Resampling.BOX)] for i in images]
    arrays, thumbnails = (np.stack([np.asarray(pair[n]) for pair in small]) for n in (0, 1))
    copies = near_duplicates(thumbnails, 0.97).pairs.rows
    first = {patient: row for row, patient in reversed(list(enumerate(patients)))}
    of_patient = np.array([(row, first[patient]) for row, patient in enumerate(patients)])
    kept = components(len(images), np.vstack([copies, of_patient]))
    start = time.process_time()
    found = suspected_variants(arrays, np.array([image.size for image in images], dtype=np.float64), kept)
    return kept, found.rows, time.process_time() - start


def measure(key: str, images: list[Image.Image], patients: list[str]) -> list[str]:
    """Return one row of the table."""
    stream = np.random.default_rng(1)
    sources = np.repeat(stream.choice(len(images), min(SOURCES, len(images) // 2), replace=False), VARIANTS)
    planted = [vary(images[source], stream) for source in sources]
    names = [f"planted {number}" for number in range(len(planted))]
    kept, rows, seconds = search(images + planted, patients + names)
    of = np.concatenate([np.arange(len(images)), sources])
    known = kept[of]  # what the source is kept together with
    with_planted = rows.max(axis=1) >= len(images)
    right = known[rows[:, 0]] == known[rows[:, 1]]
    joined = components(len(of), np.vstack([rows[right], np.column_stack([np.arange(len(of)), [np.flatnonzero(kept == k)[0] for k in kept]])]))
    linked = joined[len(images) :] == joined[sources]
    untouched = rows[~with_planted]
    return [
        key,
        len(images),
        len(planted),
        f"{linked.mean():.0%}",
        int(with_planted.sum()),
        f"{right[with_planted].mean():.1%}",
        len(untouched),
        len(np.unique(untouched)),
        f"{1000 * seconds / len(of):.1f}",
    ]


def main() -> None:
    folder = Path(sys.argv[1])
    rows, sets = [], {}
    for key in KEYS:
        sets[key] = read(folder / key)
        rows.append(measure(key, *sets[key]))
        print(rows[-1], flush=True)


if __name__ == "__main__":
    main()
