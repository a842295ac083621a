"""The networks of a job: timm's, with their normalisation, feature maps and initial states; and its device.

A network is built once for each role and backbone; every fit loads its states into it.
"""

import ctypes
import difflib
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timm
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from weckd.config import BackboneSettings, Suite
from weckd.data.weights import read_weights, registered_weights
from weckd.errors import UserError
from weckd.files import file_digest
from weckd.methods.fits import Fit
from weckd.seeds import stream_seed
from weckd.training.gate import attach_gates
from weckd.training.layers import exchange_layers
from weckd.training.limits import no_maps, out_of_memory, packaged_file

State = dict[str, Tensor]

THREADS = 1
"""CPU threads of a training job: two jobs use two cores, and another count changes the ninth digit."""
_INSTRUCTION_SETS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")
"""The vector extensions that oneDNN chooses its kernels by."""
_KEPT_MEMORY = ((-1, 2**31 - 1), (-3, 2**30))
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h, bytes."""
SMALLEST_MAP = 4
"""Pixels a side below which a map is not compared: a 1x1 map, normalised, is a constant."""


def prepare_device() -> torch.device:
    """Choose the first CUDA device, else the CPU, and make torch deterministic on it."""
    # cuBLAS is deterministic only with a fixed workspace, and reads this when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    # Every tensor is written before it is read here; filling new ones first would cost a tenth of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # set at import
    torch.backends.cudnn.benchmark = False
    keep_memory()
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def keep_memory() -> bool:
    """Have freed memory kept for what is allocated next, instead of given back to the system; return whether it is.

    The system hands pages out zeroed, one fault each: of a step at 128 px that took up to an eighth, of an evaluation
    two thirds. Other C libraries than GNU's are left as they are.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    return set_option is not None and all(set_option(option, most) for option, most in _KEPT_MEMORY)


def device_kind(device: torch.device) -> str:
    """Return what decides the bytes of a result on this device: card, or CPU instruction sets in use."""
    if device.type == "cuda":
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        return f"cuda {torch.version.cuda} cudnn {cudnn} {torch.cuda.get_device_name(device)}"
    names = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")
    caps = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    sets = [name for name in _INSTRUCTION_SETS if name in flags]
    return " ".join(["cpu", platform.machine(), torch.backends.cpu.get_cpu_capability(), *sets, *caps])


def tensors(stored: Mapping[str, NDArray[Any]]) -> State:
    """Return a stored state as a network takes it."""
    return {key: torch.from_numpy(value) for key, value in stored.items()}


def arrays(state: State) -> dict[str, NDArray[Any]]:
    """Return a state as it is stored."""
    return {key: value.numpy() for key, value in state.items()}


def surroundings() -> dict[str, str | int]:
    """Return what else of the machine a fit's record holds, which decides none of its bytes."""
    driver = Path("/proc/driver/nvidia/version")
    version = {"driver": driver.read_text().splitlines()[0]} if driver.exists() else {}
    return {"threads": THREADS, "python": platform.python_version(), **version}


class Backbone(nn.Module):
    """A timm network that is fed its own normalisation: it takes images in [0, 1].

    Teacher and student may have been made for different means and deviations; the views of a step are the same for
    both, and each network turns them into its own input.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module) -> None:
        """Take over a timm network, with the mean and deviation that its weights were made for."""
        super().__init__()
        self.network = network
        for name in ("mean", "std"):
            value = torch.tensor(network.pretrained_cfg[name])[:, None, None]  # type: ignore[index]
            self.register_buffer(name, value, persistent=False)

    @property
    def gates(self) -> nn.ModuleList:
        """The network's attention gates, where it has any (see `weckd.training.gate`)."""
        gates: nn.ModuleList = self.network.gates  # type: ignore[assignment]
        return gates

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (B, C) of images (B, 3, H, W) in [0, 1]."""
        logits: Tensor = self.network(self._normalised(images))
        return logits

    def with_features(self, images: Tensor, stages: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
        """Return logits (B, C) and the feature maps of `stages`, from one forward pass."""
        last, features = self.network.forward_intermediates(  # type: ignore[operator]
            self._normalised(images), indices=list(stages)
        )
        return self.network.forward_head(last), features  # type: ignore[operator]

    def _normalised(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std


def build_backbone(name: str, classes: int) -> nn.Module:
    """Return a timm network with a classifier for `classes` classes; weights from torch's generator.

    The name is that of the architecture, or has the tag of weights whose normalisation it shall have.

    Raises:
        UserError: timm has no such network, or no such weights of it.
    """
    architecture, tag = name.partition(".")[::2]
    known = timm.list_models()
    if architecture not in known:
        close = difflib.get_close_matches(architecture, known, n=5)
        near = f"near names: {', '.join(close)}" if close else "timm.list_models() lists all"
        raise UserError(f"backbone.name: timm has no network {architecture!r}; {near}")
    if tag:
        registered_weights(name)
    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=classes)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def set_batchnorm_momentum(network: nn.Module, momentum: float) -> None:
    """Set the weight of a new batch in the running statistics of every BatchNorm layer."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = momentum


