"""Stained blood cells: one cell of a class among red cells on a bright ground."""

from dataclasses import dataclass

import numpy as np

from weckd.data.phantoms.canvas import Canvas, Colour, blank, ellipse, texture, varied
from weckd.data.phantoms.frame import Frame


@dataclass(frozen=True)
class _Cell:
    """How a class looks; ranges are uniform, in unit coordinates."""

    radius: tuple[float, float]
    plasm: Colour
    nucleus: Colour
    lobes: tuple[int, int]  # number of lobes of the nucleus, at least and at most
    lobe_radius: tuple[float, float]  # in shares of the cell's radius
    spread: float  # of the lobes about the centre, in shares of the cell's radius
    granules: Colour | None = None
    granule_count: tuple[int, int] = (0, 0)
    notch: bool = False  # a kidney-shaped nucleus


CELLS = {
    "basophil": _Cell(
        (0.46, 0.58),
        (0.80, 0.68, 0.82),
        (0.42, 0.24, 0.52),
        (2, 3),
        (0.38, 0.46),
        0.30,
        (0.24, 0.12, 0.42),
        (20, 34),
    ),
    "eosinophil": _Cell(
        (0.48, 0.62),
        (0.92, 0.70, 0.66),
        (0.44, 0.24, 0.54),
        (2, 2),
        (0.34, 0.40),
        0.46,
        (0.88, 0.42, 0.34),
        (22, 36),
    ),
    "erythroblast": _Cell((0.32, 0.42), (0.70, 0.62, 0.74), (0.24, 0.10, 0.34), (1, 1), (0.56, 0.66), 0.06),
    "immature_granulocyte": _Cell(
        (0.58, 0.74),
        (0.76, 0.68, 0.84),
        (0.54, 0.34, 0.64),
        (1, 1),
        (0.60, 0.72),
        0.20,
        (0.62, 0.40, 0.66),
        (8, 18),
    ),
    "lymphocyte": _Cell((0.36, 0.46), (0.64, 0.72, 0.90), (0.34, 0.18, 0.50), (1, 1), (0.78, 0.88), 0.06),
    "monocyte": _Cell(
        (0.60, 0.74), (0.70, 0.71, 0.82), (0.46, 0.30, 0.60), (1, 1), (0.62, 0.70), 0.14, notch=True
    ),
    "neutrophil": _Cell(
        (0.46, 0.60),
        (0.90, 0.80, 0.84),
        (0.42, 0.22, 0.54),
        (3, 5),
        (0.26, 0.33),
        0.44,
        (0.84, 0.70, 0.76),
        (6, 14),
    ),
    "platelet": _Cell(
        (0.15, 0.26),
        (0.74, 0.62, 0.80),
        (0.58, 0.42, 0.68),
        (1, 1),
        (0.35, 0.50),
        0.10,
        (0.56, 0.36, 0.64),
        (3, 7),
    ),
}


def draw_cell(class_key: str, generator: np.random.Generator, frame: Frame, size: int) -> Canvas:
    """Draw one cell of a class of `CELLS`."""
    canvas = blank(size, frame.shift)
    ground = varied((0.95, 0.91, 0.84), generator, 0.025)
    canvas.paint(ground, np.ones_like(canvas.x))
    canvas.shade(1 + 0.03 * texture(canvas, generator, 2.0))
    centre = (float(generator.uniform(-0.18, 0.18)), float(generator.uniform(-0.18, 0.18)))
    _red_cells(canvas, generator, centre)
    _white_cell(canvas, generator, CELLS[class_key], centre)
    canvas.rgb *= generator.uniform(0.92, 1.04, size=3).astype(np.float32)
    return canvas


def _red_cells(canvas: Canvas, generator: np.random.Generator, centre: tuple[float, float]) -> None:
    colour = varied((0.90, 0.70, 0.66), generator, 0.05)
    pale = tuple(0.5 + 0.5 * channel for channel in colour)
    for _ in range(int(generator.integers(3, 8))):
        angle, reach = float(generator.uniform(0, 2 * np.pi)), float(generator.uniform(0.72, 1.25))
        place = (centre[0] + reach * np.cos(angle), centre[1] + reach * np.sin(angle))
        radius = float(generator.uniform(0.24, 0.36))
        radii = (radius, radius * float(generator.uniform(0.8, 1.0)))
        turn = float(generator.uniform(0, 3))
        canvas.paint(colour, ellipse(canvas, place, radii, turn), 0.85)
        hollow = ellipse(canvas, place, (radii[0] * 0.45, radii[1] * 0.45), turn, 0.15)
        canvas.paint((pale[0], pale[1], pale[2]), hollow, 0.6)


def _white_cell(
    canvas: Canvas, generator: np.random.Generator, cell: _Cell, centre: tuple[float, float]
) -> None:
    radius = 1.15 * float(generator.uniform(*cell.radius))
    radii = (radius, radius * float(generator.uniform(0.86, 1.0)))
    turn = float(generator.uniform(0, np.pi))
    outline = 0.05 * texture(canvas, generator, 4.0)
    body = ellipse(canvas, centre, radii, turn, 0.06, outline)
    canvas.paint(varied(cell.plasm, generator, 0.05), body)
    nucleus = varied(cell.nucleus, generator, 0.06)
    count = int(generator.integers(cell.lobes[0], cell.lobes[1] + 1))
    first = float(generator.uniform(0, 2 * np.pi))
    for lobe in range(count):
        angle = first + 2 * np.pi * lobe / max(count, 2) * float(generator.uniform(0.7, 1.0))
        reach = cell.spread * radius * float(generator.uniform(0.8, 1.2))
        place = (centre[0] + reach * np.cos(angle), centre[1] + reach * np.sin(angle))
        lobe_radius = radius * float(generator.uniform(*cell.lobe_radius))
        shape = ellipse(
            canvas,
            place,
            (lobe_radius, lobe_radius * float(generator.uniform(0.8, 1.0))),
            angle,
            0.06,
            outline,
        )
        if cell.notch:
            bay = (place[0] + 0.75 * lobe_radius * np.cos(turn), place[1] + 0.75 * lobe_radius * np.sin(turn))
            shape = shape * (1 - ellipse(canvas, bay, (0.55 * lobe_radius, 0.42 * lobe_radius), turn, 0.08))
        canvas.paint(nucleus, shape * body, 0.95)
    canvas.shade(1 + 0.06 * texture(canvas, generator, 8.0) * body)
    if cell.granules is not None:
        for _ in range(int(generator.integers(cell.granule_count[0], cell.granule_count[1] + 1))):
            angle, reach = (
                float(generator.uniform(0, 2 * np.pi)),
                radius * float(np.sqrt(generator.uniform(0, 0.8))),
            )
            place = (centre[0] + reach * np.cos(angle), centre[1] + reach * np.sin(angle))
            dot = ellipse(canvas, place, (0.045, 0.045), softness=0.05)
            canvas.paint(varied(cell.granules, generator, 0.04), dot * body, 0.85)
