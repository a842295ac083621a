"""A small run on a phantom whose networks can be exported, and what its files say by another way of reading them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import timm
import torch
from prepared_phantom import KEY, SEED, gather, make_workplace
from safetensors.numpy import load_file

from weckd.config import suite_json
from weckd.files import with_sum, write_json, write_text
from weckd.locks import StopRequest
from weckd.models.export import export_model
from weckd.training.job import train_batch

METHODS = ["weckd", "single", "pooled", "ensemble", "attention=gate", "majority"]
SETTINGS = {"methods": METHODS, "tuned": False, "keep_weights": ["pooled"]}


def trained(root, **changes):
    """Return a run below `root`, trained and gathered."""
    place = make_workplace(root, **{**SETTINGS, **changes})
    finish(place.suite, place.run)
    return place


def finish(suite, run):
    """Train and gather a run on the phantom."""
    write_text(run.suite, suite_json(suite))
    train_batch(suite, run, KEY, [SEED], 60.0, StopRequest())
    gather(run, SEED)


def export(place, out, method="weckd", run=None, data_root=None, onnx=False):
    """Export one network of a run."""
    where = (place.suite, run or place.run, KEY, method, SEED, out, data_root)
    return export_model(*where, StopRequest(), onnx=onnx)


def of_run(run, method):
    """Return the run's stored predictions of a method's last stage, its test images in the order of the split."""
    split = pd.read_csv(run.split(KEY, SEED), dtype=str)
    rows = pd.read_parquet(run.prediction(KEY, SEED)).query("method == @method and split == 'test'")
    last = rows[rows["stage"] == rows["stage"].max()].set_index("image_id")
    return last.loc[split.loc[split["part"] == "test", "image_id"]].reset_index()


def logits_of(folder, place, images):
    """Return logits (n, C) of prepared images by name, as somebody with timm and the folder alone computes them."""
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    prepared = np.load(place.prepared / "images.npy")
    index = list(pd.read_csv(place.prepared / "index.csv")["image_id"])
    given = json.loads(Path(folder, "config.json").read_text())["pretrained_cfg"]
    values = torch.from_numpy(prepared[[index.index(name) for name in images]]).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(given[name])[:, None, None] for name in ("mean", "std"))
    with torch.inference_mode():
        return model((values - mean) / std).numpy()


def without_temperature(folder, copy):
    """Return a copy of an exported folder as of a network whose validation images tell no temperature."""
    shutil.copytree(folder, copy)
    content = json.loads((copy / "weckd.json").read_text())
    write_json(copy / "weckd.json", with_sum({**content, "temperature": None}))
    return copy


def weights(folder):
    return load_file(Path(folder, "model.safetensors"))
