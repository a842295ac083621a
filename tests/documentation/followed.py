"""A page of docs/ whose code is followed to the letter, in a copy of the suite."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from engine import REPOSITORY


class Page:
    """The page's text, its new files (name, content), and its new lines (file, the line above, content)."""

    def __init__(self, name):
        self.text = (REPOSITORY / "docs" / name).read_text(encoding="utf-8")
        self.files = re.findall(r"Make the file `([^`]+)`:\n\n```python\n(.*?)```", self.text, re.DOTALL)
        self.lines = re.findall(
            r"In `([^`]+)`, below `([^`]+)`:\n\n```(?:python|text)\n(.*?)```", self.text, re.DOTALL
        )

    def holds_no_other_code(self):
        assert self.text.count("```") == 2 * len(self.files + self.lines)

    def follow(self, suite):
        """Make the page's files and lines in a copy of the suite."""
        for name, content in self.files:
            file = suite / name
            assert not file.exists()
            file.write_text(content, encoding="utf-8")
        for name, above, line in self.lines:
            text = (suite / name).read_text(encoding="utf-8")
            assert text.count(f"{above}\n") == 1
            (suite / name).write_text(text.replace(f"{above}\n", f"{above}\n{line}"), encoding="utf-8")


def copy_of_what_runs(folder):
    """Return the folder, with a copy of the package, the workflow and its settings in it."""
    for name in ("weckd", "rules", "config", "profiles", "report", "Snakefile", "datasets.lock"):
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder)
    return folder


def run(suite, *command):
    """Run a command with the package of the copy, and return what it prints."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=suite,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(suite)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
