"""The list of runs."""

import pytest
from small_suite import toy_suite

from weckd.config import suite_json
from weckd.files import write_text
from weckd.runs import note_call, run_list


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1]", b'{"changes": 1, "command": []}', b"{}"])
def test_a_run_whose_call_is_damaged_is_listed_without_the_command_that_goes_on_with_it(content, tmp_path):
    write_text(tmp_path / "toy/suite.json", suite_json(toy_suite()))
    note_call(tmp_path / "toy", ["seeds=[1]"], ["snakemake", "--cores", "all"])
    listed = run_list(tmp_path)
    assert "seeds=[1]" in listed
    assert listed.endswith(f"{tmp_path}/toy goes on with\n  snakemake --cores all")
    (tmp_path / "toy/.call.json").write_bytes(content)
    listed = run_list(tmp_path)
    assert f"{tmp_path}/toy" in listed
    assert "goes on with" not in listed
