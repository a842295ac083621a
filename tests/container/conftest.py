"""The suite's image, built once for all tests."""

import os
import shutil
from pathlib import Path

import docker_host
import pytest
from engine import unavailable


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    """Return the client's command for a daemon that has the image."""
    if reason := docker_host.missing():
        unavailable(reason)
    folder = tmp_path_factory.mktemp("docker")
    with docker_host.daemon(folder) as client:
        docker_host.import_base(client, folder)
        docker_host.build(client)
        yield client
    shutil.rmtree(folder)  # at once: pytest keeps the folders of three runs, and an image has gigabytes


@pytest.fixture
def user_folder(tmp_path):
    """Return a folder that belongs to a user whom neither the image nor this machine knows, and the user."""
    folder = tmp_path / "out"
    folder.mkdir()
    os.chown(folder, 54321, 54321)
    for parent in Path(folder).parents:
        if parent.owner() == "root" and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    return folder, "54321:54321"
