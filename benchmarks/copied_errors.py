"""Whether the test of copied errors holds its level: two methods whose models repeat the same share of errors.

Model m with seed s finds of image i the class c most probable for which this is highest, y_i the label:

    (skill + luck_ms) [c = y_i] + difficulty_ic + suits_mic + bias_msc + noise_msic

All effects are normal; images of a group have half of the variance of theirs in common. Difficulty is common to all
models, suits to all seeds of a model. The second model of a link has a part of the first one's noise and bias, which
makes it repeat errors. *one first model*: the link from M1, which the chain has in common with its references.

Run: nice python benchmarks/copied_errors.py (some minutes). It writes benchmarks/copied_errors.md.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when NumPy starts

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from tabulate import tabulate

from weckd.analysis.copied import FEW, copied_share
from weckd.analysis.inference.reader_study import Study, mean_study, p_value, two_way
from weckd.analysis.metrics.scores import weighted_sum
from weckd.seeds import generator

REPETITIONS = 1000
SEEDS = (5, 10)
ALPHA = 0.05
COPIED = 0.5  # share of the variance of noise and bias that the second model has from the first
LARGE = (1,) * 80 + (2,) * 20 + (3,) * 12 + (4,) * 6 + (10,) * 2
SETS = ((LARGE, 4), ((1,) * 56 + (2,) * 2, 4), ((1,) * 42 + (2,) * 3 + (3,), 2))  # group sizes, classes
PROCESSES = 3


@dataclass(frozen=True)
class Models:
    """A method's two models."""

    skill: float
    copied: float = COPIED
    luck: float = 0.2  # variance


SKILLS = (1.5, 2.5, 3.5)
OTHERS = (  # a method, another with the same share of copied errors or so much less
    ("the other makes fewer errors", Models(1.5), Models(3.0), 0.0),
    ("the other is unsteady", Models(2.5, luck=0.02), Models(2.5, luck=0.8), 0.0),
    ("the other repeats 15 points fewer", Models(2.5), Models(2.5), 0.15),
)


def experiment(
    draw: np.random.Generator, world: tuple, k: int, one_first: bool, methods: tuple[Models, ...]
) -> tuple:
    """Return the classes that each method's two models predict, (k, n) each, then labels and groups."""
    sizes, classes = world
    groups = np.repeat(np.arange(len(sizes)), sizes)
    y = draw.integers(0, classes, len(sizes))[groups]

    def effects(variance: float, seeds: int) -> np.ndarray:
        of_groups = draw.standard_normal((seeds, len(sizes), classes), dtype=np.float32)[:, groups]
        of_images = draw.standard_normal((seeds, len(y), classes), dtype=np.float32)
        return np.float32(np.sqrt(variance / 2)) * (of_groups + of_images)

    def noise() -> np.ndarray:
        return effects(1.0, k) + np.float32(np.sqrt(0.2)) * draw.standard_normal(
            (k, 1, classes), dtype=np.float32
        )

    def predicted(models: Models, of_first: np.ndarray) -> np.ndarray:
        skill = np.float32(models.skill) + np.float32(np.sqrt(models.luck)) * draw.standard_normal(
            (k, 1, 1), dtype=np.float32
        )
        return (skill * right + difficulty + effects(0.3, 1) + of_first).argmax(axis=2)

    difficulty, right, found = effects(1.0, 1), np.eye(classes, dtype=np.float32)[y], []
    for models in methods:
        if not (one_first and found):
            shared = noise()
            first = predicted(models, shared)
        second = predicted(
            models,
            np.float32(np.sqrt(models.copied)) * shared + np.float32(np.sqrt(1 - models.copied)) * noise(),
        )
        found.append((first, second))
    return found, y, groups


def difference(found: list, y: np.ndarray, groups: np.ndarray) -> Study | None:
    """Return the test of two methods' shares; nothing where one makes no error."""
    if not all((first != y).any() for first, _ in found):
        return None
    one, other = (copied_share(first, second, y, groups) for first, second in found)
    return two_way(weighted_sum([(1.0, one), (-1.0, other)]))


