import os
import socket
import struct
import warnings
import zlib
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image, ImageOps

from weckd.data.decode import decode_image, stretch_to_eight_bits
from weckd.errors import BadImageError
from weckd.files import file_digest

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def pixel(file):
    image = decode_image(file).image
    assert image.mode == "RGB"
    return image.getpixel((0, 0))


def test_the_content_decides_not_the_extension(tmp_path):
    Image.new("RGB", (8, 6), BLUE).save(tmp_path / "a.jpg", format="PNG")
    assert pixel(tmp_path / "a.jpg") == BLUE


def test_modes_become_the_colours_that_a_person_sees(tmp_path):
    file = tmp_path / "a.png"
    Image.new("L", (4, 4), 77).save(file)
    assert pixel(file) == (77, 77, 77)
    Image.new("1", (4, 4), 1).save(file)
    assert pixel(file) == (255, 255, 255)
    Image.new("RGB", (4, 4), GREEN).quantize(2).save(file)
    assert Image.open(file).mode == "P"
    assert pixel(file) == GREEN
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    assert pixel(tmp_path / "a.tif") == RED


def test_transparent_pixels_stand_on_black(tmp_path):
    file = tmp_path / "a.png"
    Image.new("RGBA", (4, 4), (200, 100, 50, 0)).save(file)
    assert pixel(file) == (0, 0, 0)
    Image.new("RGBA", (4, 4), (200, 100, 50, 255)).save(file)
    assert pixel(file) == (200, 100, 50)
    Image.new("RGBA", (4, 4), (200, 100, 50, 51)).save(file)  # one fifth
    assert pixel(file) == (40, 20, 10)
    Image.new("LA", (4, 4), (200, 51)).save(file)
    assert pixel(file) == (40, 40, 40)
    Image.new("L", (4, 4), 9).save(file, transparency=9)
    assert pixel(file) == (0, 0, 0)
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, *RED])
    palette.save(file, transparency=1)
    with warnings.catch_warnings(action="error"):
        assert pixel(file) == (0, 0, 0)


