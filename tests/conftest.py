"""The order of the tests, the kernels that they compute with, and one finished run that many of them share."""

import fcntl
import shutil
import sys

import pytest
from engine import IMAGE, IMPORTED, KEYS, snakemake_alone

from weckd.numpy_kernels import settle_kernels

# As every command does, before NumPy is imported: the committed tables have the bytes of these kernels.
assert "numpy" not in sys.modules
settle_kernels()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Put first what runs the workflow, then what trains: at the end, short files give every core work."""

    def turn(item):
        return 0 if item.get_closest_marker("workflow") else 1 if item.path.parent.name == "training" else 2

    items.sort(key=turn)


_TELL = f"""
import atexit, os, pathlib, sys
@atexit.register
def tell():
    if pathlib.Path(sys.argv[0]).name == "weckd":
        folder = pathlib.Path(__file__).with_name({IMPORTED!r})
        folder.mkdir(exist_ok=True)
        folder.joinpath(f"{{sys.argv[1]}}-{{os.getpid()}}").write_text("\\n".join(sys.modules))
"""


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id):
    """Return the folder and output of an undisturbed run of the tiny suite on two cores, with keys in its environment.

    Tests must leave it as it is; `copy` is theirs to change.
    """
    shared = tmp_path_factory.getbasetemp()
    if worker_id != "master":  # several processes test: the first makes it, and the others wait
        shared = shared.parent
    folder, output = shared / "finished-run", shared / "finished-run.txt"
    with (shared / "finished-run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not output.exists():
            folder.mkdir()
            (shared / "sitecustomize.py").write_text(_TELL)
            with pytest.MonkeyPatch.context() as patched:
                for name, value in {**KEYS, "WECKD_IMAGE": f"sha256:{IMAGE}", "PYTHONPATH": shared}.items():
                    patched.setenv(name, str(value))
                process = snakemake_alone(folder, "--cores", "2")
            assert process.returncode == 0, process.stdout
            output.write_text(process.stdout)
    return folder, output.read_text()


@pytest.fixture
def copy(finished, tmp_path):
    """Return a copy of the finished run, time stamps included, that a test may change."""
    folder, _ = finished
    shutil.copytree(folder, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy"