def attention_stages(map_sizes: Sequence[tuple[int, int]], count: int = 2) -> list[int]:
    """Return the indices of the `count` deepest stages whose maps are at least 4x4, shallow to deep.

    `map_sizes` has the (height, width) of each feature stage, shallow to deep.
    """
    return [index for index, size in enumerate(map_sizes) if min(size) >= SMALLEST_MAP][-count:]


def map_sizes(network: nn.Module, image_size: int) -> list[tuple[int, int]]:
    """Return height and width of the maps of a timm network's feature stages, shallow to deep; none where it has none.

    Raises:
        UserError: the network takes no images of this size.
    """
    if not hasattr(network, "forward_intermediates"):
        return []
    device = next(network.parameters()).device
    training = network.training
    with torch.inference_mode(), takes_images(network, image_size):
        network.eval()
        _, maps = network.forward_intermediates(torch.zeros(1, 3, image_size, image_size, device=device))  # type: ignore[operator]
    network.train(training)
    return [(int(m.shape[2]), int(m.shape[3])) for m in maps if m.ndim == 4]


@contextmanager
def takes_images(network: nn.Module, image_size: int) -> Iterator[None]:
    """Turn a pass that a network cannot make in a block into a message.

    Raises:
        UserError: it takes no images of this size.
    """
    try:
        yield
    except (AssertionError, ValueError, IndexError, RuntimeError) as problem:
        if out_of_memory(problem):
            raise
        why = (str(problem).splitlines() or [type(problem).__name__])[0].rstrip(".")
        raise UserError(
            f"image_size: {_architecture(network)} takes no images of {image_size} px ({why}); "
            "use another image_size or backbone"
        ) from problem


def attention_indices(network: nn.Module, image_size: int) -> list[int]:
    """Return the feature stages of a timm network whose attention maps are compared at this image size.

    Raises:
        UserError: it has no feature stage, or none with maps of at least 4x4, or takes no such images.
    """
    sizes = map_sizes(network, image_size)
    if not (indices := attention_stages(sizes)):
        raise UserError(no_maps(_architecture(network), image_size, len(sizes)))
    return indices


def _architecture(network: nn.Module) -> str:
    return str(network.pretrained_cfg["architecture"])  # type: ignore[index]


@dataclass
class Networks:
    """Modules by role, built when they are first needed."""

    backbone: BackboneSettings  # of fits that name none
    classes: int
    image_size: int
    batchnorm_momentum: float
    device: torch.device
    exchange: bool = True  # layers, on a CPU, for those of `weckd.training.layers`
    _built: dict[tuple[str, BackboneSettings, bool], Backbone] = field(default_factory=dict)
    _attention: dict[BackboneSettings, list[int]] = field(default_factory=dict)

    def settings(self, fit: Fit) -> BackboneSettings:
        """Return the backbone of a fit's network."""
        return fit.backbone or self.backbone

    def attention(self, fit: Fit) -> list[int]:
        """Return the feature stages that attention transfer compares, or whose maps are gated, in a fit's network.

        Raises:
            UserError: the images are too small for any.
        """
        settings = self.settings(fit)
        if settings not in self._attention:
            plain = self._module("student", settings, gate=False)
            self._attention[settings] = attention_indices(plain.network, self.image_size)
        return self._attention[settings]

    def student(self, fit: Fit, state: State, role: str = "student") -> Backbone:
        """Return the network to be trained, or in another role one that is trained beside it, in training mode."""
        return self._loaded(role, fit, state).train()

    def teachers(self, fits: Sequence[Fit], states: Sequence[State]) -> list[Backbone]:
        """Return one network for each fit's state, in evaluation mode and without gradients."""
        return [
            self._loaded(f"teacher {number}", fit, state).eval().requires_grad_(False)
            for number, (fit, state) in enumerate(zip(fits, states, strict=True), start=1)
        ]

    def _loaded(self, role: str, fit: Fit, state: State) -> Backbone:
        if fit.gate:
            self.attention(fit)  # looked up in a network without gates, before one with them is built
        module = self._module(role, self.settings(fit), fit.gate)
        module.network.load_state_dict(state)
        return module

    def _module(self, role: str, settings: BackboneSettings, gate: bool) -> Backbone:
        if (role, settings, gate) not in self._built:
            network = build_backbone(settings.fetched or settings.name, self.classes)
            set_batchnorm_momentum(network, self.batchnorm_momentum)
            if self.exchange and self.device.type == "cpu":
                exchange_layers(network)
            if gate:
                attach_gates(network, self._attention[settings], self.image_size)
            self._built[role, settings, gate] = Backbone(network).to(self.device)
        return self._built[role, settings, gate]


