"""Tables must have the same bytes on processors with and without AVX-512."""

import os
import subprocess
import sys

from weckd.numpy_kernels import settle_kernels

NAMES = ("NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE", "OMP_NUM_THREADS")
FEATURES = """
from weckd.numpy_kernels import settle_kernels
settle_kernels()
from numpy._core._multiarray_umath import __cpu_features__ as features
print(features.get("X86_V4", False))
"""


def settings(tmp_path, flags, monkeypatch, **own):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "cpuinfo").write_text(f"flags\t\t: fpu avx2 {flags}\n")
    settle_kernels(tmp_path / "cpuinfo")
    return [os.environ.get(name) for name in NAMES]


def test_only_a_processor_with_avx512_has_something_to_switch_off(tmp_path, monkeypatch):
    assert settings(tmp_path, "avx512f avx512vl", monkeypatch) == ["X86_V4", "Haswell", "1"]
    assert settings(tmp_path, "bmi2", monkeypatch) == [None, None, "1"]


def test_what_the_user_has_set_stays(tmp_path, monkeypatch):
    own = {"OPENBLAS_CORETYPE": "Zen", "OMP_NUM_THREADS": "4"}
    assert settings(tmp_path, "avx512f", monkeypatch, **own) == ["X86_V4", "Zen", "4"]


def test_numpy_has_no_avx512_once_it_is_settled():
    # What it is for, tables of the same bytes, is held by the committed reference of the demo suite.
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    command = [sys.executable, "-W", "error", "-c", FEATURES]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
