"""A Docker daemon of the tests' own, a base image made from Debian's packages, and the suite's image on it.

The NVIDIA base image is a download of its own that a test should not depend on, and a GPU is not needed: the
Dockerfile takes any Debian or Ubuntu as BASE_IMAGE.
"""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from engine import REPOSITORY

BASE, IMAGE = "weckd-base:test", "weckd:test"
PACKAGES = "docker.io mmdebstrap"
RELEASE = "bookworm"
BUILD_OPTIONS = f"--progress plain --network host --build-arg BASE_IMAGE={BASE}"


def missing():
    """Return why no image can be built here, or None where one can."""
    if os.geteuid() != 0:
        return "only root may start a Docker daemon"
    absent = [name for name in ("dockerd", "mmdebstrap") if shutil.which(name) is None]
    return f"no {' and no '.join(absent)}: apt-get install {PACKAGES}" if absent else None


@contextmanager
def daemon(folder):
    """Yield the client's command for a daemon that lives as long as the block, with all its data in `folder`."""
    socket = f"unix://{folder}/docker.sock"
    places = (
        "--data-root",
        folder / "data",
        "--exec-root",
        folder / "exec",
        "--pidfile",
        folder / "docker.pid",
    )
    options = ("--iptables=false", "--bridge=none", "--storage-driver=overlay2", "--oom-score-adjust", "0")
    # Debian's client, which can build with mounts; another one earlier in PATH may not.
    client = [shutil.which("docker", path=f"/usr/bin:{os.environ['PATH']}"), "--host", socket]
    with (folder / "dockerd.log").open("w") as log:
        process = subprocess.Popen(
            ["dockerd", *options, *map(str, places), "--host", socket], stdout=log, stderr=log
        )
        try:
            wait_for(client, process, folder / "dockerd.log")
            yield client
        finally:
            process.terminate()
            process.wait(60)


def wait_for(client, process, log):
    deadline = time.monotonic() + 60
    while subprocess.run([*client, "info"], capture_output=True, check=False).returncode != 0:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.2)


def import_base(client, folder):
    """Make the stand-in for the base image: Debian's smallest system."""
    hook = Path(__file__).with_name("stand_in_base.sh")
    system = folder / "base.tar"
    told("mmdebstrap", "--variant=minbase", f"--customize-hook={hook}", RELEASE, system)
    told(*client, "import", system, BASE)
    system.unlink()


def build(client, context=REPOSITORY, *options):
    """Build the image as `make image` does and return what was printed."""
    return told(
        *("make", "--no-print-directory", "-C", context, "image", f"IMAGE={IMAGE}"),
        f"DOCKER={' '.join(client)}",
        f"DOCKER_BUILD_OPTIONS={BUILD_OPTIONS} {' '.join(options)}",
    )


def told(*command):
    """Run a command that must succeed and return all that it printed."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout
