"""What the search for suspected variants finds and misses: variants planted among real images, and time.

A hundred images of each set get three variants each, as augmented sets have them: any turn, mirrored or not, zoomed by
0.9 to 1.3, shifted by up to a tenth, a little brighter or darker, and beyond the photograph black, its edge or its
mirror image. All are then squeezed to squares of 64 pixels, as `weckd prepare` does.

Run: python benchmarks/variants.py FOLDER (ten minutes); FOLDER/<key>/ holds a data set's images, and a labels.csv with
the columns image and patient where patients are known. It writes benchmarks/variants.md.
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
from weckd.data.variants import suspected_variants

KEYS = ("ear_chile", "brain_cheng", "blood_bccd", "wbc_zheng", "brain_yesno")
SIDE, SOURCES, VARIANTS, MANY = 64, 100, 3, 20_000


def read(folder: Path) -> tuple[list[Image.Image], list[str]]:
    """Return a set's images, of at most 400 pixels a side, and the patient, or else the name, of each."""
    files = sorted(
        file for file in folder.rglob("*") if file.suffix.lower() in {".jpg", ".jpeg", ".png", ".bmp"}
    )
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


def search(images: list[Image.Image], patients: list[str]) -> tuple[np.ndarray, np.ndarray, float]:
    """Return what is kept together, the pairs that are suspected besides, and the seconds that these took."""
    squares = [np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for image in images]
    grey = [np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BOX)) for image in images]
    first = {patient: row for row, patient in reversed(list(enumerate(patients)))}
    of_patient = [(row, first[patient]) for row, patient in enumerate(patients)]
    copies = near_duplicates(np.stack(grey), 0.97).pairs.rows
    kept = components(len(images), np.vstack([copies, of_patient]))
    shapes = np.array([image.size for image in images], dtype=np.float64)
    start = time.process_time()
    found = suspected_variants(np.stack(squares), shapes, kept)
    return kept, found.rows, time.process_time() - start


def measure(key: str, images: list[Image.Image], patients: list[str]) -> list[str]:
    """Return one row of the table."""
    stream, count = np.random.default_rng(1), len(images)
    sources = np.repeat(stream.choice(count, min(SOURCES, count // 2), replace=False), VARIANTS)
    planted = [vary(images[source], stream) for source in sources]
    names = [f"planted {number}" for number in range(len(planted))]
    kept, rows, _ = search(images + planted, patients + names)
    known = np.concatenate([kept[:count], kept[sources]])  # what an image's source is kept together with
    right = known[rows[:, 0]] == known[rows[:, 1]]
    joined = components(len(kept), kept[rows[right]])[kept]
    untouched = rows.max(axis=1) < count
    return [
        key,
        f"{count:,}",
        f"{np.mean(joined[count:] == joined[sources]):.0%} of {len(planted)}",
        f"{right[~untouched].mean():.1%} of {(~untouched).sum():,}",
        f"{untouched.sum()} ({len(np.unique(rows[untouched]))} images)",
    ]


def augmented(images: list[Image.Image]) -> str:
    """Return what is found in a set that was made of few images of another, as public augmented sets are."""
    stream = np.random.default_rng(5)
    of = np.repeat(stream.choice(len(images), 50, replace=False), 14)
    kept, rows, _ = search([vary(images[source], stream) for source in of], [str(n) for n in range(len(of))])
    sources = components(kept.max() + 1, kept[rows]).max() + 1
    right = np.mean(of[rows[:, 0]] == of[rows[:, 1]])
    return (
        f"{len(of)} variants of 50 images of blood_bccd are {kept.max() + 1} groups of near-duplicates; {len(rows):,} "
        f"suspected pairs, {right:.1%} of them right, point to {sources} sources."
    )


def seconds_of_many(images: list[Image.Image]) -> float:
    """Return the seconds of one core for many images: these, and variants of them."""
    stream = np.random.default_rng(2)
    images = [image.resize((SIDE, SIDE)) for image in images]
    images += [
        vary(images[source], stream) for source in stream.integers(len(images), size=MANY - len(images))
    ]
    return search(images, [str(number) for number in range(MANY)])[2]


def page(rows: list[list[str]], of_few: str, seconds: float) -> str:
    """Return benchmarks/variants.md."""
    heads = ["data set", "images", "recall", "precision", "pairs of untouched images"]
    table = tabulate(rows, headers=heads, tablefmt="pipe", disable_numparse=True)
    return (
        "# Suspected variants\n\n"
        f"Among the images of each set {SOURCES} got {VARIANTS} planted variants each: any turn, mirrored or not, "
        "zoomed by 0.9 to 1.3, shifted by up to a tenth, a little brighter or darker. Recall: planted images that "
        "the search, or that for near-duplicates, joins with their source. Precision: pairs with a planted image "
        "whose sources are one, of one patient, or near-duplicates; the rest are other images of one scene, as far "
        "as they were looked at. The last column has pairs of different groups among the images as they came: twelve "
        "of each set at most were looked at, and were pictures of one scene, such as frames of a video and slices of "
        f"one head; those of brain_cheng carry different patients.\n\n{table}\n\n{of_few}\n\n"
        f"{MANY:,} images, these and variants of them, took {seconds:.0f} seconds of one core "
        f"({platform.machine()}, NumPy {np.__version__}). Made by `python benchmarks/variants.py`.\n"
    )


def main() -> None:
    rows, everything, of_few = [], [], ""
    for key in KEYS:
        images, patients = read(Path(sys.argv[1]) / key)
        rows.append(measure(key, images, patients))
        everything += images
        of_few = augmented(images) if key == "blood_bccd" else of_few
        print(rows[-1], flush=True)
    text = page(rows, of_few, seconds_of_many(everything))
    print(text)
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
