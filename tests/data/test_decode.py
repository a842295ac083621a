import warnings

import numpy as np
from PIL import Image

from weckd.data.decode import decode_image

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def pixel(file):
    image = decode_image(file)
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
    seen = np.asarray(decode_image(tmp_path / "a.png"))
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
    seen = decode_image(tmp_path / "a.png")
    assert seen.size == (2, 4)
    assert seen.getpixel((1, 0)) == BLUE
