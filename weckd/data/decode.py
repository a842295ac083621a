"""One image file to the RGB that a person would see."""

import errno
import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from weckd.data.file_kinds import CONVERT, RAW, irregular, recognised
from weckd.errors import BadImageError, UserError

PIXEL_LIMIT = 80_000_000
"""Pixels of the largest image that is decoded; a small file may unfold to any number of them."""
SIDE_LIMIT = 1_000_000
"""Pixels of the longest side: to make it short takes memory by its length, and a line of pixels is no picture."""
FILE_LIMIT = 1_000_000_000
"""Bytes of the largest file that is read."""
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "JPEG2000")
"""Of Pillow's, which else gives PostScript to an interpreter."""
_MORE_THAN_EIGHT_BITS = ("I", "I;16", "I;16B", "I;16L", "F")
for _key, _modes in list(TiffImagePlugin.OPEN_INFO.items()):
    if _key[1] == 1 and (_modes[0] in _MORE_THAN_EIGHT_BITS or _key[2] == (2,)):
        # Pillow knows only some of their twins in which white is zero, and inverts none of those that it knows.
        TiffImagePlugin.OPEN_INFO.setdefault((_key[0], 0, *_key[2:]), _modes)
_FLAT = (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM)
_SIDEWAYS = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)
_UPRIGHT = dict(enumerate(_FLAT + _SIDEWAYS, 2))
"""What undoes an orientation of EXIF, by its number."""
_ORIENTATION, _SUBFILE, _PHOTOMETRIC, _SUBFILES, _SAMPLES = 0x0112, 254, 262, 330, 339
"""Tags of EXIF and TIFF."""
_INTACT, _SMALLER = "replace it by an intact copy", "replace it by a smaller copy"


@dataclass(frozen=True)
class Decoded:
    """An image, upright and RGB, and what its file is."""

    image: Image.Image
    width: int  # of the file's image, upright; a JPEG may be decoded smaller
    height: int
    file_sha256: str
    patient: str = ""  # as a DICOM's header has it: a hospital's number, which may reach no file of ours
    series: str = ""  # likewise, of the recording that a DICOM's picture is one of


def decode_image(file: Path, at_least: int | None = None, frame: str | None = None) -> Decoded:
    """Decode an image file, whatever its mode; the content decides, not the file's extension.

    Transparent pixels are laid on black, the surroundings of otoscopic and MRI images. Grey images of more than
    eight bits are stretched from their own lowest to their own highest value, as viewers show them, and turned over
    where a TIFF says that white is zero. Of several frames or pages the first is read, but of a DICOM's that which is
    chosen (see `weckd.data.dicom`).

    Args:
        file: the image.
        at_least: pixels that both sides keep where a JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, which
            saves most of the work; None decodes it whole.
        frame: of a DICOM of several frames, the number from 0, or middle.

    Raises:
        BadImageError: the file is no readable image; the message names it and the remedy.
        UserError: it is a DICOM file, and pydicom is not installed.
    """
    content = read_file(file)
    if not content:
        raise BadImageError(file, "the file is empty", _INTACT)
    try:
        if content[128:132] == b"DICM":
            return _dicom(file, content, frame)
        with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
            width, height = opened.size
            refuse_too_large(file, width, height)
            tags = getattr(opened, "tag_v2", {})  # of a TIFF
            if (tags.get(_SUBFILE, 0) & 1 and _SUBFILES in tags) or content[8:10] == b"CR":
                raise BadImageError(file, RAW, CONVERT)
            if at_least is not None:
                opened.draft(None, (at_least, at_least))
            opened.load()
            few_bits = content[:4] == b"\x89PNG" and content[24:26] in (b"\2\0", b"\4\0")
            if few_bits and "transparency" in opened.info:
                opened.info["transparency"] *= 255 // (2 ** content[24] - 1)  # Pillow scales the pixels alone
            turned = _UPRIGHT.get(opened.getexif().get(_ORIENTATION, 1))
            image = _rgb(file, opened, tags)
    except (UserError, ImportError, MemoryError):  # no damage of the file's
        raise
    except UnidentifiedImageError as problem:
        what, remedy = recognised(content) or (
            "not an image",
            "remove it, and its row where a table lists it",
        )
        raise BadImageError(file, what, remedy) from problem
    except Image.DecompressionBombError as problem:
        raise _too_large(file, str(problem)) from problem
    except Exception as problem:  # Pillow's decoders raise a dozen kinds on damaged files
        raise BadImageError(file, f"cannot be decoded ({_without_object(problem)})", _INTACT) from problem
    if turned is not None:
        image = image.transpose(turned)
    if turned in _SIDEWAYS:
        width, height = height, width
    return Decoded(image, width, height, hashlib.sha256(content).hexdigest())


