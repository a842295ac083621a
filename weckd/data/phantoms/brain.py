"""Axial head slices, T1 with contrast agent: skull, folded brain, ventricles, and a tumour."""

from dataclasses import dataclass

import numpy as np

from weckd.data.phantoms.canvas import Canvas, Plane, blank, ellipse, texture
from weckd.data.phantoms.frame import Frame

_Point = tuple[float, float]


@dataclass(frozen=True)
class _Head:
    """Where a tumour can grow."""

    canvas: Canvas
    frame: Frame
    centre: _Point
    inner: _Point  # radii of the brain
    along: _Point  # unit vector from front to back
    across: _Point  # unit vector from side to side


def _grey(canvas: Canvas, level: float, mask: Plane, opacity: float = 1.0) -> None:
    canvas.paint((level, level, level), mask, opacity)


def draw_head(class_key: str, generator: np.random.Generator, frame: Frame, size: int) -> Canvas:
    """Draw one slice of a patient with a tumour of a class of `TUMOURS`; `frame.slice` moves along the axis."""
    canvas = blank(size, frame.shift)
    tilt = float(generator.uniform(-0.35, 0.35))
    centre = (float(generator.uniform(-0.08, 0.08)), float(generator.uniform(-0.08, 0.08)))
    shrink = 1 - 0.08 * abs(frame.slice)
    radii = (float(generator.uniform(0.62, 0.78)) * shrink, float(generator.uniform(0.74, 0.92)) * shrink)
    skull = float(generator.uniform(0.45, 0.8))
    _grey(canvas, skull, ellipse(canvas, centre, radii, tilt, 0.04))
    _grey(canvas, 0.08, ellipse(canvas, centre, (radii[0] * 0.93, radii[1] * 0.93), tilt, 0.04))
    inner = (radii[0] * 0.87, radii[1] * 0.88)
    brain = ellipse(canvas, centre, inner, tilt, 0.05, 0.03 * texture(canvas, generator, 9.0))
    tissue = float(generator.uniform(0.34, 0.48))
    _grey(canvas, tissue, brain)
    folds = texture(canvas, generator, 9.0) + 0.6 * frame.slice * texture(canvas, generator, 6.0)
    canvas.shade((1 + 0.13 * folds * brain).astype(np.float32))
    canvas.shade((1 + 0.10 * texture(canvas, generator, 2.0) * brain).astype(np.float32))
    along = (-np.sin(tilt), np.cos(tilt))  # from front to back
    across = (np.cos(tilt), np.sin(tilt))
    opening = float(generator.uniform(0.5, 1.1)) * (1 + 0.2 * frame.slice)
    for side in (-1, 1):
        place = (centre[0] + side * 0.11 * across[0], centre[1] + side * 0.11 * across[1])
        ventricle = ellipse(canvas, place, (0.07 * opening, 0.26 * opening), tilt + side * 0.22, 0.06)
        _grey(canvas, 0.10, ventricle, 0.9)
    TUMOURS[class_key](_Head(canvas, frame, centre, inner, along, across), generator)
    return canvas


def _place(head: _Head, back: float, side: float) -> _Point:
    """Return a point of the brain, `back` behind and `side` beside its centre."""
    return (
        head.centre[0] + back * head.along[0] + side * head.across[0],
        head.centre[1] + back * head.along[1] + side * head.across[1],
    )


def _meningioma(head: _Head, generator: np.random.Generator) -> None:
    """Paint a bright, even, sharply bounded mass at the edge of the brain."""
    angle = float(generator.uniform(0, 2 * np.pi))
    reach = float(generator.uniform(0.70, 0.86))
    place = _place(head, reach * head.inner[1] * np.sin(angle), reach * head.inner[0] * np.cos(angle))
    radius = float(generator.uniform(0.14, 0.26)) * (1 - 0.15 * abs(head.frame.slice))
    mass = ellipse(head.canvas, place, (radius, radius * float(generator.uniform(0.8, 1.0))), angle, 0.04)
    _grey(head.canvas, float(generator.uniform(0.78, 0.98)), mass, 0.95)


def _glioma(head: _Head, generator: np.random.Generator) -> None:
    """Paint an irregular ring with a dark core inside the brain, and dark oedema about it."""
    side = 1.0 if generator.random() < 0.5 else -1.0
    back = float(generator.uniform(-0.45, 0.45)) * head.inner[1]
    place = _place(head, back, side * float(generator.uniform(0.30, 0.52)) * head.inner[0])
    radius = float(generator.uniform(0.18, 0.30)) * (1 - 0.15 * abs(head.frame.slice))
    outline = 0.20 * texture(head.canvas, generator, 4.0)
    radii = (radius, radius * float(generator.uniform(0.75, 1.1)))
    wide = (radii[0] * 1.7, radii[1] * 1.7)
    _grey(head.canvas, 0.20, ellipse(head.canvas, place, wide, softness=0.20, edge=outline), 0.7)
    _grey(
        head.canvas,
        float(generator.uniform(0.70, 0.95)),
        ellipse(head.canvas, place, radii, edge=outline),
        0.95,
    )
    core = (radii[0] * 0.62, radii[1] * 0.62)
    _grey(head.canvas, 0.16, ellipse(head.canvas, place, core, edge=1.5 * outline), 0.9)


def _pituitary(head: _Head, generator: np.random.Generator) -> None:
    """Paint a small bright mass near the midline of the skull's base, between the dark basal cisterns."""
    place = _place(
        head,
        float(generator.uniform(-0.30, -0.12)) * head.inner[1],
        float(generator.uniform(-0.06, 0.06)),
    )
    _grey(head.canvas, 0.10, ellipse(head.canvas, place, (0.30, 0.20), softness=0.12), 0.8)
    radius = float(generator.uniform(0.09, 0.16)) * (1 - 0.15 * abs(head.frame.slice))
    mass = ellipse(head.canvas, place, (radius, radius * float(generator.uniform(0.8, 1.2))), softness=0.04)
    _grey(head.canvas, float(generator.uniform(0.75, 0.98)), mass, 0.95)


TUMOURS = {"meningioma": _meningioma, "glioma": _glioma, "pituitary": _pituitary}
