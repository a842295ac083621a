"""What an exported network says of images: a table with a row an image, and pictures of where it looks."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from weckd.errors import BadImageError, UserError, counted, duration, unreadable
from weckd.files import whole_file, whole_folder
from weckd.models.export import load_model
from weckd.models.folder import Origin, image_hashes, read_origin
from weckd.models.images import decoded_batches, image_files
from weckd.training.batches import outputs
from weckd.training.gather import probabilities_of
from weckd.training.limits import memory_for
from weckd.training.networks import Backbone, attention_stages, map_sizes, prepare_device
from weckd.training.objectives.distillation import attention_energy

_PROGRESS_SECONDS = 5.0
_BEGIN = b"file,prediction,"
"""How a table of predictions begins."""
_OVERLAY = 224
"""Pixels a side that an overlay has at least."""


def predict(
    folder: Path,
    given: Sequence[Path],
    out: Path,
    *,
    skip_bad: bool = False,
    batch_size: int,
    maps: Path | None = None,
) -> str:
    """Write a CSV with a row an image: file, prediction, p_<class> of each class, and where the network has a
    temperature calibrated_p_<class>; return what is told of it.

    Args:
        folder: of an exported model.
        given: images, folders of them, or tables that list them.
        out: file to write.
        skip_bad: name images that cannot be read, and leave them out, instead of stopping.
        batch_size: images a pass.
        maps: new or empty folder for a PNG an image, the image under its attention map; they are numbered as the rows.

    Raises:
        UserError: the folder is no exported model, or not what was written; an image cannot be read; none is left;
            memory runs out; the network has no map to show; or `out` or `maps` holds something else.
    """
    origin, files = read_origin(folder), image_files(given)
    _refuse_taken(out, maps, (*files, *given))
    device = prepare_device()
    rows: list[tuple[object, ...]] = []
    bad: list[BadImageError] = []
    hashes: list[str] = []
    began = told = time.monotonic()
    with (
        whole_folder(maps) if maps else nullcontext() as overlays,
        memory_for(f"predictions of {batch_size} images at a time", smaller(batch_size)),
    ):
        network = load_model(folder, device)
        stage = _stage(network, origin) if maps else None
        for batch in decoded_batches(files, origin.image_size, batch_size):
            bad += batch.bad
            for problem in batch.bad:
                if not skip_bad:
                    raise UserError(f"{problem}, or leave out what cannot be read with --skip-bad")
                print(f"[predict] left out: {problem}", file=sys.stderr, flush=True)
            if len(batch.files):
                hashes += image_hashes(batch.images)
                images = torch.from_numpy(batch.images).to(device)
                every = np.arange(len(images))
                logits = outputs(network, images, every).cpu().numpy()
                if overlays and stage is not None:
                    shown = outputs(lambda views: _energy(network, stage, views), images, every).cpu().numpy()
                    _write_overlays(overlays, batch.files, batch.images, shown, len(rows))
                rows += _rows(origin, batch.files, logits)
            done = len(rows) + len(bad)
            if time.monotonic() - told >= _PROGRESS_SECONDS and done < len(files):
                told = time.monotonic()
                left = duration((told - began) / done * (len(files) - done))
                print(f"[predict] {done}/{len(files)} images, about {left} left", file=sys.stderr, flush=True)
        if not rows:
            raise UserError(f"none of {counted(len(files), 'image')} can be read (the first: {bad[0]})")
    frame = pd.DataFrame(rows, columns=columns(origin))
    with whole_file(out) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")
    counts = Counter(frame["prediction"])
    found = ", ".join(f"{counts[name]} {name}" for name in origin.classes if counts[name])
    lines = [f"{out}: {counted(len(rows), 'image')}: {found}" + (f"; {len(bad)} left out" if bad else "")]
    trained_on = {*origin.seen["training"]}
    if learnt := sum(name in trained_on for name in hashes):
        what = "images that it was trained on; being right on those says nothing of new ones"
        lines.append(f"{learnt} of {len(rows)} are {what}")
    if again := len(hashes) - len({*hashes}):
        lines.append(f"{again} of {len(rows)} have the pixels of an image in a row before")
    return "\n".join(lines)


def _refuse_taken(out: Path, maps: Path | None, given: Sequence[Path]) -> None:
    """Refuse to write over anything but an earlier table of predictions, or into a folder with other maps."""
    if out.is_file():
        with unreadable(out, "cannot be read", "choose another name"), out.open("rb") as stream:
            begin = stream.read(len(_BEGIN))
        if begin != _BEGIN or any(file.exists() and file.samefile(out) for file in given):
            raise UserError(
                f"--out {out}: is there, and no earlier table of predictions; choose another name"
            )
    if maps and maps.exists() and (not maps.is_dir() or any(maps.iterdir())):
        raise UserError(f"--maps {maps}: is there, and not empty; choose another folder, or empty it")


def columns(origin: Origin) -> list[str]:
    """Return the columns of a table of predictions."""
    calibrated = [f"calibrated_p_{name}" for name in origin.classes if origin.temperature is not None]
    return ["file", "prediction", *(f"p_{name}" for name in origin.classes), *calibrated]


def _rows(origin: Origin, files: Sequence[Path], logits: NDArray[np.float32]) -> list[tuple[object, ...]]:
    shown = [probabilities_of(logits)]
    if origin.temperature is not None:
        shown.append(probabilities_of(logits / origin.temperature))
    names = (origin.classes[number] for number in logits.argmax(axis=1))
    return [
        (str(file), name, *values)
        for file, name, values in zip(files, names, np.hstack(shown).tolist(), strict=True)
    ]


def smaller(batch_size: int) -> str:
    """Return the advice for passes that do not fit."""
    return f"try --batch-size {batch_size // 2}" if batch_size > 1 else "give it more"


def _stage(network: Backbone, origin: Origin) -> int:
    """Return the deepest feature stage whose maps are at least 4x4."""
    found = attention_stages(map_sizes(network.network, origin.image_size))
    if not found:
        raise UserError(
            f"--maps: the network has no feature maps of at least 4x4 of images of {origin.image_size} px; leave it out"
        )
    return found[-1]


def _energy(network: Backbone, stage: int, images: Tensor) -> Tensor:
    _, (features,) = network.with_features(images, [stage])
    return attention_energy(features)


def _write_overlays(
    folder: Path,
    files: Sequence[Path],
    images: NDArray[np.uint8],
    maps: NDArray[np.float32],
    before: int,
) -> None:
    """Write a PNG an image, under its map (n, h, w); `before` rows come before these."""
    for number, (file, image, values) in enumerate(zip(files, images, maps, strict=True), start=before + 1):
        overlay(image, values).save(folder / f"{number:06d}-{file.stem}.png")


def overlay(image: NDArray[np.uint8], values: NDArray[np.float32]) -> Image.Image:
    """Return an image (S, S, 3) half covered by a map (h, w) in colours, from its own 0 (dark) to its highest (bright).

    Both are enlarged by the whole number that gives 224 pixels a side or more.
    """
    from matplotlib import colormaps  # noqa: PLC0415 - takes a while, and only overlays need it

    side = image.shape[0] * -(-_OVERLAY // image.shape[0])
    shares = values / (values.max() or 1.0)
    wide = Image.fromarray(shares.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR)
    colours = Image.fromarray((colormaps["inferno"](np.asarray(wide))[..., :3] * 255).astype(np.uint8))
    return Image.blend(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC), colours, 0.5)
