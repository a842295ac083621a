"""Drawing in unit coordinates: x to the right and y down, both from -1 to 1, on twice as many pixels as asked."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating[Any]]  # (n, n)
Colour = tuple[float, float, float]  # red, green, blue in [0, 1]

OVERSAMPLING = 2


@dataclass
class Canvas:
    """An RGB image under way, float32 (n, n, 3) in [0, 1], and its coordinates."""

    x: Plane
    y: Plane
    rgb: NDArray[np.float32]

    def paint(self, colour: Colour, mask: Plane, opacity: float = 1.0) -> None:
        """Blend a colour in where the mask (0 .. 1) says."""
        weight = (float(opacity) * mask)[..., None]
        self.rgb += weight * (np.asarray(colour, dtype=np.float32) - self.rgb)

    def shade(self, factor: Plane) -> None:
        """Multiply all channels."""
        self.rgb *= factor[..., None]


def blank(size: int, shift: tuple[float, float]) -> Canvas:
    """Return a black canvas for an image of `size` pixels; `shift` moves all that is drawn on it."""
    count = OVERSAMPLING * size
    axis = (2 * (np.arange(count, dtype=np.float32) + 0.5) / count - 1).astype(np.float32)
    x, y = np.meshgrid(axis - np.float32(shift[0]), axis - np.float32(shift[1]))
    return Canvas(x, y, np.zeros((count, count, 3), dtype=np.float32))


def finish(canvas: Canvas, noise: float, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Average down to the size asked for, add sensor noise and return uint8 (size, size, 3)."""
    count = len(canvas.rgb) // OVERSAMPLING
    small = canvas.rgb.reshape(count, OVERSAMPLING, count, OVERSAMPLING, 3).mean(axis=(1, 3))
    small = small + noise * generator.standard_normal(small.shape)
    image: NDArray[np.uint8] = np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)
    return image


def inside(distance: Plane, softness: float) -> Plane:
    """Return a mask that falls from 1 to 0 over `softness` about a signed distance of zero."""
    mask: Plane = np.clip(0.5 - distance / softness, 0, 1)
    return mask


def ellipse(
    canvas: Canvas,
    centre: tuple[float, float],
    radii: tuple[float, float],
    angle: float = 0.0,
    softness: float = 0.05,
    edge: Plane | None = None,
) -> Plane:
    """Return the mask of an ellipse; `edge` (n, n) moves its outline out by a share of the radius."""
    dx, dy = canvas.x - float(centre[0]), canvas.y - float(centre[1])
    # Plain floats: a NumPy scalar would make the arrays float64, at twice the time.
    cosine, sine = math.cos(angle), math.sin(angle)
    u = (cosine * dx + sine * dy) / float(radii[0])
    v = (cosine * dy - sine * dx) / float(radii[1])
    distance = np.sqrt(u * u + v * v) - 1
    if edge is not None:
        distance = distance - edge
    return inside(distance * min(radii), softness)


def stroke(
    canvas: Canvas, start: tuple[float, float], end: tuple[float, float], width: float, softness: float = 0.04
) -> Plane:
    """Return the mask of a straight stroke with round ends."""
    start, end = (float(start[0]), float(start[1])), (float(end[0]), float(end[1]))
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = ((canvas.x - start[0]) * dx + (canvas.y - start[1]) * dy) / (dx * dx + dy * dy)
    along = np.clip(along, 0, 1)
    across, over = canvas.x - start[0] - along * dx, canvas.y - start[1] - along * dy
    distance = np.sqrt(across * across + over * over)
    return inside(distance - width, softness)


def texture(canvas: Canvas, generator: np.random.Generator, frequency: float, waves: int = 6) -> Plane:
    """Return a smooth random field of mean 0 and about unit spread; `frequency` in waves across the image."""
    columns, rows = canvas.x[0], canvas.y[:, 0]
    field = np.zeros_like(canvas.x)
    for _ in range(waves):
        angle, phase = generator.uniform(0, 2 * np.pi, size=2).tolist()
        rate = np.pi * frequency * generator.uniform(0.5, 1.5)
        along, down = rate * math.cos(angle) * columns + phase, rate * math.sin(angle) * rows
        # cos(a + b) = cos a cos b - sin a sin b: cosines of the two axes, not of every pixel.
        field += np.outer(np.cos(down), np.cos(along)) - np.outer(np.sin(down), np.sin(along))
    return field * np.float32(math.sqrt(2 / waves))


def varied(colour: Colour, generator: np.random.Generator, spread: float) -> Colour:
    """Return a colour with each channel moved by up to `spread`, and all together by up to as much."""
    moves = generator.uniform(-spread, spread, size=3) + generator.uniform(-spread, spread)
    red, green, blue = np.clip(np.asarray(colour) + moves, 0, 1).tolist()
    return red, green, blue
