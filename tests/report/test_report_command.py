import argparse
import subprocess
import sys

import pytest

from weckd.cli import finished
from weckd.cli.arguments import add_commands
from weckd.errors import UserError


def run_command(*arguments):
    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers(), finished.__name__)
    options = parser.parse_args(["report", *map(str, arguments)])
    options.run(options)


def test_the_command_writes_the_page(run, tmp_path):
    run_command("--run", run, "--out", tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8").endswith("</html>\n")


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(UserError) as problem:
        run_command("--run", tmp_path, "--out", tmp_path / "report.html")
    assert (
        str(problem.value)
        == f"{tmp_path}: no suite.json; name the folder of a finished run, such as results/demo"
    )
    assert not (tmp_path / "report.html").exists()


def test_the_page_imports_no_torch():
    check = "import weckd.report.page, sys; assert not {'torch', 'timm', 'matplotlib'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, check=False).returncode == 0
