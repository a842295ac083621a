"""No module unpickles, evaluates or calls a shell: by ruff's rules, and by a scan for what they do not see."""

import subprocess
import sys

import pytest
from engine import REPOSITORY
from source_scan import findings

FOLDERS = ("weckd", "docker", "docs", "benchmarks", ".ci")
MODULES = [
    REPOSITORY / "docker" / "weckd",
    *(f for folder in FOLDERS for f in (REPOSITORY / folder).rglob("*.py")),
]


def test_no_module_does_any_of_it():
    assert len(MODULES) > 150
    found = {
        str(file.relative_to(REPOSITORY)): findings(file.read_text(encoding="utf-8")) for file in MODULES
    }
    assert {file: told for file, told in found.items() if told} == {}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import pickle", "1: import of pickle"),
        ("def f():\n    import dill as d", "2: import of dill"),
        ("from marshal import loads", "1: import of marshal"),
        ("import os, shelve", "1: import of shelve"),
        ("import cloudpickle", "1: import of cloudpickle"),
        ("from joblib.numpy_pickle import load", "1: import of joblib.numpy_pickle"),
        ("import yaml\nyaml.unsafe_load(x)", "2: yaml.unsafe_load"),
        ("import yaml as y\ny.full_load(x)", "2: yaml.full_load"),
        ("import yaml\nyaml.load(x, Loader=yaml.SafeLoader)", "2: yaml.load"),
        ("from yaml import load_all\nload_all(x, L)", "2: yaml.load_all"),
        ("import yaml\nclass L(yaml.Loader): pass", "2: yaml.Loader"),
        ("import torch\ntorch.load(x)", "2: torch.load without weights_only=True"),
        ("from torch import load as l\nl(x, 'cpu')", "2: torch.load without weights_only=True"),
        ("import torch\nmap(torch.load, files)", "2: torch.load without weights_only=True"),
        ("import numpy as np\nnp.load(x, allow_pickle=True)", "2: allow_pickle other than False"),
        ("import numpy as np\nnp.load(\n  x,\n  allow_pickle=asked)", "4: allow_pickle other than False"),
        ("import subprocess\nsubprocess.run(x, shell=asked)", "2: shell other than False"),
        ("from subprocess import Popen\nPopen(x, shell=1)", "2: shell other than False"),
        ("import asyncio\nasyncio.create_subprocess_shell(x)", "2: asyncio.create_subprocess_shell"),
        ("eval(x)  # noqa: S307", "1: ruff silenced"),
        ("exec(x)  # noqa", "1: ruff silenced"),
        ("f()  # noqa: PLC0415, S301", "1: ruff silenced"),
    ],
)
def test_the_scan_finds(source, told):
    assert findings(source) == [told]


def test_the_scan_finds_both_of_a_careless_load():
    source = "import torch\ntorch.load(x, weights_only=asked)"
    assert findings(source) == [
        "2: torch.load without weights_only=True",
        "2: weights_only other than True",
    ]


@pytest.mark.parametrize(
    "source",
    [
        "import yaml\nyaml.safe_load(x)\nclass L(yaml.SafeLoader): pass",
        "import torch\ntorch.load(x, map_location='cpu', weights_only=True)",
        "import numpy as np\nnp.load(x)\nnp.load(x, allow_pickle=False)",  # False is NumPy's own default
        "import subprocess\nsubprocess.run(['ls'])",
        "import weights\nweights.load(x)\nload(x)",
        "import a  # noqa: PLC0415 - heavy",
    ],
)
def test_the_scan_lets_pass(source):
    assert findings(source) == []


def test_ruff_refuses_the_rest_with_the_repositorys_own_settings():
    careless = {
        "S301": "import pickle\n\npickle.loads(b'')\n",
        "S302": "import marshal\n\nmarshal.loads(b'')\n",
        "S307": "eval('1')\n",
        "S102": "exec('1')\n",
        "S506": "import yaml\n\nyaml.load('', Loader=yaml.Loader)\n",
        "S602": "import subprocess\n\nsubprocess.run('ls', shell=True, check=True)\n",
        "S605": "import os\n\nos.system('ls')\n",
    }
    for folder in FOLDERS:
        for code, source in careless.items():
            command = [sys.executable, "-m", "ruff", "check", "--output-format", "concise"]
            done = subprocess.run(
                [*command, "--stdin-filename", f"{folder}/careless.py", "-"],
                cwd=REPOSITORY,
                input=source,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 1
            assert f" {code} " in done.stdout, (folder, done.stdout)
