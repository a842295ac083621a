"""What the rules take for the code of their commands: all that runs, and nothing beside it."""

import ast
import re
import shutil
import subprocess
import sys

import pytest
from engine import IMPORTED, REPOSITORY

from weckd import cli
from weckd.code_digest import PACKAGE, code_of, code_reached

RULES = "\n".join(file.read_text(encoding="utf-8") for file in sorted((REPOSITORY / "rules").glob("*.smk")))
ENTRY = {
    command: entry
    for entry, command in re.findall(
        r'source=code_of\("([\w.:]+)"\),.*?"(?:exec | )?weckd (\w+) ', RULES, re.DOTALL
    )
}
"""The entry into the code, by command."""


def modules_of(command):
    return {name for name in code_reached(ENTRY[command]) if ":" not in name}


def command_functions():
    """Return the function that each sub-command runs, as module:function."""
    commands = next(action for action in cli._parser()._actions if action.choices)
    runs = {name: parser.get_default("run") for name, parser in commands.choices.items()}
    return {name: f"{run.__module__}:{run.__name__}" for name, run in runs.items()}


def imported_by(file):
    """Return the modules of the package that a file imports anywhere, by Python's own parser, with their packages."""
    dotted = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            dotted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            dotted |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in dotted if name.split(".")[0] == "weckd"]
    found = {".".join(part[:number]) for part in parts for number in range(1, len(part) + 1)}
    return {name for name in found if module_file(name).is_file()}


def module_file(name):
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_every_rule_that_calls_a_command_names_the_function_that_it_runs():
    called = re.findall(r'"(?:exec | )?weckd ([\w-]+) ', RULES)
    assert len(called) == RULES.count("source=code_of(") >= 16
    functions = command_functions()
    assert {command: functions[command] for command in called} == ENTRY


def test_what_is_followed_is_what_the_parser_finds():
    files = list(PACKAGE.rglob("*.py"))
    assert len(files) > 100
    for file in files:
        name = ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        imported = imported_by(file)
        assert imported <= set(code_reached(name, beyond=())), name
        assert set(code_reached(name, beyond=imported - {name})) == {name}, name


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("prepare", "seeds"),
        ("audit", "tables.captions"),
        ("audit", "seeds"),
        ("report", "places"),
        ("provenance", "manifests"),
        ("tables", "seeds"),
        ("figures", "seeds"),
        ("train", "training.objectives.semi_supervised"),
        ("train", "locks"),
    ],
)
def test_the_code_of_a_command_holds_what_it_imports_by_way_of_others(command, module):
    assert f"weckd.{module}" in modules_of(command)


@pytest.mark.workflow
def test_the_code_of_a_command_holds_all_modules_that_it_imports_in_a_run(finished):
    files = list(finished[0].with_name(IMPORTED).iterdir())
    script = "import sys, weckd.cli; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    at_start = set(told.stdout.split())
    seen = set()
    for file in files:
        command = file.name.partition("-")[0]
        imported = {name for name in file.read_text().split() if name.startswith("weckd.")} - at_start
        assert imported, command
        assert imported <= modules_of(command), command
        seen.add(command)
    assert seen == {
        *("prepare", "group", "audit", "split", "train", "attention"),
        *("tables", "figures", "report", "provenance"),
    }


@pytest.mark.workflow
@pytest.mark.parametrize(("command", "needed"), [("split", set()), ("attention", set())])
def test_light_steps_of_a_run_import_nothing_heavy_that_they_do_not_need(command, needed, finished):
    heavy = {
        "torch",
        "timm",
        "scipy",
        "matplotlib",
        "PIL",
        "statsmodels",
        "jinja2",
        "pydantic",
        "safetensors",
    }
    for file in finished[0].with_name(IMPORTED).glob(f"{command}-*"):
        assert heavy & set(file.read_text().split()) == needed


def test_the_code_of_a_command_holds_no_other_step():
    def folders(command):
        return {name.split(".")[1] for name in modules_of(command) if name.count(".") > 1}

    assert "analysis" not in folders("train") | folders("attention") | folders("prepare") | folders("split")
    assert "training" not in folders("tables") | folders("figures") | folders("prepare") | folders("split")
    # Of the module of a command nothing else is followed: another command of it imports much more.
    assert {"data.fetch", "audit"}.isdisjoint(folders("prepare"))


def commands_changed_by(edits, tmp_path):
    """Yield, for each edited file of a copy of the package, the commands whose code changes; then undo the edit."""
    copied = tmp_path / "weckd"
    shutil.copytree(PACKAGE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    script = f"from weckd.code_digest import code_of; print(*map(code_of, {list(ENTRY.values())}))"

    def digests():
        told = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return dict(zip(ENTRY, told.stdout.split(), strict=True))

    before = digests()
    assert before == {command: code_of(entry) for command, entry in ENTRY.items()}
    for edit in edits:
        content = (copied / edit).read_bytes()
        (copied / edit).write_bytes(content + b"\n")
        yield {command for command, found in digests().items() if found != before[command]}
        (copied / edit).write_bytes(content)


def test_an_edit_changes_the_code_of_the_commands_that_run_it(tmp_path):
    expected = {
        "analysis/sheets/main.py": {"tables"},
        "analysis/figures/gains.py": {"figures"},
        "data/phantoms/brain.py": {"prepare"},
        "training/optimisation.py": {"train", "tune"},
        "training/attention_maps.py": {"train", "tune"},
        "training/attention_file.py": {"train", "tune", "attention"},
        "numpy_kernels.py": set(ENTRY),
    }
    assert list(commands_changed_by(expected, tmp_path)) == list(expected.values())


def test_every_file_that_is_no_code_belongs_to_a_command(tmp_path):
    files = [
        file.relative_to(PACKAGE) for file in PACKAGE.rglob("*") if file.suffix in (".yaml", ".html", ".css")
    ]
    images = (
        PACKAGE / "data" / "small"
    )  # whose digests are recorded, and watched as those of a user's own are
    beside = [file for file in PACKAGE.rglob("*") if file.is_file() and images not in file.parents]
    assert {file.suffix for file in beside} - {".py", ".pyc"} == {file.suffix for file in files}
    for file, commands in zip(files, commands_changed_by(files, tmp_path), strict=True):
        assert commands, f"{file} belongs to no command"
        assert "attention" not in commands


def test_an_entry_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"no module 'weckd\.data\.nowhere'"):
        code_of("weckd.data.nowhere")
    with pytest.raises(ValueError, match="no function '_nobody'"):
        code_of("weckd.cli.data:_nobody")
