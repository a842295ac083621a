"""Eardrums as an otoscope sees them: a bright circle, the drum, hammer, light reflex, and a pathology."""

import numpy as np

from weckd.data.phantoms.canvas import Canvas, Colour, Frame, Plane, Point, inside, varied

CANAL: Colour = (0.72, 0.47, 0.38)
PEARL: Colour = (0.74, 0.66, 0.60)


class _Ear(Canvas):
    """The anatomy that all classes share, drawn from one stream so that two frames show the same ear."""

    def __init__(self, rng: np.random.Generator, frame: Frame, size: int) -> None:
        super().__init__(size, frame.shift)
        self.rng = rng
        self.side = 1.0 if rng.random() < 0.5 else -1.0
        self.view = (rng.normal(0, 0.10), rng.normal(0, 0.10))
        self.radius = rng.uniform(0.78, 1.08)
        self.drum = (self.view[0] + rng.uniform(-0.16, 0.16), self.view[1] + rng.uniform(-0.16, 0.16))
        self.drum_radii = (rng.uniform(0.52, 0.68), rng.uniform(0.52, 0.70))
        self.angle = rng.uniform(-0.6, 0.6)
        self.light = rng.uniform(0.90, 1.06, size=3)
        self.lamp = (rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5))
        self.skin = varied(CANAL, rng, 0.05)
        self.grain, self.fine = self.texture(rng, 3.0), self.texture(rng, 7.0)
        self.vessels = rng.uniform(-1, 1, size=(int(rng.integers(2, 6)), 3)).tolist()

    def at(self, along: float, across: float) -> Point:
        """Return a point of the drum: 1 is its rim; `across` points to the side of the light reflex."""
        (x, y), (wide, high) = self.drum, self.drum_radii
        return (x + self.side * across * wide, y + along * high)

    def drum_mask(self, scale: float = 1.0) -> Plane:
        radii = (self.drum_radii[0] * scale, self.drum_radii[1] * scale)
        return self.ellipse(self.drum, radii, self.angle, 0.10)

    def disc(self, place: Point, radius: float, squeeze: float = 1.0, turn: float = 0.0) -> Plane:
        return self.ellipse(place, (radius, radius * squeeze), turn)

    def paint_canal(self, swelling: float = 0.0) -> None:
        self.paint(self.skin, np.ones_like(self.x))
        self.shade(1 + 0.10 * self.grain)
        rim = self.ellipse(self.drum, (0.95 - swelling, 0.95 - swelling), softness=0.5)
        self.shade(0.72 + 0.28 * rim)

    def paint_drum(self, colour: Colour, scale: float = 1.0) -> None:
        mask = self.drum_mask(scale)
        self.paint((0.42, 0.25, 0.20), self.drum_mask(scale * 1.10), 0.45)
        self.paint(varied(colour, self.rng, 0.05), mask)
        self.shade(1 + 0.05 * self.fine * mask)
        for a, b, c in self.vessels:
            start, end = self.at(-0.9 * a, 0.9 * b), self.at(-0.3 * a + 0.3 * c, 0.4 * b)
            self.paint((0.62, 0.20, 0.16), self.stroke(start, end, 0.012) * mask, 0.5)

    def paint_clear(self, hammer: float) -> None:
        """Paint a healthy drum."""
        self.paint_canal()
        self.paint_drum(PEARL)
        self.paint_hammer(hammer)

    def paint_hammer(self, strength: float) -> None:
        handle = self.stroke(self.at(-0.85, 0.25), self.at(0.05, -0.02), 0.045, 0.07)
        self.paint((0.90, 0.83, 0.72), handle, 0.8 * strength)
        knob = self.ellipse(self.at(-0.78, 0.30), (0.09, 0.07), softness=0.06)
        self.paint((0.95, 0.88, 0.78), knob, 0.8 * strength)

    def paint_reflex(self, strength: float) -> None:
        """Paint the cone of light: a wedge from the umbo down and to the front."""
        apex, foot = self.at(0.08, 0.03), self.at(0.85, 0.42)
        length = float(np.hypot(foot[0] - apex[0], foot[1] - apex[1]))
        ux, uy = (foot[0] - apex[0]) / length, (foot[1] - apex[1]) / length
        along = (self.x - apex[0]) * ux + (self.y - apex[1]) * uy
        across = np.abs(-(self.x - apex[0]) * uy + (self.y - apex[1]) * ux)
        wedge = inside(across - 0.28 * along, 0.05) * inside(-along, 0.05) * inside(along - length, 0.08)
        self.paint((1.0, 0.98, 0.92), wedge, 0.85 * strength)

    def close(self) -> None:
        """Light the scene and cut out the speculum's circle."""
        distance = np.hypot(self.x - self.lamp[0], self.y - self.lamp[1])
        self.shade((1.08 - 0.22 * distance).astype(np.float32))
        self.rgb *= self.light.astype(np.float32)
        speculum = self.ellipse(self.view, (self.radius, self.radius), softness=0.08)
        self.shade(0.03 + 0.97 * speculum)


