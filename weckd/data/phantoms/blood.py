"""Stained blood cells: one cell of a class among red cells on a bright ground."""

from dataclasses import dataclass

import numpy as np

from weckd.data.phantoms.canvas import Canvas, Colour, Frame, Point, varied


@dataclass(frozen=True)
class _Cell:
    """How a class looks; ranges are uniform, in unit coordinates."""

    radius: Point
    plasm: Colour
    nucleus: Colour
    lobes: tuple[int, int]  # number of lobes of the nucleus, at least and at most
    lobe_radius: Point  # in shares of the cell's radius
    spread: float  # of the lobes about the centre, in shares of the cell's radius


CELLS = {
    "basophil": _Cell((0.46, 0.58), (0.8, 0.68, 0.82), (0.42, 0.24, 0.52), (2, 3), (0.38, 0.46), 0.3),
    "eosinophil": _Cell((0.48, 0.62), (0.92, 0.7, 0.66), (0.44, 0.24, 0.54), (2, 2), (0.34, 0.4), 0.46),
    "erythroblast": _Cell((0.32, 0.42), (0.7, 0.62, 0.74), (0.24, 0.1, 0.34), (1, 1), (0.56, 0.66), 0.06),
    "immature_granulocyte": _Cell(
        (0.58, 0.74), (0.76, 0.68, 0.84), (0.54, 0.34, 0.64), (1, 1), (0.6, 0.72), 0.2
    ),
    "lymphocyte": _Cell((0.36, 0.46), (0.64, 0.72, 0.9), (0.34, 0.18, 0.5), (1, 1), (0.78, 0.88), 0.06),
    "monocyte": _Cell((0.6, 0.74), (0.7, 0.71, 0.82), (0.46, 0.3, 0.6), (1, 1), (0.62, 0.7), 0.14),
    "neutrophil": _Cell((0.46, 0.6), (0.9, 0.8, 0.84), (0.42, 0.22, 0.54), (3, 5), (0.26, 0.33), 0.44),
    "platelet": _Cell((0.15, 0.26), (0.74, 0.62, 0.8), (0.58, 0.42, 0.68), (1, 1), (0.35, 0.5), 0.1),
}
GRANULES: dict[str, tuple[Colour, int, int]] = {
    "basophil": ((0.24, 0.12, 0.42), 20, 34),
    "eosinophil": ((0.88, 0.42, 0.34), 22, 36),
    "immature_granulocyte": ((0.62, 0.4, 0.66), 8, 18),
    "neutrophil": ((0.84, 0.7, 0.76), 6, 14),
    "platelet": ((0.56, 0.36, 0.64), 3, 7),
}
"""Colour of a class's granules, and how many there are, at least and at most."""
KIDNEY_SHAPED = "monocyte"
"""Class with a notch in its nucleus."""


def draw_cell(class_key: str, rng: np.random.Generator, frame: Frame, size: int) -> Canvas:
    """Draw one cell of a class of `CELLS`."""
    canvas = Canvas(size, frame.shift)
    canvas.paint(varied((0.95, 0.91, 0.84), rng, 0.025), np.ones_like(canvas.x))
    canvas.shade(1 + 0.03 * canvas.texture(rng, 2.0))
    centre = (rng.uniform(-0.18, 0.18), rng.uniform(-0.18, 0.18))
    _red_cells(canvas, rng, centre)
    _white_cell(canvas, rng, class_key, centre)
    canvas.rgb *= rng.uniform(0.92, 1.04, size=3).astype(np.float32)
    return canvas


def _beside(place: Point, reach: float, angle: float) -> Point:
    return (place[0] + reach * np.cos(angle), place[1] + reach * np.sin(angle))


def _red_cells(canvas: Canvas, rng: np.random.Generator, centre: Point) -> None:
    colour = varied((0.90, 0.70, 0.66), rng, 0.05)
    red, green, blue = (0.5 + 0.5 * channel for channel in colour)
    for _ in range(rng.integers(3, 8)):
        angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.72, 1.25)
        place = _beside(centre, reach, angle)
        radius = rng.uniform(0.24, 0.36)
        radii = (radius, radius * rng.uniform(0.8, 1.0))
        turn = rng.uniform(0, 3)
        canvas.paint(colour, canvas.ellipse(place, radii, turn), 0.85)
        hollow = canvas.ellipse(place, (radii[0] * 0.45, radii[1] * 0.45), turn, 0.15)
        canvas.paint((red, green, blue), hollow, 0.6)


def _white_cell(canvas: Canvas, rng: np.random.Generator, class_key: str, centre: Point) -> None:
    cell = CELLS[class_key]
    radius = 1.15 * rng.uniform(*cell.radius)
    radii = (radius, radius * rng.uniform(0.86, 1.0))
    turn = rng.uniform(0, np.pi)
    outline = 0.05 * canvas.texture(rng, 4.0)
    body = canvas.ellipse(centre, radii, turn, 0.06, outline)
    canvas.paint(varied(cell.plasm, rng, 0.05), body)
    nucleus = varied(cell.nucleus, rng, 0.06)
    count = int(rng.integers(cell.lobes[0], cell.lobes[1] + 1))
    first = rng.uniform(0, 2 * np.pi)
    for lobe in range(count):
        angle = first + 2 * np.pi * lobe / max(count, 2) * rng.uniform(0.7, 1.0)
        place = _beside(centre, cell.spread * radius * rng.uniform(0.8, 1.2), angle)
        wide = radius * rng.uniform(*cell.lobe_radius)
        shape = canvas.ellipse(place, (wide, wide * rng.uniform(0.8, 1.0)), angle, 0.06, outline)
        if class_key == KIDNEY_SHAPED:
            bay = _beside(place, 0.75 * wide, turn)
            shape = shape * (1 - canvas.ellipse(bay, (0.55 * wide, 0.42 * wide), turn, 0.08))
        canvas.paint(nucleus, shape * body, 0.95)
    canvas.shade(1 + 0.06 * canvas.texture(rng, 8.0) * body)
    if class_key in GRANULES:
        colour, least, most = GRANULES[class_key]
        for _ in range(rng.integers(least, most + 1)):
            angle, reach = rng.uniform(0, 2 * np.pi), radius * float(np.sqrt(rng.uniform(0, 0.8)))
            dot = canvas.ellipse(_beside(centre, reach, angle), (0.045, 0.045), softness=0.05)
            canvas.paint(varied(colour, rng, 0.04), dot * body, 0.85)
