"""One image file to the RGB that a person would see."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from weckd.errors import UserError

_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "F")


def decode_image(file: Path) -> Image.Image:
    """Return the image as RGB, upright, whatever its mode; the content decides, not the file's extension.

    Transparent pixels stand on black, the surroundings of otoscopic and MRI images. Images of more than
    eight bits are stretched from their own lowest to their own highest value.

    Raises:
        UserError: the file is no readable image; the message names it and the remedy.
    """
    try:
        with Image.open(file) as opened:
            opened.load()
            image = ImageOps.exif_transpose(opened)
    except UnidentifiedImageError as problem:
        raise UserError(f"{file}: not an image; remove it from the class folder") from problem
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as problem:
        raise UserError(
            f"{file}: cannot be decoded ({problem}); replace the file by an intact copy"
        ) from problem
    if image.mode in _SIXTEEN_BIT:
        image = Image.fromarray(_eight_bits(np.asarray(image, dtype=np.float64)))
    if image.mode in ("P", "LA", "PA", "RGBA", "La", "RGBa"):
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(background, image)
    return image.convert("RGB")


def _eight_bits(
    values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    low, high = float(values.min()), float(values.max())
    span = high - low if high > low else 1.0
    return np.rint((values - low) / span * 255).astype(np.uint8)