def test_sixteen_bits_are_stretched_to_their_own_range(tmp_path):
    values = np.array([[1000, 1500], [2000, 3000]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    seen = np.asarray(decode_image(tmp_path / "a.png").image)
    assert seen[:, :, 0].tolist() == [[0, 64], [128, 255]]  # 255 * (0, 1/4, 1/2, 1)
    assert (seen == seen[:, :, :1]).all()
    Image.fromarray(np.full((2, 2), 500, dtype=np.uint16)).save(tmp_path / "a.png")
    assert pixel(tmp_path / "a.png") == (0, 0, 0)


def test_exif_rotation_is_applied(tmp_path):
    image = Image.new("RGB", (4, 2), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    image.putpixel((0, 0), BLUE)
    image.save(tmp_path / "a.png", exif=exif)
    decoded = decode_image(tmp_path / "a.png")
    assert (decoded.width, decoded.height) == decoded.image.size == (2, 4)
    assert decoded.image.getpixel((1, 0)) == BLUE
    image.save(tmp_path / "a.jpg", exif=exif)
    assert decode_image(tmp_path / "a.jpg").image.size == (2, 4)


def test_a_cmyk_jpeg_shows_its_colours(tmp_path):
    Image.new("CMYK", (16, 16), (255, 0, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    red, green, blue = pixel(tmp_path / "a.jpg")
    assert (red < 10, green > 245, blue < 10) == (True, True, True)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "jpeg"])
def test_tiff_is_read(tmp_path, compression):
    Image.new("RGB", (16, 16), (200, 100, 50)).save(tmp_path / "a.tif", compression=compression)
    assert np.abs(np.subtract(pixel(tmp_path / "a.tif"), (200, 100, 50))).max() <= 3


def smooth(width, height):
    """Return a picture without fine detail, in which any wrong scaling or turning shows."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return Image.fromarray(np.stack([255 * x, 255 * y, 255 * (x + y) / 2], axis=2).astype(np.uint8))


@pytest.mark.parametrize(
    ("at_least", "size"),
    [(None, (1600, 1200)), (601, (1600, 1200)), (600, (800, 600)), (300, (400, 300)), (1, (200, 150))],
)
def test_a_large_jpeg_is_decoded_at_a_fraction_that_keeps_both_sides(tmp_path, at_least, size):
    smooth(1600, 1200).save(tmp_path / "a.jpg", quality=95)
    decoded = decode_image(tmp_path / "a.jpg", at_least)
    assert decoded.image.size == size
    assert (decoded.width, decoded.height) == (1600, 1200)
    seen = np.asarray(decoded.image.resize((32, 32), Image.Resampling.BOX), dtype=int)
    plain = np.asarray(smooth(1600, 1200).resize((32, 32), Image.Resampling.BOX), dtype=int)
    assert np.abs(seen - plain).max() <= 3


def test_other_kinds_are_decoded_whole(tmp_path):
    smooth(1600, 1200).save(tmp_path / "a.png")
    assert decode_image(tmp_path / "a.png", 100).image.size == (1600, 1200)


def test_the_hash_is_of_the_file(tmp_path):
    smooth(8, 8).save(tmp_path / "a.png")
    assert decode_image(tmp_path / "a.png").file_sha256 == file_digest(tmp_path / "a.png")


def refusal(file):
    with pytest.raises(BadImageError) as refused:
        decode_image(file)
    assert str(refused.value) == f"{file}: {refused.value.what}; {str(refused.value).rpartition('; ')[2]}"
    return str(refused.value).removeprefix(f"{file}: ")


def test_an_image_of_too_many_pixels_is_refused_before_it_is_unfolded(tmp_path, monkeypatch):
    Image.new("1", (10_000, 9_000)).save(tmp_path / "a.png")  # 11 kB
    with pytest.warns(Image.DecompressionBombWarning):
        assert refusal(tmp_path / "a.png") == (
            "too large to decode (10000x9000 pixels, the limit is 80,000,000); replace it by a smaller copy"
        )
    Image.new("1", (20_000, 18_000)).save(tmp_path / "a.png")
    assert refusal(tmp_path / "a.png").startswith(
        "too large to decode (Image size (360000000 pixels) exceeds limit"
    )


def test_a_file_that_may_not_be_read_is_refused(tmp_path):
    smooth(8, 8).save(tmp_path / "b.png")
    (tmp_path / "b.png").chmod(0)
    tmp_path.chmod(0o755)
    with as_nobody():
        assert refusal(tmp_path / "b.png").startswith("cannot be read (Permission denied); give yourself")


@contextmanager
def as_nobody():
    """Drop root's right to read everything, where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def png_of_no_size(file):
    smooth(8, 8).save(file)
    content = bytearray(file.read_bytes())
    content[16:24] = bytes(8)  # width and height of the header
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    file.write_bytes(content)


def test_an_image_of_no_size_is_refused(tmp_path):
    png_of_no_size(tmp_path / "a.png")
    assert "; " in refusal(tmp_path / "a.png")


def test_an_image_cut_short_is_refused_in_words_that_every_run_repeats(tmp_path):
    smooth(64, 64).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content[: len(content) // 2])
    told = refusal(tmp_path / "a.png")
    assert told.startswith("cannot be decoded (")
    assert told.endswith("); replace it by an intact copy")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 40)
    assert "0x" not in refusal(tmp_path / "a.png")


def test_a_link_that_leads_nowhere_or_in_a_circle_is_refused(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "b.png").symlink_to(tmp_path / "b.png")
    for name in ("a.png", "b.png"):
        assert refusal(tmp_path / name) == (
            "a link that leads nowhere; get the file that it names, or remove it"
        )
    smooth(8, 8).save(tmp_path / "nowhere", format="PNG")
    assert decode_image(tmp_path / "a.png").image.size == (8, 8)


def test_what_may_never_end_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "folder.png").mkdir()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "s.png"))
    for name, kind in (("pipe", "pipe"), ("zero", "device"), ("folder", "folder"), ("s", "socket")):
        assert refusal(tmp_path / f"{name}.png") == f"a {kind}, not a file; remove it"


