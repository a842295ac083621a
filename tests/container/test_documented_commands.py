"""The documents' commands that need Docker, as they stand or reduced as tests/documentation/how_run.py says."""

import sys
from pathlib import Path

import docker_host
import pytest
from checkout import make_checkout
from how_run import SMALL_IMAGE, WITH_DOCKER
from play import bash, play

pytestmark = pytest.mark.container


@pytest.fixture(scope="module")
def checkout(client, tmp_path_factory):
    """Return a checkout whose shell finds the tests' daemon, with `docker compose`, and builds on the stand-in base."""
    folder = tmp_path_factory.mktemp("documented")
    for name, target in (
        ("bin/docker", client[0]),
        ("cli-plugins/docker-compose", Path(sys.executable).with_name("docker-compose")),
    ):
        (folder / name).parent.mkdir()
        (folder / name).symlink_to(target)
    made = make_checkout(
        folder / "checkout",
        DOCKER_HOST=client[-1],
        DOCKER_CONFIG=str(folder),
        DOCKER_BUILD_OPTIONS=docker_host.BUILD_OPTIONS,
    )
    made.variables["PATH"] = f"{folder / 'bin'}:{made.variables['PATH']}"
    bash(made, f"tar --create LICENSE | docker import - {SMALL_IMAGE[1]} > small.id")
    return made


@pytest.mark.parametrize("command", [entry.command for entry in WITH_DOCKER], ids=str)
def test_command(command, checkout):
    play(checkout, command)