def draw_ear(class_key: str, rng: np.random.Generator, frame: Frame, size: int) -> Canvas:
    """Draw one ear of a class of `PATHOLOGIES`."""
    ear = _Ear(rng, frame, size)
    PATHOLOGIES[class_key](ear, rng)
    ear.close()
    return ear


def _normal(ear: _Ear, rng: np.random.Generator) -> None:
    ear.paint_clear(1.0)
    ear.paint_reflex(rng.uniform(0.6, 1.0))


def _perforation(ear: _Ear, rng: np.random.Generator) -> None:
    """Paint a dull drum with a dark hole of irregular outline."""
    ear.paint_canal()
    ear.paint_drum((0.70, 0.52, 0.45))
    ear.paint_hammer(0.7)
    place = ear.at(rng.uniform(-0.05, 0.5), rng.uniform(-0.45, 0.45))
    radius = rng.uniform(0.20, 0.36)
    radii = (radius, radius * rng.uniform(0.7, 1.2))
    outline = 0.16 * ear.texture(rng, 4.0)
    hole = ear.ellipse(place, radii, softness=0.06, edge=outline)
    rim = ear.ellipse(place, (radii[0] * 1.3, radii[1] * 1.3), edge=outline)
    ear.paint((0.80, 0.62, 0.50), rim, 0.6)
    ear.paint(varied((0.20, 0.07, 0.06), rng, 0.05), hole)


def _discharging_perforation(ear: _Ear, rng: np.random.Generator) -> None:
    """Paint a perforation with yellow discharge running from it."""
    _perforation(ear, rng)
    for _ in range(rng.integers(3, 6)):
        place = ear.at(rng.uniform(0.1, 0.9), rng.uniform(-0.6, 0.6))
        radii = (rng.uniform(0.08, 0.20), rng.uniform(0.07, 0.16))
        pool = ear.ellipse(place, radii, rng.uniform(0, 3), 0.08)
        ear.paint(varied((0.88, 0.80, 0.48), rng, 0.05), pool, 0.85)


def _wax(ear: _Ear, rng: np.random.Generator) -> None:
    """Paint a brown plug that covers much of the view."""
    ear.paint_clear(0.8)
    colour = varied((0.50, 0.30, 0.12), rng, 0.08)
    place = ear.at(rng.uniform(-0.7, 0.7), rng.uniform(-0.8, 0.8))
    outline = 0.18 * ear.texture(rng, 3.0)
    radii = (rng.uniform(0.34, 0.62), rng.uniform(0.34, 0.62))
    plug = ear.ellipse(place, radii, softness=0.10, edge=outline)
    ear.paint(colour, plug)
    ear.shade(1 + 0.22 * ear.texture(rng, 6.0) * plug)
    shine = ear.ellipse((place[0] - 0.1, place[1] - 0.12), (0.09, 0.05), softness=0.1)
    ear.paint((0.95, 0.82, 0.55), shine, 0.6)


def _plaques(ear: _Ear, rng: np.random.Generator) -> None:
    """Paint white chalk plaques on an otherwise clear drum."""
    ear.paint_clear(0.9)
    ear.paint_reflex(rng.uniform(0.0, 0.6))
    for _ in range(rng.integers(1, 4)):
        angle = rng.uniform(0, 2 * np.pi)
        place = ear.at(0.58 * np.sin(angle), 0.58 * np.cos(angle))
        radii = (rng.uniform(0.20, 0.34), rng.uniform(0.10, 0.18))
        outline = 0.22 * ear.texture(rng, 5.0)
        plaque = ear.ellipse(place, radii, -ear.side * angle + np.pi / 2, 0.05, outline)
        ear.paint(varied((0.96, 0.94, 0.88), rng, 0.03), plaque * ear.drum_mask(), 0.9)