def test_a_file_of_too_many_bytes_is_refused(tmp_path, monkeypatch):
    smooth(8, 8).save(tmp_path / "a.png")
    size = (tmp_path / "a.png").stat().st_size
    monkeypatch.setattr("weckd.data.decode.FILE_LIMIT", size)
    assert decode_image(tmp_path / "a.png").image.size == (8, 8)
    monkeypatch.setattr("weckd.data.decode.FILE_LIMIT", size - 1)
    assert refusal(tmp_path / "a.png") == (f"larger than {size - 1} bytes; replace it by a smaller copy")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_are_refused(tmp_path, value):
    values = np.linspace(0, 1, 1600, dtype=np.float32).reshape(40, 40)
    values[3, 4] = values[5, 6] = value
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert refusal(tmp_path / "a.tif") == (
        "2 of its 1,600 pixels are NaN or infinite; replace it by a sound copy"
    )


def test_values_too_far_apart_for_a_stretch_are_refused(tmp_path):
    with pytest.raises(BadImageError) as refused:
        stretch_to_eight_bits(tmp_path / "1.mat", np.array([-1e308, 1e308]))
    assert str(refused.value) == (
        f"{tmp_path}/1.mat: its pixels' values, from -1e+308 to 1e+308, are too far apart; "
        "replace it by a sound copy"
    )


LEVELS = [-100, -50, 0, 25, 100]
STRETCHED = [0, 64, 128, 159, 255]  # 255 * (0, 1/4, 1/2, 5/8, 1)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "f4", "u2", "u4"])
def test_tiffs_of_every_depth_show_white_as_white(tmp_path, kind, order):
    if (kind, order) == ("u4", ">"):
        kind = "u2"  # Pillow does not read these, as the test below shows
    offset = 100 if kind[0] == "u" else 0
    scale = {"u2": 300, "u4": 20_000_000, "i1": 1}.get(kind, 80)  # u4: beyond what 31 bits hold
    values = ((np.array([LEVELS]) + offset) * scale).astype(order + kind)
    seen = {}
    for photometric in (0, 1):
        file = plain_tiff(tmp_path / f"{photometric}.tif", values, photometric, order)
        seen[photometric] = np.asarray(decode_image(file).image)[0, :, 0].astype(int)
    assert seen[1].tolist() == STRETCHED
    assert np.abs(seen[0] + seen[1] - 255).max() <= 1, "rounding apart, white is zero in one of them"


def test_one_ramp_of_eight_and_of_sixteen_bits_is_one_ramp_where_white_is_zero(tmp_path):
    ramp = np.arange(256)[np.newaxis]
    low = plain_tiff(tmp_path / "8.tif", ramp.astype("<u1"), 0)
    high = plain_tiff(tmp_path / "16.tif", (ramp * 257).astype("<u2"), 0)
    packed = tmp_path / "packed.tif"
    Image.open(high).save(packed, compression="tiff_lzw", tiffinfo={262: 0})
    for file in (low, high, packed):
        assert np.asarray(decode_image(file).image)[0, :, 0].tolist() == list(range(255, -1, -1)), file


