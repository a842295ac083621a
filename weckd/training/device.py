"""Where a job trains, set up so that the same device kind gives the same bytes; and what a fit costs there."""

import os
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

THREADS = 1
"""CPU threads of a training job: two jobs use two cores, and another count changes the ninth digit."""

_INSTRUCTION_SETS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")


def prepare_device() -> torch.device:
    """Choose the first CUDA device, else the CPU, and make torch deterministic on it."""
    # cuBLAS is deterministic only with a fixed workspace, and reads this when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    # Every tensor is written before it is read here; filling new ones first would cost a tenth of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # set at import
    torch.backends.cudnn.benchmark = False
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_kind(device: torch.device) -> str:
    """Return what decides the bytes of a result on this device: card, or CPU instruction sets in use."""
    if device.type == "cuda":
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        return f"cuda {torch.version.cuda} cudnn {cudnn} {torch.cuda.get_device_name(device)}"
    caps = [
        f"{name}={os.environ[name]}"
        for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")
        if name in os.environ
    ]
    parts = [platform.machine(), torch.backends.cpu.get_cpu_capability(), *_instruction_sets(), *caps]
    return " ".join(["cpu", *parts])


def surroundings() -> dict[str, str | int]:
    """Return what else of the machine a fit's record holds, which decides none of its bytes."""
    driver = Path("/proc/driver/nvidia/version")
    version = {"driver": driver.read_text().splitlines()[0]} if driver.exists() else {}
    return {"threads": THREADS, "python": platform.python_version(), **version}


def _instruction_sets() -> list[str]:
    """Return the vector extensions that oneDNN chooses its kernels by, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return []
    flags = next((line.split() for line in info.read_text().splitlines() if line.startswith("flags")), [])
    return [name for name in _INSTRUCTION_SETS if name in flags]


@dataclass
class Phases:
    """Seconds of named phases, one after another; a GPU's work is waited for where a phase ends."""

    device: torch.device
    _seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin to watch the memory of a GPU."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Add the seconds of a block to a phase."""
        began = time.monotonic()
        yield
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.add(phase, time.monotonic() - began)

    def add(self, phase: str, seconds: float) -> None:
        """Add seconds to a phase."""
        self._seconds[phase] = self._seconds.get(phase, 0.0) + seconds

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each phase, to a millisecond."""
        return {phase: round(seconds, 3) for phase, seconds in self._seconds.items()}

    def peak_memory(self) -> dict[str, int]:
        """Return bytes: the largest memory of this process so far, and of this fit on a GPU."""
        host = {"host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
        if self.device.type != "cuda":
            return host
        return {**host, "device": torch.cuda.max_memory_allocated(self.device)}
