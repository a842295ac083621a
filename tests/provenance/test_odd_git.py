"""The code's revision where the machine's git answers oddly."""

import pytest

from weckd.provenance.crate import code_revision


@pytest.mark.parametrize(
    ("script", "mode"),
    [
        ("printf 'hint: \\377\\376 rubbish\\nmore of it\\n'", 0o755),
        ("exit 3", 0o755),
        ("echo v1", 0o644),  # it cannot be started
    ],
)
def test_what_is_no_revision_is_recorded_as_unknown(script, mode, tmp_path, monkeypatch):
    tool = tmp_path / "git"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(mode)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("WECKD_REVISION", raising=False)
    assert code_revision(tmp_path) == "unknown"


def test_a_revision_is_taken_as_git_tells_it(tmp_path, monkeypatch):
    tool = tmp_path / "git"
    tool.write_text("#!/bin/sh\necho v1.2-3-g0123abc-dirty\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert code_revision(tmp_path) == "v1.2-3-g0123abc-dirty"
