"""A method's network of one cell written as a folder of its own, which timm reads by itself."""

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import timm
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from torch import Tensor

from weckd import __version__
from weckd.analysis.metrics.confidence import all_right, temperatures
from weckd.analysis.metrics.scores import Predicted, Validation, accuracy, balanced_accuracy
from weckd.analysis.predictions import read_predictions
from weckd.config import Suite
from weckd.data.prepared import read_facts, read_index
from weckd.data.splits import CUT_MARK, part_rows, written_split
from weckd.errors import UserError, unreadable
from weckd.files import file_digest, whole_folder, write_json, write_text
from weckd.locks import StopRequest
from weckd.models.card import card_text
from weckd.models.find import FoundFit, find_network, laid_out, prepared_images
from weckd.models.folder import (
    CARD,
    CONFIG,
    FORMAT,
    ONNX,
    ORIGIN,
    WEIGHTS,
    Checked,
    Origin,
    Tested,
    digests,
    image_hashes,
    write_origin,
)
from weckd.models.intervals import one_network
from weckd.models.onnx_file import PACKAGES, onnx_network, require_packages, write_onnx
from weckd.run_files import RunFiles
from weckd.training.batches import CellData, Prepared, cell_data, load_prepared, outputs
from weckd.training.gather import probabilities_of
from weckd.training.limits import memory_for
from weckd.training.networks import Backbone, build_backbone, device_kind, prepare_device

ROUNDING = 1e-4
"""Share of the largest logit that the exported network's logits may differ by, on the device that it was trained on: a
pass over other batches adds up in another order."""
_ELSEWHERE = 0.05
"""The same on another kind of device, where convolutions may be computed with fewer digits."""
_SETTINGS = (
    *("image_size", "backbone", "training", "augmentation", "distillation", "split", "exclude_classes"),
    "groups_threshold",
)
_LIBRARIES = ("torch", "timm", "numpy", "safetensors", "pillow")


def export_model(
    suite: Suite,
    run: RunFiles,
    dataset: str,
    method: str,
    seed: int,
    out: Path,
    data_root: Path | None,
    stop: StopRequest,
    *,
    onnx: bool = False,
) -> Origin:
    """Write the folder of a method's network in one cell (see `weckd.models.folder`), and return where it comes from.

    The network is taken from the store of fits, or trained again where its weights were not kept. What is written is
    read by timm, and the ONNX file by onnxruntime, and run over the test images: refused unless it gives the fit's own
    logits.

    Args:
        suite: of the run.
        run: its files, or those of a frozen reference.
        dataset: key of a data set of the suite.
        method: one of the suite's, whose last stage is one network that timm builds.
        seed: one of the suite's.
        out: folder to write; an earlier export there is replaced.
        data_root: the user's own data sets, where the images are not prepared yet; None: those of the run.
        stop: request to stop, which is heeded between two steps of training.
        onnx: write an ONNX file too.

    Raises:
        UserError: see `weckd.models.find.find_network`; `out` holds something else; what was written gives other
            logits; or ONNX is asked for, and a package that it needs is missing.
    """
    if onnx:
        require_packages()
    if out.exists() and not (out / ORIGIN).exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: there is something that is no exported model; choose another folder")
    if method not in suite.methods:
        raise UserError(f"--method {method}: the run has no such method; known: {', '.join(suite.methods)}")
    with laid_out(run, suite) as files:
        found = find_network(suite, files, dataset, method, seed, data_root, stop)
        folder = prepared_images(suite, files, dataset, data_root)
        split = written_split(files.split(dataset, seed))
        device = prepare_device()
        images = load_prepared(dataset, folder, device)
        if images.fingerprint != found.cell.shared["fingerprint"]:
            raise UserError(
                f"{folder}: not the images that {method} was trained on; remove that folder and name the data set's "
                "own images with --data-root"
            )
        classes = suite.facts[dataset].classes
        stage = len(found.cell.methods[method].stages)
        stored = read_predictions(files.prediction(dataset, seed), suite, dataset, seed)
        stored = stored[(stored["method"] == method) & (stored["stage"] == stage)]
        rows = _rows_of_parts(found, method, split)
        doubtful = _copies(split, rows), _suspected(files.audit / "pairs.csv", suite, dataset, split, rows)
        tested, agreeing = _tested(found, split, classes, stored, *doubtful)
        with whole_folder(out) as beside:
            weights = {key: np.asarray(value, order="C") for key, value in found.stored.weights().items()}
            (beside / WEIGHTS).write_bytes(save(weights, {"format": "pt"}))
            config = timm_config(found, classes, suite.image_size)
            write_json(beside / CONFIG, config)
            data = cell_data(images, 1, split, len(classes))
            with memory_for("predictions of the test images", "use a machine or a GPU with more"):
                checked = _checked_by_timm(beside, found, data)
                checked_onnx = _written_onnx(beside, found, data, suite.image_size) if onnx else None
            settings = {key: value for key, value in asdict(suite).items() if key in _SETTINGS}
            libraries = (*_LIBRARIES, *(PACKAGES if onnx else ()))
            origin = Origin(
                format=FORMAT,
                run=suite.run,
                plan_hash=suite.plan_hash,
                settings=settings,
                dataset=dataset,
                title=suite.facts[dataset].title,
                method=method,
                stage=stage,
                seed=seed,
                classes=classes,
                image_size=suite.image_size,
                fit=found.identity,
                fit_of_run=found.of_run,
                trained={key: found.shared[key] for key in ("device", "versions", "source")},
                fingerprint=images.fingerprint,
                split=file_digest(files.split(dataset, seed)),
                temperature=_temperature(found, split),
                tested=tested,
                checked=checked,
                seen=_seen(split, rows, images),
                versions={"weckd": __version__, **{name: version(name) for name in libraries}},
                files=digests(beside),
                checked_onnx=checked_onnx,
            )
            write_origin(beside, origin)
            patients = bool((read_index(folder)["given_group"] != "").any())
            text = card_text(
                suite, origin, found, read_facts(folder), config["pretrained_cfg"], agreeing, patients
            )
            write_text(beside / CARD, text)
    return origin


