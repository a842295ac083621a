"""One finished run of the tiny suite, which the tests of the workflow share."""

import fcntl

import pytest
from engine import IMPORTED, snakemake

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
    """Return the folder of an undisturbed run of the tiny suite on two cores; tests must leave it as it is."""
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
                patched.setenv("PYTHONPATH", str(shared))
                process = snakemake(folder, "--cores", "2")
            assert process.returncode == 0, process.stdout
            output.write_text(process.stdout)
    return folder, output.read_text()
