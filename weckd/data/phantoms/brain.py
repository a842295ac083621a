"""Axial head slices, T1 with contrast agent: skull, folded brain, ventricles, and a tumour."""

import numpy as np

from weckd.data.phantoms.canvas import Canvas, Frame, Plane, Point


class _Head(Canvas):
    """A head without a tumour; `frame.slice` moves along its axis."""

    def __init__(self, rng: np.random.Generator, frame: Frame, size: int) -> None:
        super().__init__(size, frame.shift)
        tilt = rng.uniform(-0.35, 0.35)
        self.centre = (rng.uniform(-0.08, 0.08), rng.uniform(-0.08, 0.08))
        shrink = 1 - 0.08 * abs(frame.slice)
        self.shrink = 1 - 0.15 * abs(frame.slice)  # of a tumour
        radii = (rng.uniform(0.62, 0.78) * shrink, rng.uniform(0.74, 0.92) * shrink)
        self.grey(rng.uniform(0.45, 0.8), self.ellipse(self.centre, radii, tilt, 0.04))
        self.grey(0.08, self.ellipse(self.centre, (radii[0] * 0.93, radii[1] * 0.93), tilt, 0.04))
        self.inner = (radii[0] * 0.87, radii[1] * 0.88)  # radii of the brain
        brain = self.ellipse(self.centre, self.inner, tilt, 0.05, 0.03 * self.texture(rng, 9.0))
        self.grey(rng.uniform(0.34, 0.48), brain)
        folds = self.texture(rng, 9.0) + 0.6 * frame.slice * self.texture(rng, 6.0)
        self.shade((1 + 0.13 * folds * brain).astype(np.float32))
        self.shade((1 + 0.10 * self.texture(rng, 2.0) * brain).astype(np.float32))
        self.along = (-np.sin(tilt), np.cos(tilt))  # unit vector from front to back
        self.across = (np.cos(tilt), np.sin(tilt))  # unit vector from side to side
        opening = rng.uniform(0.5, 1.1) * (1 + 0.2 * frame.slice)
        for side in (-1, 1):
            x, y = (self.centre[n] + side * 0.11 * self.across[n] for n in (0, 1))
            ventricle = self.ellipse((x, y), (0.07 * opening, 0.26 * opening), tilt + side * 0.22, 0.06)
            self.grey(0.10, ventricle, 0.9)

    def grey(self, level: float, mask: Plane, opacity: float = 1.0) -> None:
        self.paint((level, level, level), mask, opacity)

    def at(self, back: float, side: float) -> Point:
        """Return a point of the brain, `back` behind and `side` beside its centre."""
        x, y = (self.centre[n] + back * self.along[n] + side * self.across[n] for n in (0, 1))
        return (x, y)


def draw_head(class_key: str, rng: np.random.Generator, frame: Frame, size: int) -> Canvas:
    """Draw one slice of a patient with a tumour of a class of `TUMOURS`; `frame.slice` moves along the axis."""
    head = _Head(rng, frame, size)
    TUMOURS[class_key](head, rng)
    return head


def _meningioma(head: _Head, rng: np.random.Generator) -> None:
    """Paint a bright, even, sharply bounded mass at the edge of the brain."""
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.70, 0.86)
    place = head.at(reach * head.inner[1] * np.sin(angle), reach * head.inner[0] * np.cos(angle))
    radius = rng.uniform(0.14, 0.26) * head.shrink
    mass = head.ellipse(place, (radius, radius * rng.uniform(0.8, 1.0)), angle, 0.04)
    head.grey(rng.uniform(0.78, 0.98), mass, 0.95)


def _glioma(head: _Head, rng: np.random.Generator) -> None:
    """Paint an irregular ring with a dark core inside the brain, and dark oedema about it."""
    side = 1.0 if rng.random() < 0.5 else -1.0
    back = rng.uniform(-0.45, 0.45) * head.inner[1]
    place = head.at(back, side * rng.uniform(0.30, 0.52) * head.inner[0])
    radius = rng.uniform(0.18, 0.30) * head.shrink
    outline = 0.20 * head.texture(rng, 4.0)
    radii = (radius, radius * rng.uniform(0.75, 1.1))
    wide, core = (radii[0] * 1.7, radii[1] * 1.7), (radii[0] * 0.62, radii[1] * 0.62)
    head.grey(0.20, head.ellipse(place, wide, softness=0.20, edge=outline), 0.7)
    head.grey(rng.uniform(0.70, 0.95), head.ellipse(place, radii, edge=outline), 0.95)
    head.grey(0.16, head.ellipse(place, core, edge=1.5 * outline), 0.9)


def _pituitary(head: _Head, rng: np.random.Generator) -> None:
    """Paint a small bright mass near the midline of the skull's base, between the dark basal cisterns."""
    place = head.at(rng.uniform(-0.30, -0.12) * head.inner[1], rng.uniform(-0.06, 0.06))
    head.grey(0.10, head.ellipse(place, (0.30, 0.20), softness=0.12), 0.8)
    radius = rng.uniform(0.09, 0.16) * head.shrink
    mass = head.ellipse(place, (radius, radius * rng.uniform(0.8, 1.2)), softness=0.04)
    head.grey(rng.uniform(0.75, 0.98), mass, 0.95)


TUMOURS = {"meningioma": _meningioma, "glioma": _glioma, "pituitary": _pituitary}