def timm_config(found: FoundFit, classes: tuple[str, ...], image_size: int) -> dict[str, Any]:
    """Return what config.json holds: the network, and how its images are prepared.

    The suite resizes an image as a whole to a square, which timm calls to squash it, and crops nothing.
    """
    name = found.backbone.fetched or found.backbone.name
    network = build_backbone(name, len(classes))
    given: Any = network.pretrained_cfg
    of_images = {
        "input_size": [3, image_size, image_size],
        "interpolation": "bicubic",
        "crop_pct": 1.0,
        "crop_mode": "squash",
        "mean": list(given["mean"]),
        "std": list(given["std"]),
    }
    fixed, built_for = given["fixed_input_size"], given["input_size"][1]
    of_network = {key: given.get(key) for key in ("first_conv", "classifier")}
    # Some networks of a fixed size take images of others too: timm would build them for those, with other weights.
    other = fixed and built_for != image_size
    return {
        "architecture": found.backbone.name,
        **({"model_args": {"img_size": built_for}} if other else {}),
        "num_classes": len(classes),
        "num_features": network.num_features,
        "label_names": list(classes),
        "pretrained_cfg": {
            **of_images,
            **of_network,
            "fixed_input_size": fixed and not other,
            "num_classes": len(classes),
            "pool_size": None,
        },
    }


def load_model(folder: Path, device: torch.device) -> Backbone:
    """Return the network of an exported folder, in evaluation mode; it takes images in [0, 1]."""
    network: torch.nn.Module = timm.create_model(f"local-dir:{folder}", pretrained=True)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Backbone(network).to(device).eval()


def _rows_of_parts(found: FoundFit, method: str, split: pd.DataFrame) -> dict[str, NDArray[np.int64]]:
    """Return the rows of a split that a network and its parents were trained on, chosen on and tested on."""
    of_part = part_rows(split)
    fits = [found.cell.fits[identity] for identity in found.cell.methods[method].fits]
    parts = {part for fit in fits for part in (*fit["parts"], *fit["unlabelled"])}
    return {
        "training": np.unique(np.concatenate([of_part[part] for part in sorted(parts)])),
        "validation": of_part.get("validation", np.empty(0, dtype=np.int64)),
        "test": of_part["test"],
    }


def _copies(split: pd.DataFrame, rows: Mapping[str, NDArray[np.int64]]) -> NDArray[np.bool_]:
    """Return which test images have a copy among the source's images for training: of an official test part alone."""
    return split["group_id"].iloc[rows["test"]].str.endswith(CUT_MARK).to_numpy(dtype=np.bool_)


def _suspected(
    pairs: Path, suite: Suite, dataset: str, split: pd.DataFrame, rows: Mapping[str, NDArray[np.int64]]
) -> NDArray[np.bool_] | None:
    """Return which test images the run's audit suspects to be variants of some that the network learnt from.

    None where it did not look for any: it does not in phantoms, and an unfinished run may have none.
    """
    if suite.facts[dataset].phantom or not pairs.exists():
        return None
    with unreadable(pairs, "does not tell suspected variants", "make it again with snakemake"):
        listed = pd.read_csv(pairs, dtype=str, keep_default_na=False)
        listed = listed[(listed["dataset"] == dataset) & (listed["kind"] == "suspected")]
        ends = listed[["image_a", "image_b"]].to_numpy()
    ids = split["image_id"].to_numpy()
    learnt = np.isin(ends, ids[np.concatenate([rows["training"], rows["validation"]])])
    return np.isin(ids[rows["test"]], ends[learnt[:, ::-1]])  # whose other end it learnt from