def suite_networks(suite: Suite, dataset: str) -> Networks:
    """Return the networks of a suite's fits on one data set, on the device that is prepared for them."""
    classes, training = len(suite.facts[dataset].classes), suite.training
    size, momentum = suite.image_size, training.batchnorm_momentum
    return Networks(suite.backbone, classes, size, momentum, prepare_device(), training.exchange_layers)


def initial_state(
    settings: BackboneSettings, dataset: str, classes: int, seed: int, member: int, weights: Path
) -> State:
    """Return the seed's initial state of timm's network.

    Keyed by (data set, seed, backbone, classes), members other than 1 also by member: the same for every method, and
    independent between data sets, whose gains are compared as if they were. For the folder of fetched weights see
    `weckd.data.weights`.

    Raises:
        UserError: there is no such network, or its weights are not there or do not fit.
    """
    axes = (dataset, seed, settings.name, classes, *((member,) if member != 1 else ()))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed("init", *axes))
        fetched = settings.fetched
        network = (
            _fetched_network(fetched, classes, weights) if fetched else build_backbone(settings.name, classes)
        )
        if settings.init == "imagenet":
            _load_packaged_weights(network, settings.name)
        if settings.init != "random":
            _draw_small_head(network)
    return {key: value.clone() for key, value in network.state_dict().items()}


def weights_digest(settings: BackboneSettings, weights: Path) -> str | None:
    """Return the SHA-256 of the pretrained file, or None for a random start.

    Raises:
        UserError: the file is not there.
    """
    if settings.init == "random":
        return None
    if settings.fetched:
        return read_weights(weights, settings.fetched).sha256
    return file_digest(packaged_file(settings.name))


def _fetched_network(name: str, classes: int, weights: Path) -> nn.Module:
    """Return timm's network with the weights of a local file, all but the classifier's.

    timm brings the names in older files up to date, but only warns of what a file lacks; so it is checked here.

    Raises:
        UserError: the file is not there or does not fit.
    """
    file = read_weights(weights, name).path
    network: nn.Module = timm.create_model(
        name, pretrained=True, pretrained_cfg_overlay={"file": str(file)}, num_classes=classes
    )
    given = {_values(tensor) for tensor in load_file(file).values()}
    classifier = network.pretrained_cfg["classifier"]  # type: ignore[index]
    for key, value in network.state_dict().items():
        if value.is_floating_point() and not key.startswith(f"{classifier}.") and _values(value) not in given:
            raise UserError(f"{file}: holds no {key} of timm's {name}; remove it and fetch it again")
    return network


def _values(tensor: Tensor) -> bytes:
    """Return a tensor's values alone: bringing a file up to date may change a tensor's shape."""
    return tensor.float().contiguous().numpy().tobytes()


def _draw_small_head(network: nn.Module) -> None:
    """Draw the classifier from N(0, 0.01^2) with zero bias, as is usual for fine-tuning.

    timm's own draw for EfficientNets is scaled by the number of classes alone: with four of them the first
    logits spread over tens, and a divergence weighted by T^2 then drowns all else.
    """
    head = network.get_classifier()  # type: ignore[operator]
    nn.init.normal_(head.weight, std=0.01)
    nn.init.zeros_(head.bias)


def _load_packaged_weights(network: nn.Module, name: str) -> None:
    """Copy the packaged tensors in order; the classifier keeps its random state.

    Raises:
        UserError: the file's tensors do not fit the network.
    """
    file = packaged_file(name)
    packaged = list(torch.load(file, map_location="cpu", weights_only=True).values())
    state = network.state_dict()
    classifier = network.pretrained_cfg["classifier"]  # type: ignore[index]
    if len(packaged) != len(state):
        raise UserError(f"{file}: holds {len(packaged)} tensors, the network {len(state)}")
    for (key, value), tensor in zip(state.items(), packaged, strict=True):
        if key.startswith(f"{classifier}."):
            continue
        if value.shape != tensor.shape:
            raise UserError(f"{file}: shape {tuple(tensor.shape)} does not fit {key} {tuple(value.shape)}")
        value.copy_(tensor)