def plain_tiff(file, values, photometric, order="<"):
    """Write an uncompressed grey TIFF, of depths and orders that Pillow itself does not write."""
    height, width = values.shape
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    bits = 8 * values.dtype.itemsize
    tags = ((256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 200), (277, 1))
    tags = (*tags, (278, height), (279, values.nbytes), (339, kind))
    content = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    content += b"".join(struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    file.write_bytes(content.ljust(200, b"\0") + values.tobytes())
    return file


def test_a_tiff_of_a_kind_that_is_not_read_is_not_called_no_image(tmp_path):
    for values in (np.ones((2, 2), ">u4"), np.ones((2, 2), "<f8")):
        file = plain_tiff(tmp_path / "a.tif", values, 1, values.dtype.str[0])
        assert refusal(file) == (
            "a TIFF file that is damaged, or of a kind that is not read; "
            "replace it by an intact copy, or convert it to PNG"
        )


def test_a_transparent_value_among_sixteen_bits_is_black_and_stretches_nothing(tmp_path):
    Image.fromarray(np.array([[1000, 65535], [2000, 3000]], dtype=np.uint16)).save(
        tmp_path / "a.png", transparency=65535
    )
    assert np.asarray(decode_image(tmp_path / "a.png").image)[:, :, 0].tolist() == [[0, 0], [128, 255]]


def test_grey_that_is_multiplied_by_its_alpha_is_read(tmp_path):
    Image.new("LA", (4, 4), (40, 51)).save(tmp_path / "a.tif")
    content = (tmp_path / "a.tif").read_bytes()
    separate, multiplied = (struct.pack("<HHIHH", 338, 3, 1, kind, 0) for kind in (2, 1))
    assert content.count(separate) == 1
    (tmp_path / "a.tif").write_bytes(content.replace(separate, multiplied))
    with Image.open(tmp_path / "a.tif") as opened:
        assert opened.mode == "La"
    assert pixel(tmp_path / "a.tif") == (40, 40, 40)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_whose_exif_holds_nonsense_is_shown_upright(tmp_path, kind):
    exif = Image.Exif()
    exif[282] = exif[283] = 96.0  # pixels an inch
    exif[0x0112] = 6
    smooth(64, 32).save(tmp_path / "a", format=kind, exif=exif, quality=95)
    content = (tmp_path / "a").read_bytes()
    assert content.count(struct.pack(">II", 96, 1)) == 2
    content = content.replace(struct.pack(">II", 96, 1), struct.pack(">iI", -1, 0))
    if kind == "PNG":
        at = content.index(b"eXIf")
        length = int.from_bytes(content[at - 4 : at], "big")
        checksum = zlib.crc32(content[at : at + 4 + length]).to_bytes(4, "big")
        content = content[: at + 4 + length] + checksum + content[at + 8 + length :]
    (tmp_path / "a").write_bytes(content)
    decoded = decode_image(tmp_path / "a")
    assert (decoded.width, decoded.height) == decoded.image.size == (32, 64)
    upright = np.asarray(smooth(64, 32).transpose(Image.Transpose.ROTATE_270), dtype=int)
    assert np.abs(np.asarray(decoded.image) - upright).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth(64, 32).save(tmp_path / "a.png", exif=exif)
    smooth(64, 32).save(tmp_path / "a.tif", exif=exif)
    with Image.open(tmp_path / "a.png") as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    for name in ("a.png", "a.tif"):
        decoded = decode_image(tmp_path / name)
        assert np.array_equal(decoded.image, expected)
        assert (decoded.height, decoded.width) == expected.shape[:2]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n",
            "a pointer in the place of the file itself; get the file with `git lfs pull`",
        ),
        (
            b"../../.git/annex/objects/Xx/MD5E-s1--1.png",
            "a pointer in the place of the file itself; get the file with `git annex get`",
        ),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            "PostScript, which is a program and is not run; convert it to PNG, or remove it",
        ),
        (b"%PDF-1.7\n", "a PDF document; save its pictures as PNG files, and remove it"),
        (b'<?xml version="1.0"?>\n<svg width="9">', "an SVG drawing; convert it to PNG, or remove it"),
        (b"\n<!DOCTYPE html>\n<html>", "a web page in the place of the file; download it again"),
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "a HEIC picture, which is not read; convert it to PNG, or remove it",
        ),
        (
            b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif",
            "an AVIF picture, which is not read; convert it to PNG, or remove it",
        ),
        (
            b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
            "a camera's raw picture, which is not read; convert it to PNG, or remove it",
        ),
        (
            b"\0\0\0\x18ftypisom\0\0\2\0isomiso2",
            "a video; save the frames that you need as PNG files, and remove it",
        ),
        (b"\xff\x0a\xfa\x7f", "a JPEG XL picture, which is not read; convert it to PNG, or remove it"),
        (b"8BPS\0\1", "a Photoshop picture, which is not read; convert it to PNG, or remove it"),
        (
            b"\xd7\xcd\xc6\x9a\0\0",
            "a Windows metafile, which is not read; convert it to PNG, or remove it",
        ),
        (
            bytes(344) + b"n+1\0",
            "a volume of many slices, which is not read; save its slices as PNG files, and remove it",
        ),
        (b"\x93NUMPY\1\0", "an array, not a picture; save its pictures as PNG files, and remove it"),
        (b"PK\3\4\x14\0", "a zip archive; unpack it, and remove it"),
        (b"PK\5\6" + bytes(18), "a zip archive; unpack it, and remove it"),
        (b"Rar!\x1a\7\1\0", "a RAR archive; unpack it, and remove it"),
        (b"\x1f\x8b\x08\0", "an archive; unpack it, and remove it"),
        (b"\xef\xbb\xbf\n<!DOCTYPE HTML PUBLIC>", "a web page in the place of the file; download it again"),
        *(
            (beginning, "a picture of a kind that is not read; convert it to PNG, or remove it")
            for beginning in (
                b"\0\0\1\0\1\0",
                b"PF\n2 1\n-1.0\n",
                b"P7\nWIDTH 1\n",
                b"#define eye_width 8\n",
                b"/* XPM */\n",
                b"SIMPLE  =                    T",
                b"v/1\x01\2\0\0\0",
                b"#?RADIANCE\n",
            )
        ),
        (
            bytes((0, 0, 2, *bytes(9), 4, 0, 4, 0, 24, 0, *bytes(48))),  # TGA
            "a picture of a kind that is not read; convert it to PNG, or remove it",
        ),
        (b"name,class\no1.jpg,normal\n", "not an image; remove it, and its row where a table lists it"),
    ],
)
def test_a_file_of_another_kind_is_told_as_what_it_is(tmp_path, content, told):
    (tmp_path / "o1.jpg").write_bytes(content)
    assert refusal(tmp_path / "o1.jpg") == told