def _tested(
    found: FoundFit,
    split: pd.DataFrame,
    classes: tuple[str, ...],
    stored: pd.DataFrame,
    copies: NDArray[np.bool_],
    suspected: NDArray[np.bool_] | None,
) -> tuple[Tested, int]:
    """Return the scores on the test images, and how many of them the run predicts alike.

    They are made of the run's stored predictions, or, of a network that was trained again, of its own.
    """
    rows = split[split["part"] == "test"]
    own = probabilities_of(found.stored.logits("test")).astype(np.float32)
    columns = [f"p_{number}" for number in range(len(classes))]
    of_image = stored[stored["split"] == "test"].assign(image_id=lambda frame: frame["image_id"].astype(str))
    theirs = of_image.set_index("image_id").loc[rows["image_id"], columns].to_numpy(dtype=np.float32)
    if not found.again and not np.array_equal(own, theirs):
        raise UserError(
            f"{found.stored.folder}: its predictions are not those of the run; delete that folder and run snakemake "
            "again"
        )
    y = rows["y"].to_numpy(dtype=np.int64)
    groups = np.unique(rows["group_id"], return_inverse=True)[1]
    predicted = Predicted(own[None], y, groups, ())
    right = own.argmax(axis=1) == y
    counts = np.bincount(y, minlength=len(classes))
    others = ~copies if suspected is None else ~(copies | suspected)
    without = Predicted(own[None, others], y[others], np.unique(groups[others], return_inverse=True)[1], ())
    tested = Tested(
        images=len(y),
        groups=int(groups.max()) + 1,
        accuracy=one_network(accuracy(predicted)),
        balanced_accuracy=one_network(balanced_accuracy(predicted)),
        of_class={name: float(right[y == number].mean()) for number, name in enumerate(classes)},
        images_of_class={name: int(counts[number]) for number, name in enumerate(classes)},
        copies=int(copies.sum()),
        suspected=None if suspected is None else int(suspected.sum()),
        accuracy_without=one_network(accuracy(without)) if others.any() and not others.all() else None,
    )
    return tested, int((own.argmax(axis=1) == theirs.argmax(axis=1)).sum())


def _temperature(found: FoundFit, split: pd.DataFrame) -> float | None:
    """Return the temperature of the validation images; None where there are none, or all are right."""
    y = split.loc[split["part"] == "validation", "y"].to_numpy(dtype=np.int64)
    if not len(y):
        return None
    validation = Validation(probabilities_of(found.stored.logits("validation")).astype(np.float32), y)
    return None if all_right(validation) else float(temperatures((validation,))[0])


def _checked_by_timm(folder: Path, found: FoundFit, data: CellData) -> Checked:
    device, remedy = data.images.device, "delete that folder to have it trained again"
    logits = outputs(load_model(folder, device), data.images, data.parts["test"])
    return _checked(logits, found, device, "as timm reads its network", remedy)


def _written_onnx(folder: Path, found: FoundFit, data: CellData, image_size: int) -> Checked:
    """Write an exported folder's network as ONNX too, and return how far its logits are from the fit's."""
    network = load_model(folder, cpu := torch.device("cpu"))
    write_onnx(network, image_size, folder / ONNX)
    logits = outputs(onnx_network(folder / ONNX, network), data.images, data.parts["test"])
    return _checked(logits, found, cpu, "as onnxruntime runs its network", "leave --onnx out")


def _checked(logits: Tensor, found: FoundFit, device: torch.device, how: str, remedy: str) -> Checked:
    """Return how far logits of the test images, computed on a device, are from the fit's.

    Raises:
        UserError: they are others.
    """
    expected: NDArray[np.float32] = found.stored.logits("test")
    difference = float(np.abs(logits.cpu().numpy() - expected).max())
    scale = float(np.abs(expected).max())
    kind = device_kind(device)
    allowed = ROUNDING if kind == found.shared["device"] else _ELSEWHERE
    if not difference <= allowed * scale:
        raise UserError(
            f"{found.stored.folder}: {how}, logits differ by {difference:.3g} from the stored ones of up to "
            f"{scale:.3g}; nothing is exported; {remedy}"
        )
    return Checked(kind, difference, scale)


def _seen(
    split: pd.DataFrame, rows: Mapping[str, NDArray[np.int64]], images: Prepared
) -> dict[str, tuple[str, ...]]:
    """Return the short hashes of the images of each part."""
    hashes = pd.Series(image_hashes(images.images.cpu().numpy()), index=images.image_ids)
    ids = split["image_id"].to_numpy()
    return {part: tuple(sorted({*hashes.loc[ids[chosen]].tolist()})) for part, chosen in rows.items()}
