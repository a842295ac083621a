"""One image file to the RGB that a person would see."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from weckd.errors import UserError

_MORE_THAN_EIGHT_BITS = ("I", "I;16", "I;16B", "I;16L", "F")


def decode_image(file: Path) -> Image.Image:
    """Return the image as RGB, upright, whatever its mode; the content decides, not the file's extension.

    Transparent pixels stand on black, the surroundings of otoscopic and MRI images. Grey images of more than
    eight bits are stretched from their own lowest to their own highest value, as viewers show them.

    Raises:
        UserError: the file is no readable image; the message names it and the remedy.
    """
    if file.stat().st_size == 0:
        raise UserError(f"{file}: the file is empty; replace it by an intact copy")
    try:
        with Image.open(file) as opened:
            opened.load()
            return _rgb(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError as problem:
        raise UserError(f"{file}: not an image; remove it from the class folder") from problem
    except Exception as problem:  # Pillow's decoders raise a dozen kinds on damaged files
        raise UserError(
            f"{file}: cannot be decoded ({problem}); replace the file by an intact copy"
        ) from problem


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in _MORE_THAN_EIGHT_BITS:
        image = Image.fromarray(_eight_bits(np.asarray(image, dtype=np.float64)))
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return image.convert("RGB")


def _eight_bits(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    low, high = float(values.min()), float(values.max())
    span = high - low if high > low else 1.0
    return np.asarray(np.rint((values - low) / span * 255), dtype=np.uint8)