def share(world: tuple, models: Models, repetitions: int = 500) -> tuple[float, float]:
    """Return a method's share of errors, and of copied ones among them, over many experiments."""
    draw, wrong, same, all_ = generator("share", repr(world), repr(models)), 0, 0, 0
    for _ in range(repetitions):
        [(first, second)], y, _ = experiment(draw, world, 5, False, (models,))
        wrong, same, all_ = (
            wrong + (first != y).sum(),
            same + ((first != y) & (first == second)).sum(),
            all_ + first.size,
        )
    return wrong / all_, same / wrong


def with_share(world: tuple, models: Models, wanted: float) -> Models:
    """Return models that copy so much that such a share of errors is repeated."""
    low, high = 0.0, 1.0
    for _ in range(9):
        models = replace(models, copied=(low + high) / 2)
        low, high = (models.copied, high) if share(world, models)[1] < wanted else (low, models.copied)
    return models


def rate(worlds: list, k: int, one_first: bool, methods: list[tuple[Models, ...]]) -> str:
    """Return in which share of experiments p is below 5 %, on a data set or on the mean over several."""
    draw, found = generator("level", repr(worlds), k, one_first, repr(methods)), []
    for _ in range(REPETITIONS):
        studies = [
            difference(*experiment(draw, *x[:1], k, one_first, x[1]))
            for x in zip(worlds, methods, strict=True)
        ]
        if all(studies):
            found.append(studies[0] if len(studies) == 1 else mean_study(studies))
    return f"{np.mean([p_value(study) < ALPHA for study in found]):.3f}"


def row(where: str, worlds: list, methods: list, links: tuple[bool, ...] = (True, False)) -> list[str]:
    """Return a row of the table: errors a seed and share of copied ones by world, then rates by link and seeds."""
    of = [share(*x) for x in zip(worlds, (first for first, _ in methods), strict=True)]
    errors = ", ".join(f"{wrong * sum(world[0]):.1f}" for (wrong, _), world in zip(of, worlds, strict=True))
    cells = product((True, False), SEEDS)
    rates = [rate(worlds, k, one_first, methods) if one_first in links else "" for one_first, k in cells]
    return [where, errors, ", ".join(f"{same:.2f}" for _, same in of), *rates]


def main() -> None:
    """Simulate and write."""
    start, mean = time.monotonic(), "mean of these three"
    asked: list[tuple] = []
    for world in SETS:
        for skill in SKILLS if world[1] > 2 else (*SKILLS, 5.0):
            asked.append((f"{sum(world[0])} images, {world[1]} classes", [world], [(Models(skill),) * 2]))
    asked += [(mean, [*SETS], [(Models(skill),) * 2] * 3) for skill in SKILLS[1:]]
    with ProcessPoolExecutor(PROCESSES) as pool:
        found = [pool.submit(row, *one) for one in asked]
        for what, one, other, less in OTHERS:
            wanted = [share(world, one)[1] - less for world in SETS]
            others = [*pool.map(with_share, SETS, [other] * 3, wanted)]
            if not less:
                found.append(pool.submit(row, f"51 images, {what}", SETS[2:], [(one, others[2])], (False,)))
            both = [(one, it) for it in others]
            found.append(
                pool.submit(row, f"{mean}, {what}", [*SETS], both, (True, False) if less else (False,))
            )
        rows = [one.result() for one in found]
    columns = [f"{which}, {k} seeds" for which in ("one first model", "own models") for k in SEEDS]
    minutes = (time.monotonic() - start) / 60
    text = f"""# Copied errors

How often the test of copied errors finds a difference where two methods repeat the same share of errors (nominal .05;
in the last row one repeats fewer, and it should be found): {REPETITIONS:,} experiments a cell, so that a rate of .050
has a standard error of .007. Errors are those of the first model a seed. *One first model*: the link from M1, which
the chain has in common with its references.

{tabulate(rows, ["where", "errors", "share", *columns], tablefmt="pipe", disable_numparse=True)}

A data set on which a model makes fewer than {FEW:g} errors a seed is named below the table of a run.

Took {minutes:.0f} minutes in {PROCESSES} processes. Made by `python benchmarks/copied_errors.py`.
"""
    (Path(__file__).parent / "copied_errors.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