def _effusion(ear: _Ear, rng: np.random.Generator) -> None:
    """Paint amber fluid behind the drum, with a level or bubbles."""
    ear.paint_canal()
    ear.paint_drum((0.76, 0.62, 0.50))
    level, tilt = rng.uniform(-0.75, 0.05), rng.uniform(-0.35, 0.35)
    height = (ear.y - ear.drum[1]) / ear.drum_radii[1] + tilt * (ear.x - ear.drum[0])
    fluid = inside(level - height, 0.10) * ear.drum_mask()
    ear.paint(varied((0.74, 0.48, 0.20), rng, 0.05), fluid, 0.75)
    ear.paint_hammer(0.8)
    ear.paint_reflex(rng.uniform(0.0, 0.5))
    for _ in range(rng.integers(0, 5)):
        place = ear.at(rng.uniform(-0.5, 0.7), rng.uniform(-0.6, 0.6))
        size = rng.uniform(0.05, 0.11)
        rim = np.clip(ear.disc(place, size) - ear.disc(place, size * 0.6), 0, 1)
        ear.paint((0.95, 0.85, 0.62), rim, 0.8)


def _tube(ear: _Ear, rng: np.random.Generator) -> None:
    """Paint a ventilation tube: a coloured ring with a dark lumen."""
    ear.paint_clear(0.9)
    ear.paint_reflex(rng.uniform(0.0, 0.6))
    place = ear.at(rng.uniform(0.05, 0.6), rng.uniform(-0.5, 0.6))
    palette: list[Colour] = [(0.30, 0.62, 0.55), (0.25, 0.40, 0.72), (0.88, 0.90, 0.92)]
    colour = varied(palette[rng.integers(3)], rng, 0.05)
    size, squeeze, turn = rng.uniform(0.19, 0.26), rng.uniform(0.7, 1.0), rng.uniform(0, 3)
    ear.paint((0.35, 0.22, 0.18), ear.disc(place, size * 1.15, squeeze, turn), 0.6)
    ear.paint(colour, ear.disc(place, size, squeeze, turn))
    ear.paint((0.10, 0.06, 0.06), ear.disc(place, size * 0.45, squeeze, turn))


def _acute(ear: _Ear, rng: np.random.Generator) -> None:
    """Paint a red, bulging drum without landmarks."""
    ear.paint_canal()
    red = rng.uniform(0.55, 1.0)
    ear.paint_drum((0.72 + 0.06 * red, 0.52 - 0.26 * red, 0.46 - 0.24 * red), 1.08)
    bulge = ear.ellipse(ear.at(-0.15, rng.uniform(-0.4, 0.4)), (0.38, 0.34), softness=0.5)
    ear.paint((0.92, 0.62, 0.50), bulge, 0.45)
    ear.paint_hammer(rng.uniform(0.0, 0.35))


def _externa(ear: _Ear, rng: np.random.Generator) -> None:
    """Paint a swollen, red canal with debris that leaves little of the drum."""
    swelling = rng.uniform(0.25, 0.45)
    ear.skin = varied((0.74, 0.36, 0.30), rng, 0.05)
    ear.paint_canal(swelling)
    ear.paint_drum((0.66, 0.50, 0.44), 1 - 1.2 * swelling)
    for _ in range(rng.integers(3, 7)):
        angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.75, 1.25)
        place = ear.at(reach * np.sin(angle), reach * np.cos(angle))
        radii = (rng.uniform(0.06, 0.17), rng.uniform(0.05, 0.10))
        flake = ear.ellipse(place, radii, angle, 0.05)
        ear.paint(varied((0.90, 0.84, 0.70), rng, 0.04), flake, 0.85)


PATHOLOGIES = {
    "normal": _normal,
    "chronic_otitis_media": _perforation,
    "chronic_suppurative_otitis_media": _discharging_perforation,
    "earwax_plug": _wax,
    "earwax": _wax,
    "myringosclerosis": _plaques,
    "effusion": _effusion,
    "tube": _tube,
    "acute_otitis_media": _acute,
    "otitis_externa": _externa,
}