def square(image: Image.Image, side: int) -> NDArray[np.uint8]:
    """Return a decoded image resized as a whole, uint8 (side, side, 3): what networks are given."""
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def read_file(file: Path) -> bytes:
    """Return the bytes of an image's file; what may never end, as a pipe or a device, is not opened.

    Raises:
        BadImageError: it is no file, too large or cannot be read; the message names it and the remedy.
    """
    if kind := irregular(file):
        raise BadImageError(file, f"{kind}, not a file", "remove it")
    try:
        with file.open("rb") as stream:
            content = stream.read(FILE_LIMIT + 1)
    except OSError as problem:
        what = f"cannot be read ({problem.strerror})"
        remedy = "give yourself the right to read it, or replace it"
        if problem.errno in (errno.ENOENT, errno.ELOOP) and file.is_symlink():
            what, remedy = "a link that leads nowhere", "get the file that it names, or remove it"
        raise BadImageError(file, what, remedy) from problem
    if len(content) > FILE_LIMIT:
        raise BadImageError(file, f"larger than {FILE_LIMIT:,} bytes", _SMALLER)
    return content


def stretch_to_eight_bits(file: Path, values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return grey values stretched from their own lowest (0) to their own highest (255); a flat image is black.

    Raises:
        BadImageError: a value of this file's image is NaN or infinite, or they are too far apart.
    """
    exact = np.asarray(values, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = exact.min(), exact.max()
        span = high - low
    if not np.isfinite(span):
        lost = np.count_nonzero(~np.isfinite(exact))
        what = f"{lost:,} of its {exact.size:,} pixels {'is' if lost == 1 else 'are'} NaN or infinite"
        told = what if lost else f"its pixels' values, from {low:.3g} to {high:.3g}, are too far apart"
        raise BadImageError(file, told, "replace it by a sound copy")
    return np.asarray(np.rint((exact - low) / (span or 1.0) * 255), dtype=np.uint8)


def refuse_too_large(file: Path, width: int, height: int) -> None:
    """Refuse an image by what its file says of it, before it is unfolded.

    Raises:
        BadImageError: it has too many pixels, or a side of too many.
    """
    if width * height > PIXEL_LIMIT:
        raise _too_large(file, f"{width}x{height} pixels")
    if max(width, height) > SIDE_LIMIT:
        told = f"too long to decode ({width}x{height} pixels, the limit of a side is {SIDE_LIMIT:,})"
        raise BadImageError(file, told, _SMALLER)


def _dicom(file: Path, content: bytes, frame: str | None) -> Decoded:
    try:
        from weckd.data.dicom import decode_dicom  # noqa: PLC0415 - pydicom need not be there for other images
    except ModuleNotFoundError as problem:
        if problem.name != "pydicom":
            raise
        remedy = "install it with pip install -e '.[dicom]', or with all that the lock names: make setup"
        raise UserError(f"{file}: a DICOM file, which needs pydicom; {remedy}") from problem
    return decode_dicom(file, content, frame)


def _too_large(file: Path, what: str) -> BadImageError:
    return BadImageError(file, f"too large to decode ({what}, the limit is {PIXEL_LIMIT:,})", _SMALLER)


def _without_object(problem: Exception) -> str:
    """Return a decoder's words without the address of an object in memory, which no second run repeats."""
    return re.sub(r" ?<.* at 0x[0-9a-f]+>", "", str(problem)) or type(problem).__name__


def _rgb(file: Path, image: Image.Image, tags: Mapping[int, Any]) -> Image.Image:
    """Return a decoded image as RGB.

    Args:
        file: for messages.
        image: as Pillow decodes it.
        tags: a TIFF's; of grey images with signed values, or of more than eight bits, Pillow heeds them only in part.
    """
    signed = tags.get(_SAMPLES) == (2,)
    if image.mode in _MORE_THAN_EIGHT_BITS or (signed and image.mode == "L"):
        values = np.asarray(image)
        if image.mode == "L":
            values = values.view(np.int8)
        elif image.mode == "I" and tags and not signed:
            values = values.view(np.uint32)
        unseen = image.info.get("transparency")
        if unseen is not None and (values != unseen).any():
            values = np.where(values == unseen, values[values != unseen].min(), values)
        if tags.get(_PHOTOMETRIC) == 0:  # white is zero
            values = -values.astype(np.float64)
        image = Image.fromarray(stretch_to_eight_bits(file, values))
    if image.mode == "La":  # grey, multiplied by its alpha
        image = image.convert("LA")
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return image.convert("RGB")
