"""docs/design.md is so: who imports whom, who imports torch, and that the tests it names are there."""

import ast
import re

import pytest
from engine import REPOSITORY

PACKAGE = REPOSITORY / "weckd"
PAGE = (REPOSITORY / "docs" / "design.md").read_text(encoding="utf-8")
TORCH = {"training", "planning", "doctor", "data", "models"}
"""Folders with a module that imports torch or timm, be it where a function needs it."""


def table(heading):
    """Return the rows, below its head, of the table that follows a heading: the cells' texts."""
    below = PAGE.partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in below.splitlines() if line.startswith("|")]
    return [[cell.strip(" |") for cell in row] for row in rows[2:]]


def quoted(text):
    return re.findall(r"`([^`]+)`", text)


def allowed():
    """Return what each folder or module of the page's table may import."""
    return {
        unit: None if others == "all" else set(quoted(others))
        for units, others in table("## Which folder may import which")
        for unit in quoted(units)
    }


def unit(dotted):
    """Return the folder of the package, or the module beside the folders, that a dotted name is of."""
    return [*dotted.split("."), ""][1]


def imports_of(file):
    """Yield the dotted name of everything that a module imports, wherever it does."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: imports by a relative name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported():
    """Return which other units each unit of the package imports."""
    found = {}
    for file in PACKAGE.rglob("*.py"):
        own = unit(".".join(file.relative_to(REPOSITORY).with_suffix("").parts))
        names = found.setdefault(own, set())
        names |= {unit(name) for name in imports_of(file) if name.startswith("weckd.")} - {own}
    return found


def test_dependencies_point_one_way():
    may, does = allowed(), imported()
    folders = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}
    assert folders <= set(may), "a folder that the page's table does not have"
    assert set(may) <= set(does), "the page's table names what is not there"
    for name, others in may.items():
        # Modules beside the folders that stand in no row are for everyone.
        wrong = does[name] & set(may) - others if others is not None else set()
        assert not wrong, f"{name} imports {', '.join(sorted(wrong))}"
    for name in does.keys() - may.keys() - {"__init__", "__main__"}:
        assert not does[name] & set(may), (
            f"{name} is for everyone and imports {', '.join(does[name] & set(may))}"
        )


def test_the_table_allows_no_more_than_is_needed_and_no_circle():
    may, does = allowed(), imported()
    rows = table("## Which folder may import which")
    for units, others in rows:
        if others != "all":
            used = set().union(*(does[name] for name in quoted(units)))
            assert set(quoted(others)) <= used, f"{units} need not import all of {others}"
    above = []
    for units, others in rows:
        names = set(quoted(others)) if others != "all" else set(may) - set(quoted(units))
        assert names <= set(above), f"{units} stand above what they import"
        above += quoted(units)


def test_torch_is_imported_where_the_page_says():
    heavy = {
        file.relative_to(PACKAGE).parts[0]
        for file in PACKAGE.rglob("*.py")
        if any(name.split(".")[0] in ("torch", "timm") for name in imports_of(file))
    }
    assert heavy == TORCH


def named_tests():
    return sorted({name for name in quoted(PAGE) if name.startswith("tests/")})


@pytest.mark.parametrize("name", named_tests())
def test_a_test_that_the_page_names_is_there(name):
    file = REPOSITORY / name
    assert file.is_file()
    assert re.search(r"^def test_\w+\(", file.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_invariant_names_a_test():
    rows = table("## What must stay true")
    assert len(rows) >= 12
    for always, held_by in rows:
        assert any(name.startswith("tests/") for name in quoted(held_by)), always


def test_what_docstrings_and_documents_name_of_the_package_is_there():
    for file in [*PACKAGE.rglob("*.py"), *(REPOSITORY / "docs").glob("*.md"), REPOSITORY / "README.md"]:
        for dotted in re.findall(r"`(weckd(?!\.json`)(?:\.\w+)+)`", file.read_text(encoding="utf-8")):
            parts = dotted.split(".")
            paths = [REPOSITORY.joinpath(*parts[:number]) for number in range(len(parts), 0, -1)]
            sources = [(path.with_suffix(".py"), path / "__init__.py") for path in paths]
            place, source = next(
                (place, source) for place, both in enumerate(sources) for source in both if source.is_file()
            )
            for name in parts[len(parts) - place :][:1]:
                assert re.search(rf"\b{name}\b", source.read_text(encoding="utf-8")), f"{file}: {dotted}"
