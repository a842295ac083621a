import os
import warnings
import zlib
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from weckd.data.decode import decode_image
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
    (tmp_path / "a.png").symlink_to(tmp_path / "nowhere")
    assert refusal(tmp_path / "a.png") == (
        "cannot be read (No such file or directory); give yourself the right to read it, or replace it"
    )
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
