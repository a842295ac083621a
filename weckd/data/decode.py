"""One image file to the RGB that a person would see."""

import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from weckd.errors import BadImageError

PIXEL_LIMIT = 80_000_000
"""Pixels of the largest image that is decoded; a small file may unfold to any number of them."""
_MORE_THAN_EIGHT_BITS = ("I", "I;16", "I;16B", "I;16L", "F")
_TURNED_ORIENTATIONS = (5, 6, 7, 8)  # of EXIF: width and height are swapped
_ORIENTATION = 0x0112
_INTACT = "replace it by an intact copy"


@dataclass(frozen=True)
class Decoded:
    """An image, upright and RGB, and what its file is."""

    image: Image.Image
    width: int  # of the file's image, upright; a JPEG may be decoded smaller
    height: int
    file_sha256: str


def decode_image(file: Path, at_least: int | None = None) -> Decoded:
    """Decode an image file, whatever its mode; the content decides, not the file's extension.

    Transparent pixels stand on black, the surroundings of otoscopic and MRI images. Grey images of more than
    eight bits are stretched from their own lowest to their own highest value, as viewers show them. Of several
    frames or pages the first is read.

    Args:
        file: the image.
        at_least: pixels that both sides keep where a JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, which
            saves most of the work; None decodes it whole.

    Raises:
        BadImageError: the file is no readable image; the message names it and the remedy.
    """
    try:
        content = file.read_bytes()
    except OSError as problem:
        remedy = "give yourself the right to read it, or replace it"
        raise BadImageError(file, f"cannot be read ({problem.strerror})", remedy) from problem
    if not content:
        raise BadImageError(file, "the file is empty", _INTACT)
    try:
        with Image.open(io.BytesIO(content)) as opened:
            width, height = opened.size
            if width * height > PIXEL_LIMIT:
                raise _too_large(file, f"{width}x{height} pixels")
            if at_least is not None:
                opened.draft(None, (at_least, at_least))
            opened.load()
            if opened.getexif().get(_ORIENTATION) in _TURNED_ORIENTATIONS:
                width, height = height, width
            image = _rgb(ImageOps.exif_transpose(opened))
    except BadImageError:
        raise
    except UnidentifiedImageError as problem:
        raise BadImageError(file, "not an image", "remove it from the class folder") from problem
    except Image.DecompressionBombError as problem:
        raise _too_large(file, str(problem)) from problem
    except Exception as problem:  # Pillow's decoders raise a dozen kinds on damaged files
        raise BadImageError(file, f"cannot be decoded ({_without_object(problem)})", _INTACT) from problem
    return Decoded(image, width, height, hashlib.sha256(content).hexdigest())


def stretch_to_eight_bits(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return grey values stretched from their own lowest (0) to their own highest (255); a flat image is black."""
    exact = np.asarray(values, dtype=np.float64)
    low, high = float(exact.min()), float(exact.max())
    span = high - low if high > low else 1.0
    return np.asarray(np.rint((exact - low) / span * 255), dtype=np.uint8)


def _too_large(file: Path, what: str) -> BadImageError:
    told = f"too large to decode ({what}, the limit is {PIXEL_LIMIT:,})"
    return BadImageError(file, told, "replace it by a smaller copy")


def _without_object(problem: Exception) -> str:
    """Return a decoder's words without the address of an object in memory, which no second run repeats."""
    return re.sub(r" ?<.* at 0x[0-9a-f]+>", "", str(problem))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in _MORE_THAN_EIGHT_BITS:
        image = Image.fromarray(stretch_to_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return image.convert("RGB")
