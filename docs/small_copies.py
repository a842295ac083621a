"""Make the small copies of real images that lie in the package, weckd/data/small/.

    python docs/small_copies.py PATH                          into the package, which is to give the same bytes
    python docs/small_copies.py PATH --out FOLDER

PATH holds ear_chile/ and blood_bccd/, class folders, and brain_cheng/, images with their labels.csv. Each image is
resized as `weckd prepare` does it, to 64 pixels a side, and written as WebP. Of brain_cheng every third patient is kept
(p001, p004, ..), with all of its slices; of the others all images are. The bytes are those of the versions of Pillow in
requirements.lock; members of an archive are sorted, and have neither time nor owner.
"""

import argparse
import csv
import io
import lzma
import tarfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from weckd.data.decode import decode_image
from weckd.files import whole_file

PACKAGED = Path(__file__).resolve().parents[1] / "weckd" / "data" / "small"
SIDE, QUALITY = 64, 85
PATIENTS = 3
"""Of so many patients of brain_cheng one is kept."""
KEYS = ("ear_chile", "blood_bccd", "brain_cheng")


def write_archive(source: Path, out: Path) -> None:
    """Write the small copy of one data set.

    Args:
        source: folder of the data set.
        out: archive to write, .tar.xz.
    """
    with (
        whole_file(out) as temporary,
        tarfile.open(temporary, "w:xz", preset=9 | lzma.PRESET_EXTREME) as archive,
    ):
        for name, content in sorted(_members(source)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def _members(source: Path) -> Iterator[tuple[str, bytes]]:
    table = source / "labels.csv"
    if not table.is_file():
        yield from ((_webp(file.relative_to(source)), _small(file)) for file in source.rglob("*.jpg"))
        return
    with table.open(encoding="utf-8", newline="") as rows:
        kept = [row for row in csv.DictReader(rows) if int(row["patient"][1:]) % PATIENTS == 1]
    text = io.StringIO()
    writer = csv.DictWriter(text, kept[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**row, "image": _webp(Path(row["image"]))} for row in kept)
    yield table.name, text.getvalue().encode()
    yield from ((_webp(Path(row["image"])), _small(source / row["image"])) for row in kept)


def _webp(path: Path) -> str:
    return path.with_suffix(".webp").as_posix()


def _small(file: Path) -> bytes:
    image = decode_image(file).image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    content = io.BytesIO()
    image.save(content, "WEBP", quality=QUALITY, method=6)
    return content.getvalue()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the small copies of real images.")
    parser.add_argument("path", type=Path, help="folder of the data sets")
    parser.add_argument("--out", type=Path, default=PACKAGED, help="folder to write (the package's)")
    options = parser.parse_args()
    for key in KEYS:
        write_archive(options.path / key, options.out / f"{key}_small.tar.xz")