def test_a_reason_without_words_is_told_by_its_kind(tmp_path):
    smooth(4, 4).convert("P").save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    start = whole.index(b"PLTE") - 4
    end = start + 12 + int.from_bytes(whole[start : start + 4])
    (tmp_path / "a.png").write_bytes(whole[:start] + whole[end:])
    assert refusal(tmp_path / "a.png") == "cannot be decoded (AssertionError); replace it by an intact copy"


def test_the_preview_in_a_cameras_raw_file_is_not_taken_for_the_picture(tmp_path):
    smooth(8, 8).save(tmp_path / "a.tif", tiffinfo={254: 1, 330: 8})
    told = "a camera's raw picture, which is not read; convert it to PNG, or remove it"
    assert refusal(tmp_path / "a.tif") == told
    smooth(8, 8).save(tmp_path / "a.tif", tiffinfo={254: 1})
    assert decode_image(tmp_path / "a.tif").image.size == (8, 8)


@pytest.mark.parametrize(("bits", "last"), [(2, 3), (4, 15)])
def test_a_transparent_value_of_fewer_than_eight_bits_is_black(tmp_path, bits, last):
    row = bytes([0, last << (8 - bits)])  # no filter, then a light and a dark pixel
    header = struct.pack(">IIBBBBB", 2, 1, bits, 0, 0, 0, 0)
    chunks = {b"IHDR": header, b"tRNS": struct.pack(">H", last), b"IDAT": zlib.compress(row), b"IEND": b""}
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    ]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert pixel(tmp_path / "a.png") == (0, 0, 0)
    parts[1] = b""
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert pixel(tmp_path / "a.png") == (255, 255, 255)


def test_a_line_of_pixels_is_refused_as_making_it_short_would_fill_the_memory(tmp_path):
    Image.new("1", (1_000_001, 1)).save(tmp_path / "a.png")
    assert refusal(tmp_path / "a.png") == (
        "too long to decode (1000001x1 pixels, the limit of a side is 1,000,000); replace it by a smaller copy"
    )
    Image.new("1", (1, 1_000_000)).save(tmp_path / "a.png")
    assert decode_image(tmp_path / "a.png").image.size == (1, 1_000_000)
