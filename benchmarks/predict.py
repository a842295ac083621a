"""`weckd predict` on 1,000 image files, against nothing but their decoding and the forward passes.

Both are measured in turns, in one process and with the same number of decoding threads; a ratio is the median over the
turns of the ratios, of wall time and of the processor time of all threads. The network is a tf_efficientnet_lite0 at 64
pixels with random weights.

Run: python benchmarks/predict.py; it writes benchmarks/predict.md.
"""

import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import save_file
from workplace import FOLDER, machine

from weckd.config import BackboneSettings
from weckd.data.decode import decode_image, square
from weckd.data.layouts import decoded_side
from weckd.files import write_json
from weckd.models.export import load_model, timm_config
from weckd.models.folder import CONFIG, FORMAT, WEIGHTS, Checked, Origin, Score, Tested, digests, write_origin
from weckd.models.predict import predict
from weckd.training.batches import outputs
from weckd.training.networks import build_backbone, prepare_device

IMAGES, SIDE, TURNS, BATCH = 1000, 64, 5, 256
CLASSES = ("eosinophil", "lymphocyte", "monocyte", "neutrophil")
KINDS = {"PNG of 64 x 64": ((64, 64), "png"), "JPEG of 640 x 480": ((640, 480), "jpg")}


def write_model(folder: Path) -> None:
    """Write an exported model that no run made."""
    backbone = BackboneSettings("tf_efficientnet_lite0", "random")
    torch.manual_seed(0)
    state = build_backbone(backbone.name, len(CLASSES)).state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, folder / WEIGHTS)
    write_json(folder / CONFIG, timm_config(SimpleNamespace(backbone=backbone), CLASSES, SIDE))
    tested = Tested(0, 0, Score(0, None, None), Score(0, None, None), {}, {})
    own = dict.fromkeys(
        ("run", "plan_hash", "dataset", "title", "method", "fit", "fit_of_run", "fingerprint", "split"), ""
    )
    parts: dict[str, tuple[str, ...]] = {"training": (), "validation": (), "test": ()}
    origin = Origin(
        **own,
        **{"format": FORMAT, "settings": {}, "stage": 1, "seed": 1, "classes": CLASSES, "image_size": SIDE},
        **{"trained": {}, "temperature": 1.5, "tested": tested, "checked": Checked("", 0, 0), "seen": parts},
        **{"versions": {}, "files": digests(folder)},
    )
    write_origin(folder, origin)


def write_images(folder: Path, size: tuple[int, int], end: str) -> None:
    """Write images with some structure, so that a JPEG is as large as one of a microscope."""
    folder.mkdir()
    draws = np.random.default_rng(0)
    for number in range(IMAGES):
        coarse = draws.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(folder / f"{number:04d}.{end}")


def bare(model: Path, folder: Path) -> None:
    """Decode all images, then run the network over them."""
    network = load_model(model, prepare_device())
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        decoded = pool.map(
            lambda file: square(decode_image(file, decoded_side(SIDE)).image, SIDE), sorted(folder.iterdir())
        )
        images = torch.from_numpy(np.stack(list(decoded)))
    for at in range(0, IMAGES, BATCH):
        batch = images[at : at + BATCH]
        outputs(network, batch, np.arange(len(batch)))


def seconds(run: Callable[[], object]) -> tuple[float, float]:
    """Return the wall and processor seconds of a call."""
    wall, used = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - used


def main() -> None:
    """Measure, and write the page."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        model = place / "model"
        model.mkdir()
        write_model(model)
        for kind, (size, end) in KINDS.items():
            folder = place / end
            write_images(folder, size, end)
            turns = []
            for turn in range(TURNS + 1):
                plain = seconds(partial(bare, model, folder))
                whole = seconds(partial(predict, model, [folder], place / "p.csv", batch_size=BATCH))
                if turn:  # the first warms up
                    turns.append((*plain, *whole))
            wall, used, whole_wall, whole_used = np.array(turns).T
            rows.append(
                {
                    "files": kind,
                    "bare: s": f"{median(wall):.2f}",
                    "predict: s": f"{median(whole_wall):.2f}",
                    "ratio": f"{median(whole_wall / wall):.2f}",
                    "ratio of processor time": f"{median(whole_used / used):.2f}",
                }
            )
            print(rows[-1], flush=True)
    text = (
        f"# Predicting {IMAGES:,} images\n\n"
        f"tf_efficientnet_lite0 at {SIDE} px, medians of {TURNS} turns, {machine()}. Made by "
        "`python benchmarks/predict.py`. Bare: decoding and forward passes alone, one after the other, with as many "
        "threads. Other work ran on the machine, so that the ratios count and not the "
        "seconds. [docs/performance.md](../docs/performance.md) says what it means.\n\n"
        f"{pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)}\n"
    )
    (FOLDER / "predict.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
