"""The audit of the locks against stand-ins of the services of advisories, both on this machine's loopback."""

import os
import subprocess
import sys

import pytest
from advisories_stand_in import IndexStandIn, OsvStandIn
from engine import REPOSITORY

SCRIPT = REPOSITORY / ".ci" / "audit_dependencies.py"
LOCKS = [REPOSITORY / name for name in ("requirements.lock", "requirements-uv.lock")]
PINS = """\
a-package==1.0 \\
    --hash=sha256:00 \\
    --hash=sha256:11
two-versions==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:22
two-versions==2.1 ; python_full_version >= '3.12' \\
    --hash=sha256:33
elsewhere==3.0 ; sys_platform == 'win32' \\
    --hash=sha256:44
"""
ALL = [("a-package", "1.0"), ("elsewhere", "3.0"), ("two-versions", "2.0"), ("two-versions", "2.1")]


@pytest.fixture
def audit(tmp_path):
    """Return a function that audits a lock of these pins, or other files, where the service is the stand-in."""
    lock = tmp_path / "a.lock"
    lock.write_text(PINS)
    settings = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PIP_AUDIT_") and not name.upper().endswith("_PROXY")
    }

    def run(variables, *locks):
        return subprocess.run(
            [sys.executable, str(SCRIPT), *map(str, locks or [lock])],
            env={**settings, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def test_every_pin_is_asked_for_whatever_its_marker_says_of_this_machine(audit):
    with OsvStandIn() as service:
        done = audit(service.variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "4 packages were looked up; 0 of them have known vulnerabilities.\n"
    assert sorted(service.asked) == ALL


def test_every_pin_of_the_repositorys_own_locks_is_asked_for(audit):
    with OsvStandIn() as service:
        done = audit(service.variables, *LOCKS)
    lines = [line for lock in LOCKS for line in lock.read_text().splitlines() if line[:1].isalnum()]
    assert sorted(service.asked) == sorted(tuple(line.split(" ")[0].split("==")) for line in lines)
    assert done.stdout == f"{len(lines)} packages were looked up; 0 of them have known vulnerabilities.\n"
    assert done.returncode == 0


@pytest.mark.parametrize("pin", ALL)
def test_a_vulnerable_package_is_named_with_its_version_and_what_mends_it(pin, audit):
    with OsvStandIn(known={pin: "9.9"}) as service:
        done = audit(service.variables)
    assert done.returncode == 1
    assert done.stdout == (
        f"{pin[0]} {pin[1]}: CVE-2026-0001, GHSA-stand-in; mended in 9.9\n"
        "4 packages were looked up; 1 of them have known vulnerabilities.\n"
    )


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (None, "requests.exceptions.ConnectionError: "),
        ((404, b"not found"), "requests.exceptions.HTTPError: 404 Client Error"),
        ((500, b"down"), "requests.exceptions.HTTPError: 500 Server Error"),
        ((200, b""), "requests.exceptions.JSONDecodeError: "),
        ((200, b"<html>log in first</html>"), "requests.exceptions.JSONDecodeError: "),
        ((200, b'{"error": "quota"}'), "KeyError: 'vulns'"),
    ],
    ids=["closed", "404", "500", "empty", "a page", "another answer"],
)
def test_a_service_that_does_not_answer_is_no_clean_audit(answer, told, audit):
    with OsvStandIn(answer=answer) as service:
        done = audit(service.variables)
    assert service.asked
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"The service of advisories cannot be asked ({told}")
    assert done.stderr.endswith("): nothing was audited.\n")


def test_a_service_that_is_not_there_is_no_clean_audit(audit):
    with OsvStandIn() as service:
        pass
    done = audit(service.variables)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Connection refused" in done.stderr
    assert done.stderr.endswith("): nothing was audited.\n")


def test_what_the_package_index_does_not_know_is_not_called_clean(audit, tmp_path):
    # pip-audit itself prints "No known vulnerabilities found" here, and ends with 0.
    with IndexStandIn(tmp_path, known=("a-package", "elsewhere")) as index:
        done = audit(index.variables)
    assert sorted(index.asked) == [name for name, _ in ALL]
    assert done.returncode == 1
    assert (
        done.stdout == "The service knows nothing of 2 of 4 packages: two-versions 2.0, two-versions 2.1.\n"
    )
    assert done.stderr == "They were not audited: that says nothing of their vulnerabilities.\n"


def test_an_index_that_knows_all_packages_is_a_clean_audit(audit, tmp_path):
    with IndexStandIn(tmp_path, known=[name for name, _ in ALL]) as index:
        done = audit(index.variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "4 packages were looked up; 0 of them have known vulnerabilities.\n"


@pytest.mark.parametrize(
    "line", ["numpy", "numpy>=2", "numpy==2.0,!=2.1", "a @ https://127.0.0.1/a.whl", "-r other", "-e ."]
)
def test_a_line_that_pins_no_version_is_refused_by_name(line, audit, tmp_path):
    lock = tmp_path / "loose.lock"
    lock.write_text(f"# what is loose\n{line} \\\n    --hash=sha256:00\n")
    done = audit({}, lock)
    assert done.returncode == 1
    assert done.stderr == f"{lock}: {line!r} pins no version: nothing was looked up.\n"


def test_a_lock_without_pins_is_no_clean_audit(audit, tmp_path):
    lock = tmp_path / "empty.lock"
    lock.write_text("# nothing\n")
    done = audit({}, lock)
    assert done.returncode == 1
    assert done.stderr == "No lock file, or none that pins anything: nothing was looked up.\n"
