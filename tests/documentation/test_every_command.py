"""Every command of the documents has one entry in how_run.py, and every entry holds."""

import ast
import re
from collections import Counter, defaultdict

import pytest
from documented import Command, commands, commands_in
from engine import REPOSITORY
from entries import ByStage, ByTest, NotRun, Run, Short
from how_run import HOW


@pytest.fixture(scope="module")
def places():
    """Return the places of each documented command."""
    found = defaultdict(list)
    for command in commands():
        found[command.text].append(command)
    return found


def stages():
    """Return the targets that continuous integration makes."""
    lines = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    words = [word for line in lines if line.strip().startswith("make ") for word in line.split()[1:]]
    return {word for word in words if re.fullmatch("[a-z-]+", word) and not word.startswith("-")}


def of_kind(kind):
    return [entry for entry in HOW if isinstance(entry, kind)]


def test_every_command_of_the_documents_is_in_the_table(places):
    table = {entry.command for entry in HOW}
    missing = [place for text in places if text not in table for place in places[text]]
    assert not missing, "\n".join(f"{place.document}:{place.line}: {place.text}" for place in missing)


def test_every_entry_is_a_command_of_the_documents_and_has_no_second(places):
    assert [entry.command for entry in HOW if entry.command not in places] == []
    assert [command for command, times in Counter(e.command for e in HOW).items() if times > 1] == []


def test_every_reduction_says_why_and_replaces_something():
    for entry in of_kind(Run):
        assert bool(entry.instead or entry.add) == bool(entry.why), entry.command
        assert all(old in entry.command for old, _ in entry.instead), entry.command


@pytest.mark.parametrize("entry", of_kind(ByTest), ids=lambda entry: entry.command)
def test_the_other_test_is_there(entry):
    file, _, name = entry.test.partition("::")
    module = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    assert name in {part.name for part in module.body if isinstance(part, ast.FunctionDef)}


@pytest.mark.parametrize("entry", of_kind(ByStage), ids=lambda entry: entry.command)
def test_the_stage_is_there_and_runs_it(entry):
    assert entry.target in stages()
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    default = re.search(r"^\.DEFAULT_GOAL := (\S+)", makefile, re.MULTILINE)[1]
    needs, recipe = re.search(rf"^{entry.target}:([^#\n]*).*\n((?:\t.*\n)*)", makefile, re.MULTILINE).groups()
    program, *words = [word for word in entry.command.split() if "=" not in word]
    if program == "make":
        assert (words or [default])[0] in [entry.target, *needs.split()]
    else:
        assert f"\t{entry.command}\n" in recipe


def test_continuous_integration_has_the_stages_that_run_the_table():
    assert {"docs-check", "container-check"} <= stages()


@pytest.mark.parametrize("entry", of_kind(Short), ids=lambda entry: entry.command)
def test_a_name_stands_for_a_command_that_holds_its_words(entry, places):
    assert entry.full in places
    assert set(entry.command.split()) <= set(entry.full.split())


@pytest.mark.parametrize("entry", of_kind(NotRun), ids=lambda entry: entry.command)
def test_the_document_says_what_was_not_tried(entry, places):
    assert entry.reason
    for place in places[entry.command]:
        lines = (REPOSITORY / place.document).read_text(encoding="utf-8").splitlines()
        near = " ".join(" ".join(lines[max(place.line - 8, 0) : place.line + 7]).split())
        assert entry.said in near, place


PAGE = """\
Run `make`, `make test` and `weckd methods`; the method `weckd` lies in `weckd/methods`.

    mkdir -p out && docker run image    # a remark
    $EDITOR \\
      file.yaml

| name | `weckd verify RUN` |
| --- | --- |
| `docker` | `make help` |

    Snakefile    a list of files
    weckd/data/  no command

```yaml
make: no command
```

```console
$ unheard-of program
# nothing but a remark
A=1 other
```

```
python -m weckd
```
"""


def test_commands_are_told_from_names_lists_and_other_languages():
    found = [
        *(("make", 1), ("make test", 1), ("weckd methods", 1)),
        *(("mkdir -p out && docker run image", 3), ("$EDITOR file.yaml", 4)),
        *(("weckd verify RUN", 7), ("make help", 9)),
        *(("unheard-of program", 19), ("A=1 other", 21), ("python -m weckd", 25)),
    ]
    assert commands_in(PAGE, "page") == [Command(text, "page", line) for text, line in found]
