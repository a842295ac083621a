"""DICOM files, read by pydicom: one frame as the picture that its header tells a viewer to show.

Of the header only what is needed is read, and its texts are in no message: no file of ours may tell who a patient is.
"""

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.dataelem import RawDataElement
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi, apply_windowing
from pydicom.uid import UID, RLELossless

from weckd.data.decode import Decoded, refuse_too_large, stretch_to_eight_bits
from weckd.data.file_kinds import CONVERT
from weckd.errors import BadImageError

HEADER_LIMIT = 16_000_000
"""Bytes of the largest header that is read; each eight of them can be an object in memory."""
PARTS_LIMIT = 1_000_000
"""Parts that a header is read in at most."""
_PALETTES = [f"{colour}PaletteColorLookupTable" for colour in ("Red", "Green", "Blue")]
_NEEDED = [
    *("Modality", "PatientID", "SeriesInstanceUID", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel"),
    *("PhotometricInterpretation", "PlanarConfiguration", "BitsAllocated", "BitsStored", "HighBit"),
    *("PixelRepresentation", "RescaleIntercept", "RescaleSlope", "ModalityLUTSequence", "WindowCenter"),
    *("WindowWidth", "VOILUTFunction", "VOILUTSequence", "PixelPresentation"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
    *("PixelData", "FloatPixelData", "DoubleFloatPixelData"),
    *(f"{palette}{part}" for palette in _PALETTES for part in ("Descriptor", "Data")),
    *(f"Segmented{palette}Data" for palette in _PALETTES),
]
_PLUGINS = ("pillow", "pydicom")
"""Decoders that the lock names; of others that lie beside them, a picture could be another in its last bit."""
_PICTURES = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_PICTURE_GROUP = 0x7FE0
_UNPACK = "save it uncompressed, as `gdcmconv --raw` does, or convert it to PNG"
_INTACT = "replace it by an intact copy"
_ENTRY = "of the data set's entry in the catalogue"

warnings.filterwarnings("ignore", module="pydicom")  # they quote the header


class _Parts(io.BytesIO):
    """A file's bytes for pydicom's parser, which sets no limit to what a header unfolds to."""

    def __init__(self, file: Path, content: bytes) -> None:
        super().__init__(content)
        self.file, self.parts = file, 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next `size` bytes; all that are left are asked for only where all is to be inflated.

        Raises:
            BadImageError: the file is deflated, or its header has too many parts.
        """
        self.parts += 1
        if size is None or size < 0:
            told = "a DICOM file that is deflated as a whole, which is not read"
            raise BadImageError(self.file, told, _UNPACK)
        if self.parts > PARTS_LIMIT:
            told = f"a DICOM file whose header has more than {PARTS_LIMIT:,} parts"
            raise BadImageError(self.file, told, CONVERT)
        return super().read(size)


def decode_dicom(file: Path, content: bytes, frame: str | None) -> Decoded:
    """Decode one frame of a DICOM file: rescaled, in its first window, with MONOCHROME1 turned over, colours as RGB.

    Grey of more than eight bits that has a rescale but no window is stretched from its own lowest to its own highest
    value; without a rescale, a window or table must say how bright it is.

    Args:
        file: for messages.
        content: its bytes.
        frame: of several frames, the number from 0, or middle; of one, that is taken.

    Raises:
        BadImageError: it cannot be shown so; the message names the file and the remedy.
    """
    try:
        header = dcmread(_Parts(file, content), specific_tags=_NEEDED)
        if not any(name in header for name in _PICTURES):
            raise BadImageError(file, "a DICOM file without a picture", f"{_INTACT}, or remove it")
        raw = [part for part in header.elements() if isinstance(part, RawDataElement)]
        if sum(len(part.value or b"") for part in raw if part.tag.group != _PICTURE_GROUP) > HEADER_LIMIT:
            told = f"a DICOM file whose header is larger than {HEADER_LIMIT:,} bytes"
            raise BadImageError(file, told, CONVERT)
        width, height = int(header.Columns), int(header.Rows)
        refuse_too_large(file, width, height)
        number = _chosen(file, int(header.get("NumberOfFrames") or 1), frame)
        values, colours = _pixels(file, header, number)
        _heed_groups(header, number)
        image = _picture(file, header, values, colours).convert("RGB")
        patient = str(header.get("PatientID") or "").strip()
        digest = hashlib.sha256(content).hexdigest()
        series = str(header.get("SeriesInstanceUID") or digest)
    except (BadImageError, MemoryError):
        raise
    except Exception as problem:  # of many kinds on damaged files; pydicom's words may quote the header
        told = f"a DICOM file that is damaged, or of a kind that is not read ({type(problem).__name__})"
        raise BadImageError(file, told, f"{_INTACT}, or convert it to PNG") from None
    return Decoded(image, width, height, digest, patient, series)


def _chosen(file: Path, frames: int, frame: str | None) -> int:
    if frames < 2:
        return 0
    if frame is None:
        told = f"a DICOM file of {frames:,} frames, of which none is chosen"
        raise BadImageError(file, told, f"set `frame` {_ENTRY} to a number from 0, or to middle")
    number = frames // 2 if frame == "middle" else int(frame)
    if number >= frames:
        told = f"a DICOM file of {frames:,} frames, numbered from 0: none is number {number:,}"
        raise BadImageError(file, told, f"set `frame` {_ENTRY} to a smaller number, or to middle")
    return number


def _pixels(file: Path, header: Dataset, number: int) -> tuple[NDArray[Any], str]:
    """Return a frame as it is stored, (height, width) or (height, width, 3), and how its colours are meant."""
    syntax: UID = header.file_meta.TransferSyntaxUID
    way = f"as {syntax.name}" if syntax.name != syntax else "in an unknown way"
    packed = f"a DICOM file compressed {way}"
    try:
        decoder = get_decoder(syntax)
        found = decoder.is_available
    except NotImplementedError:
        found = False
    if not found:
        raise BadImageError(file, f"{packed}, for which there is no decoder", _UNPACK)
    if syntax == RLELossless:
        raw = header.Rows * header.Columns * header.SamplesPerPixel * header.BitsAllocated // 8
        held = get_frame(header.PixelData, number, number_of_frames=int(header.get("NumberOfFrames") or 1))
        if len(held) > 2 * raw + 1000:  # which could unfold to 64 times as much
            raise BadImageError(file, f"{packed}, in more bytes than its pixels need", _INTACT)
    plugin = next((name for name in _PLUGINS if name in decoder.available_plugins), "")
    try:
        values, facts = decoder.as_array(header, index=number, decoding_plugin=plugin)
    except RuntimeError:
        if not decoder.is_encapsulated:
            raise
        told = f"{packed} that is damaged, or of a kind that is not read"
        raise BadImageError(file, told, f"{_INTACT}, or {_UNPACK}") from None
    return values, str(facts["photometric_interpretation"])


def _heed_groups(header: Dataset, number: int) -> None:
    """Put rescale and window of a frame of several, which lie in groups of their own, where they lie for one."""
    shared = header.get("SharedFunctionalGroupsSequence") or []
    each = header.get("PerFrameFunctionalGroupsSequence") or []
    for groups in (*shared[:1], *each[number : number + 1]):
        for name in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            for item in groups.get(name) or []:
                header.update(item)


def _picture(file: Path, header: Dataset, values: NDArray[Any], colours: str) -> Image.Image:
    if colours in ("MONOCHROME1", "MONOCHROME2") and values.ndim == 2:
        with np.errstate(all="ignore"):  # what is no number then is refused
            grey = _grey(file, header, values)
        return Image.fromarray(~grey if colours == "MONOCHROME1" else grey)
    bits = header.BitsStored
    if colours == "PALETTE COLOR":
        entries, first, bits = header.RedPaletteColorLookupTableDescriptor
        values = apply_color_lut(_within(values, entries, first), header)
    elif colours != "RGB":
        raise ValueError("colours that are not read")
    return Image.fromarray((values >> max(bits - 8, 0)).astype(np.uint8))


def _grey(file: Path, header: Dataset, values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return grey values as they are shown before MONOCHROME1 is heeded, uint8, of the same shape."""
    bits = int(header.get("BitsStored") or header.BitsAllocated)
    table = header.get("VOILUTSequence")
    windowed = None not in (header.get("WindowCenter"), header.get("WindowWidth"))
    rescaled = header.get("ModalityLUTSequence") or "RescaleSlope" in header
    if bits > 8 and not rescaled and (header.get("Modality") == "CT" or not (table or windowed)):
        lacks = "no rescale, which a CT has" if table or windowed else "neither rescale nor window"
        told = f"a DICOM file with grey of {bits} bits and {lacks}: how bright it is cannot be known"
        raise BadImageError(file, told, "complete its header, or convert it to PNG")
    meant = apply_modality_lut(values, header)
    if table:
        entries, first, bits = table[0].LUTDescriptor
        table[0].LUTDescriptor = [entries, first, 16]  # as eight bits, pydicom would count entries by no more
        shown = apply_voi(_within(meant, entries, first), header) / (2**bits - 1)
    elif windowed:
        ends = apply_windowing(np.array([-np.inf, np.inf]), header)
        shown = (apply_windowing(meant, header) - ends[0]) / (ends[1] - ends[0])
    elif bits > 8 or header.get("ModalityLUTSequence"):
        return stretch_to_eight_bits(file, meant)
    else:
        lowest = -(2 ** (bits - 1)) if header.PixelRepresentation else 0
        ends = np.sort(apply_modality_lut(np.array([lowest, lowest + 2**bits - 1]), header))
        shown = (meant - ends[0]) / (ends[1] - ends[0])
    if not np.isfinite(shown).all():
        raise ValueError("values that are no numbers")
    return np.asarray(np.rint(255 * np.clip(shown, 0, 1)), dtype=np.uint8)


def _within(values: NDArray[Any], entries: int, first: int) -> NDArray[Any]:
    """Return values as the ends of a table where they lie beyond it, by which pydicom lets them wrap around."""
    within: NDArray[Any] = np.clip(values, first, first + (entries or 2**16) - 1)
    return within
