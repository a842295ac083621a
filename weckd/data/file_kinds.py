"""What a file is that no decoder takes: told by its first bytes, so that a refusal can say what to do."""

import re
import stat
from pathlib import Path

FOLDER = "a folder"
RAW = "a camera's raw picture, which is not read"
CONVERT = "convert it to PNG, or remove it"
_UNPACK = "unpack it, and remove it"
_SLICES = "save its slices as PNG files, and remove it"
_FRAMES = "save the frames that you need as PNG files, and remove it"
_PAGE = "a web page in the place of the file"
_POINTER = "a pointer in the place of the file itself"
_INTACT = "replace it by an intact copy, or convert it to PNG"
_OTHER = "a picture of a kind that is not read"
_READ = (
    (rb"\x89PNG", "PNG"),
    (rb"\xff\xd8\xff", "JPEG"),
    (rb"GIF8", "GIF"),
    (rb"II[*+]\0|MM\0[*+]", "TIFF"),
    (rb"RIFF.{4}WEBP", "WebP"),
    (rb".{4}jP  ", "JPEG 2000"),
)
_KINDS = (
    (rb"version https://git-lfs\.github\.com/spec/", _POINTER, "get the file with `git lfs pull`"),
    (rb".{0,200}/annex/objects/", _POINTER, "get the file with `git annex get`"),
    (rb"%!|\xc5\xd0\xd3\xc6", "PostScript, which is a program and is not run", CONVERT),
    (rb"%PDF", "a PDF document", "save its pictures as PNG files, and remove it"),
    (rb"(\xef\xbb\xbf)?\s*(<\?xml.{0,800})?<svg", "an SVG drawing", CONVERT),
    (rb"(\xef\xbb\xbf)?\s*<(?i:!doctype html|html|head|body|script)", _PAGE, "download it again"),
    (rb".{4}ftyp.{0,40}avi[fs]", "an AVIF picture, which is not read", CONVERT),
    (rb".{4}ftyp(hei|hev|mif1|msf1)", "a HEIC picture, which is not read", CONVERT),
    (rb".{4}ftypcrx |FUJIFILMCCD|IIU\0|IIR[OS]|\0MRM|FOVb", RAW, CONVERT),
    (rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI ", "a video", _FRAMES),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL picture, which is not read", CONVERT),
    (rb"8BPS", "a Photoshop picture, which is not read", CONVERT),
    (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", "a Windows metafile, which is not read", CONVERT),
    (rb".{128}DICM", "a DICOM file, which is not read here", CONVERT),
    (rb".{344}(n\+|ni)[12]\0|NRRD0|ObjectType =", "a volume of many slices, which is not read", _SLICES),
    (rb"MATLAB 5\.0 MAT-file", "a MATLAB file of an old version", "save it with -v7.3 in MATLAB"),
    (rb"\x89HDF|\x93NUMPY", "an array, not a picture", "save its pictures as PNG files, and remove it"),
    (rb"PK(\x03\x04|\x05\x06)", "a zip archive", _UNPACK),
    (rb"Rar!", "a RAR archive", _UNPACK),
    (rb"7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ|.{257}ustar", "an archive", _UNPACK),
    *(
        (start, f"a {name} file that is damaged, or of a kind that is not read", _INTACT)
        for start, name in _READ
    ),
    # Portable floats and any maps, X bitmaps, FITS, OpenEXR and Radiance; icons, PCX, SGI, QOI, DDS and TGA.
    (rb"P[F7]\s|#define \w+_width|/\* XPM|SIMPLE  =|v/1\x01|#\?R", _OTHER, CONVERT),
    (rb"\0\0[\x01\x02]\0|\x0a[\0-\x05]\x01|\x01\xda|qoif|DDS |icns", _OTHER, CONVERT),
    (rb".[\0\x01][\x01-\x03\x09-\x0b].{13}[\x08\x0f\x10\x18\x20]", _OTHER, CONVERT),
)
_IRREGULAR = (
    (stat.S_ISDIR, FOLDER),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode), "a device"),
)


def recognised(content: bytes) -> tuple[str, str] | None:
    """Return what a file is and the remedy, by its first bytes; None where they say nothing."""
    found = (told for pattern, *told in _KINDS if re.match(pattern, content, re.DOTALL))
    return next(((what, remedy) for what, remedy in found), None)


def irregular(path: Path) -> str:
    """Return what is in a file's place that must not be read, as it may never end; "" for a file.

    Links are followed; one that leads nowhere counts as a file, and reading it says so.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""
    return next((name for test, name in _IRREGULAR if test(mode)), "")
