"""The image as a reviewer runs it: any user, read-only, without network; its tables are those of the host."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import docker_host
import numpy as np
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from engine import REPOSITORY, result_bytes, snakemake

import weckd

pytestmark = pytest.mark.container
HARDENED = ("--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")  # noqa: S108
TINY = "/opt/weckd/tests/workflow/tiny.yaml"


def run(client, *arguments, **options):
    command = [*client, "run", "--rm", *arguments]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )


def as_user(user_folder):
    folder, user = user_folder
    return (*HARDENED, "--security-opt", "no-new-privileges", "--user", user, "--volume", f"{folder}:/work")


def members(archive):
    """Return the bytes of each file in an archive."""
    with tarfile.open(archive) as opened:
        return {entry.name: opened.extractfile(entry).read() for entry in opened}


def assert_same_arrays(ours, theirs):
    ours, theirs = (np.load(io.BytesIO(content)) for content in (ours, theirs))
    assert ours.files == theirs.files
    assert all(ours[array].tobytes() == theirs[array].tobytes() for array in ours.files)


def test_read_only_without_network_and_as_a_stranger_it_makes_the_tables_of_the_host(
    client, user_folder, tmp_path
):
    host = tmp_path / "host"
    host.mkdir()
    on_host = snakemake(host, "--cores", "2")
    assert on_host.returncode == 0, on_host.stdout
    done = run(client, *as_user(user_folder), docker_host.IMAGE, "--cores", "2", "--configfile", TINY)
    assert done.returncode == 0, done.stdout[-5000:]
    assert "report       results/tiny/report.html" in done.stdout
    folder, _ = user_folder
    on_both = [place / "results/tiny" for place in (folder, host)]
    made, expected = (result_bytes(run) for run in on_both)
    assert {"tables/main.md", "figures/forest.svg", "report.html"} < made.keys()
    # Attention maps are zips, which another build of zlib packs otherwise: their arrays are the same, not their sums.
    packed = ("attention/", "gathered/")
    assert {name for name in made if made[name] != expected[name]} <= {
        n for n in made if n.startswith(packed)
    }
    assert made.keys() == expected.keys()
    maps = [name for name in made if name.startswith("attention/") and name.endswith(".npz")]
    assert maps
    for name in maps:
        assert_same_arrays(*((run / name).read_bytes() for run in on_both))
    archives = [name for name in made if name.startswith("gathered/") and name.endswith(".tar")]
    assert archives
    for name in archives:
        ours, theirs = (members(run / name) for run in on_both)
        assert ours.keys() == theirs.keys()
        maps = [member for member in ours if member.endswith(".npz")]
        assert maps
        assert all(ours[member] == theirs[member] for member in ours.keys() - {*maps})
        for member in maps:
            assert_same_arrays(ours[member], theirs[member])
    assert {file.lstat().st_uid for file in folder.rglob("*")} == {54321}
    again = run(client, *as_user(user_folder), docker_host.IMAGE, "--cores", "2", "--configfile", TINY)
    assert "Nothing to be done" in again.stdout  # .snakemake lies in the folder, and outlives the container


def compose(client, user_folder, service, *arguments):
    """Run a service of compose.yaml with its working folder in place of `out`."""
    folder, user = user_folder
    place = folder.parent / "checkout"
    place.mkdir(exist_ok=True)
    (place / "out").symlink_to(folder)
    shutil.copy(REPOSITORY / "compose.yaml", place)
    docker_host.told(*client, "tag", docker_host.IMAGE, f"weckd:{weckd.__version__}")
    command = [Path(sys.executable).with_name("docker-compose"), "run", "--rm", service, *arguments]
    variables = {**os.environ, "DOCKER_HOST": client[-1], "WECKD_USER": user}
    return subprocess.run(
        command,
        cwd=place,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_the_suites_own_tests_run_inside(client, user_folder):
    done = compose(client, user_folder, "test", "-q", "/opt/weckd/tests/training/objectives")
    assert done.returncode == 0, done.stdout[-5000:]
    assert re.search(r"^\d{2,} passed", done.stdout, re.MULTILINE)


def test_a_service_without_its_folder_makes_none_that_root_owns(client, user_folder):
    folder, _ = user_folder
    folder.rmdir()
    done = compose(client, user_folder, "demo")
    assert done.returncode != 0
    assert "does not exist" in done.stdout
    assert not folder.exists()


def test_its_own_user_is_not_root_and_its_labels_say_what_it_is(client):
    [facts] = json.loads(docker_host.told(*client, "inspect", docker_host.IMAGE))
    assert facts["Config"]["User"] == "10001:10001"
    labels = facts["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == weckd.__version__
    revision = docker_host.told("git", "-C", REPOSITORY, "describe", "--always", "--dirty", "--abbrev=40")
    assert labels["org.opencontainers.image.revision"] == revision.strip()
    assert labels["org.opencontainers.image.licenses"] == "MIT"


def test_the_bill_of_materials_is_valid_and_names_what_is_inside(client):
    make = ("make", "--no-print-directory", "-C", REPOSITORY, "sbom", f"IMAGE={docker_host.IMAGE}")
    bill = docker_host.told(*make, f"DOCKER={' '.join(client)}")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    inside = {part["purl"] for part in json.loads(bill)["components"]}
    locked = re.findall(
        r"^(torch|timm|snakemake)==(\S+)", (REPOSITORY / "requirements.lock").read_text(), re.M
    )
    assert len(locked) == 3
    assert {f"pkg:pypi/{name}@{version}" for name, version in locked} <= inside
    shown = ("--entrypoint", "dpkg-query", docker_host.IMAGE, "--show", "--showformat", "${Package}\n")
    packages = docker_host.told(*client, "run", "--rm", *shown).split()
    assert len([part for part in inside if part.startswith("pkg:deb/")]) == len(packages) > 50


def test_a_folder_that_its_user_cannot_write_to_is_named(client, tmp_path):
    (tmp_path / "out").mkdir(mode=0o755)
    done = run(
        client,
        *HARDENED,
        "--volume",
        f"{tmp_path}/out:/work",
        "--entrypoint",
        "weckd",
        docker_host.IMAGE,
        "doctor",
    )
    assert done.returncode == 1
    assert "/work: cannot be written by user 10001" in done.stdout


def test_an_edit_of_the_suite_builds_no_dependency_again(client, tmp_path):
    docker_host.told("git", "clone", "--quiet", REPOSITORY, tmp_path / "clone")
    with (tmp_path / "clone/README.md").open("a") as readme:
        readme.write("\nAn edit.\n")
    printed = docker_host.build(client, tmp_path / "clone")
    steps = {line.partition("] ")[2]: line.split()[0] for line in printed.splitlines() if "] " in line}
    installing = next(number for step, number in steps.items() if "--requirement requirements.lock" in step)
    copying = next(number for step, number in steps.items() if step.startswith("COPY . /opt/weckd"))
    assert f"{installing} CACHED" in printed
    assert f"{copying} CACHED" not in printed
