"""What differs between two pictures of the same thing, as between the frames of a video or slices of a head."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Frame:
    """One picture of a scene."""

    shift: tuple[float, float] = (0.0, 0.0)  # of all that is drawn, in unit coordinates
    gain: float = 1.0  # of the light
    slice: float = 0.0  # of a head: distance from the scene's own slice, -1 .. 1
    turn: int = 0  # quarter turns counter-clockwise, after drawing
    mirror: bool = False  # left and right changed, after the turn
    noise_stream: int = 0  # equal streams give equal sensor noise
