"""Drawing in unit coordinates: x to the right and y down, both from -1 to 1, on twice as many pixels as asked."""

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.floating[Any]]  # (n, n)
Colour: TypeAlias = tuple[float, float, float]  # red, green, blue in [0, 1]
Point: TypeAlias = tuple[float, float]  # x, y

OVERSAMPLING = 2


@dataclass(frozen=True)
class Frame:
    """What differs between two pictures of the same thing, as frames of a video or slices of a head."""

    shift: Point = (0.0, 0.0)  # of all that is drawn, in unit coordinates
    gain: float = 1.0  # of the light
    slice: float = 0.0  # of a head: distance from the scene's own slice, -1 .. 1
    turn: int = 0  # quarter turns counter-clockwise, after drawing
    mirror: bool = False  # left and right changed, after the turn
    noise_stream: int = 0  # equal streams give equal sensor noise


class Canvas:
    """An RGB image under way, float32 (n, n, 3) in [0, 1], black at first, and its coordinates."""

    def __init__(self, size: int, shift: Point) -> None:
        """Begin an image of `size` pixels a side; `shift` moves all that is drawn on it."""
        count = OVERSAMPLING * size
        axis = (2 * (np.arange(count, dtype=np.float32) + 0.5) / count - 1).astype(np.float32)
        self.x: Plane
        self.y: Plane
        self.x, self.y = np.meshgrid(axis - np.float32(shift[0]), axis - np.float32(shift[1]))
        self.rgb: NDArray[np.float32] = np.zeros((count, count, 3), dtype=np.float32)

    def paint(self, colour: Colour, mask: Plane, opacity: float = 1.0) -> None:
        """Blend a colour in where the mask (0 .. 1) says."""
        weight = (float(opacity) * mask)[..., None]
        self.rgb += weight * (np.asarray(colour, dtype=np.float32) - self.rgb)

    def shade(self, factor: Plane) -> None:
        """Multiply all channels."""
        self.rgb *= factor[..., None]

    def finish(self, noise: float, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Average down to the size asked for, add sensor noise and return uint8 (size, size, 3)."""
        count = len(self.rgb) // OVERSAMPLING
        small = self.rgb.reshape(count, OVERSAMPLING, count, OVERSAMPLING, 3).mean(axis=(1, 3))
        small = small + noise * rng.standard_normal(small.shape)
        image: NDArray[np.uint8] = np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)
        return image

    def ellipse(
        self,
        centre: Point,
        radii: Point,
        angle: float = 0.0,
        softness: float = 0.05,
        edge: Plane | None = None,
    ) -> Plane:
        """Return the mask of an ellipse; `edge` (n, n) moves its outline out by a share of the radius."""
        # Plain floats: a NumPy scalar would make the arrays float64, at twice the time.
        dx, dy = self.x - float(centre[0]), self.y - float(centre[1])
        cosine, sine = math.cos(angle), math.sin(angle)
        u = (cosine * dx + sine * dy) / float(radii[0])
        v = (cosine * dy - sine * dx) / float(radii[1])
        distance = np.sqrt(u * u + v * v) - 1
        return inside((distance if edge is None else distance - edge) * min(radii), softness)

    def stroke(self, start: Point, end: Point, width: float, softness: float = 0.04) -> Plane:
        """Return the mask of a straight stroke with round ends."""
        (x, y), (dx, dy) = start, (end[0] - start[0], end[1] - start[1])
        along = np.clip(((self.x - x) * dx + (self.y - y) * dy) / (dx * dx + dy * dy), 0, 1)
        across, over = self.x - x - along * dx, self.y - y - along * dy
        return inside(np.sqrt(across * across + over * over) - width, softness)

    def texture(self, rng: np.random.Generator, frequency: float, waves: int = 6) -> Plane:
        """Return a smooth random field of mean 0 and about unit spread; `frequency` in waves across the image."""
        field = np.zeros_like(self.x)
        for _ in range(waves):
            angle, phase = rng.uniform(0, 2 * np.pi, size=2).tolist()
            rate = np.pi * frequency * rng.uniform(0.5, 1.5)
            along, down = rate * math.cos(angle) * self.x[0] + phase, rate * math.sin(angle) * self.y[:, 0]
            # cos(a + b) = cos a cos b - sin a sin b: cosines of the two axes, not of every pixel.
            field += np.outer(np.cos(down), np.cos(along)) - np.outer(np.sin(down), np.sin(along))
        return field * np.float32(math.sqrt(2 / waves))


def inside(distance: Plane, softness: float) -> Plane:
    """Return a mask that falls from 1 to 0 over `softness` about a signed distance of zero."""
    mask: Plane = np.clip(0.5 - distance / softness, 0, 1)
    return mask


def varied(colour: Colour, rng: np.random.Generator, spread: float) -> Colour:
    """Return a colour with each channel moved by up to `spread`, and all together by up to as much."""
    moves = rng.uniform(-spread, spread, size=3) + rng.uniform(-spread, spread)
    red, green, blue = np.clip(np.asarray(colour) + moves, 0, 1).tolist()
    return red, green, blue
