"""Which kernels NumPy and its linear algebra use, settled before they start, so that tables have the same bytes.

NumPy picks faster code on processors with AVX-512, whose exponentials and logarithms differ in the last digit from
those of AVX2. The analysis is light: it uses the same code on both. Training is torch's, and keeps all that a
processor has; its device kind is recorded.
"""

import os
from pathlib import Path

WITHOUT_AVX512 = {"NPY_DISABLE_CPU_FEATURES": "X86_V4", "OPENBLAS_CORETYPE": "Haswell"}
"""X86_V4 is NumPy's name for AVX-512; Haswell is that for AVX2."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Two jobs use two cores, and bytes do not depend on the count."""


def settle_kernels(processor: Path = Path("/proc/cpuinfo")) -> None:
    """Set what the user has not set; to be called before NumPy is imported."""
    settings = ONE_THREAD | (WITHOUT_AVX512 if _has_avx512(processor) else {})
    for name, value in settings.items():
        os.environ.setdefault(name, value)


def _has_avx512(processor: Path) -> bool:
    """Tell whether the system says so; elsewhere there is nothing to switch off."""
    return processor.exists() and "avx512f" in processor.read_text(encoding="utf-8").split()
