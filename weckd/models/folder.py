"""The folder of an exported model, as it is read back: weights and settings are what was written, or are refused.

model.safetensors   weights, by timm's own names
config.json         how timm builds the network and prepares its images; read by "local-dir:" and by the Hub
model.onnx          where it was asked for: the network with its weights, for ONNX runtimes
README.md           the model card, for people; it may be edited
weckd.json          where the network comes from: run, fit, images by their hashes, scores, digests, versions
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weckd.config import build
from weckd.errors import UserError, unreadable
from weckd.files import file_digest, refuse_other, with_sum, without_sum, write_json

FORMAT = 1
WEIGHTS, CONFIG, CARD, ORIGIN = "model.safetensors", "config.json", "README.md", "weckd.json"
ONNX = "model.onnx"
_AGAIN = "export it again with `weckd export`"
PARTS = ("training", "validation", "test")


@dataclass(frozen=True)
class Score:
    """A share or an error, with its interval; `low` and `high` are None where there is none."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Tested:
    """What the network's own predictions of the run's test images say."""

    images: int
    groups: int
    accuracy: Score
    balanced_accuracy: Score
    of_class: dict[str, float]  # share of a class's test images that are right
    images_of_class: dict[str, int]
    copies: int = 0  # images with a copy among the source's images for training, of an official test part
    suspected: int | None = (
        None  # that may be variants of images it learnt from; None where none were looked for
    )
    accuracy_without: Score | None = None  # of all others; None where there are neither, or no others


@dataclass(frozen=True)
class Checked:
    """How the exported files were compared with the fit's own predictions of the test images."""

    device: str
    difference: float  # largest, of a logit
    scale: float  # largest logit


@dataclass(frozen=True)
class Origin:
    """What weckd.json holds."""

    format: int
    run: str
    plan_hash: str
    settings: dict[str, Any]  # of the suite that decide the fit
    dataset: str
    title: str
    method: str
    stage: int
    seed: int
    classes: tuple[str, ...]
    image_size: int
    fit: str  # identity of the fit, under which results/fits has it
    fit_of_run: str  # the one that the run's manifest names; another one where it was trained again elsewhere
    trained: dict[str, Any]  # device kind, versions and digest of the code
    fingerprint: str  # of the prepared images
    split: str  # SHA-256 of the split file
    temperature: float | None  # chosen on the validation images; None where they do not tell one
    tested: Tested
    checked: Checked
    seen: dict[str, tuple[str, ...]]  # `image_hashes` of its images, sorted, by part
    versions: dict[str, str]
    files: dict[str, str]  # SHA-256 by name
    checked_onnx: Checked | None = None  # of model.onnx; None where there is none


_DIGITS = 16


def image_hashes(images: NDArray[np.uint8]) -> list[str]:
    """Return the first hex digits of the SHA-256 of each prepared image (N, S, S, 3): copies of one are found by it."""
    return [hashlib.sha256(image.tobytes()).hexdigest()[:_DIGITS] for image in images]


def write_origin(folder: Path, origin: Origin) -> None:
    """Write weckd.json, with its own sum."""
    write_json(folder / ORIGIN, with_sum(asdict(origin)))


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of what decides a prediction."""
    return {name: file_digest(folder / name) for name in (WEIGHTS, CONFIG, ONNX) if (folder / name).exists()}


def read_origin(folder: Path) -> Origin:
    """Return where an exported model comes from.

    Raises:
        UserError: the folder is none of `weckd export`, or one of its files is missing or not what was written.
    """
    file = folder / ORIGIN
    if not file.is_file():
        raise UserError(f"{folder}: no exported model, it has no {ORIGIN}; make one with `weckd export`")
    with unreadable(file, "not what `weckd export` wrote", _AGAIN):
        content = without_sum(file.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}, this version reads {FORMAT}")
        origin: Origin = build(Origin, content)
    for name, digest in origin.files.items():
        refuse_other(folder / name, digest, ORIGIN, _AGAIN)
    return origin


def read_config(folder: Path) -> dict[str, Any]:
    """Return what config.json holds; `read_origin` has compared it with its digest."""
    config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    return config
