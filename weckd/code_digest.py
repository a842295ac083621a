"""Digests of the package's own code: what is made by some code is made again when that code changes."""

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from weckd.files import digest, file_digest

PACKAGE = Path(__file__).parent
ALWAYS = "weckd.numpy_kernels"
"""Every command settles these before it does anything; they decide the last digits of what it computes."""
TURN_BACK = ("weckd.cli", "weckd.frames")
"""Modules that packages import for people: all commands, and `weckd.load`. No command is made of them."""

# Text is searched, as parsing the whole package would take a third of a second at each start of the workflow.
_IMPORT = re.compile(r"^ *from (weckd[\w.]*) import (\([^)]*\)|.*)|^ *import (weckd[\w.]*)", re.MULTILINE)
_NAMED = re.compile(r'"(weckd[\w.]*):\w+"')
_LOADS = re.compile(r"^from importlib import import_module$", re.MULTILINE)


def code_of(*entries: str) -> str:
    """Return the SHA-256 over the code that runs from these entries on, as `code_reached` finds it."""
    return digest(code_reached(ALWAYS, *entries))


def code_reached(*entries: str, beyond: Collection[str] = TURN_BACK) -> dict[str, str]:
    """Return the SHA-256 of each piece of the package's code that runs from these entries on.

    Followed are imports, at the top of a module as within a function, with the packages that a module lies in; and,
    where one of the modules loads others of its folder by their names, each "module:function" of that folder that is
    written in any. A file that is no code belongs to the modules beside it that name it, or its folder.

    Args:
        entries: modules, as `weckd.data.prepare`; or functions, as `weckd.cli.data:_prepare`, of whose module nothing
            else is followed than what the function names.
        beyond: modules, or patterns of them, at which to turn back.

    Raises:
        ValueError: there is no such module or function.
    """
    found: dict[str, str] = {}
    waiting, named, loading = list(entries), set[str](), set[str]()
    while waiting:
        name = waiting.pop()
        if name in found or any(fnmatchcase(name, pattern) for pattern in beyond):
            continue
        piece = _piece(name)
        found[name] = piece.sha256
        waiting += piece.imports
        named |= piece.named
        if piece.loads:
            loading.add(_folder(name))
        waiting += [other for other in named if _folder(other) in loading]
    return found


def _folder(module: str) -> str:
    return ".".join(module.split(".")[:2])


@dataclass(frozen=True)
class _Piece:
    """A module with the files that belong to it, or a function with what it names of its module."""

    sha256: str
    imports: frozenset[str]  # modules of this package, and the packages that they lie in
    named: frozenset[str]  # modules written as "module:function"
    loads: bool  # modules by such names


@cache
def _piece(entry: str) -> _Piece:
    module, _, function = entry.partition(":")
    file = _file(module)
    if file is None:
        raise ValueError(f"no module {module!r}")
    text = file.read_text(encoding="utf-8")
    if function:
        text = _with_helpers(text, function)
    imported = {
        package
        for source, names, whole in _IMPORT.findall(text)
        for name in ([f"{source}.{word}" for word in re.findall(r"\w+", names)] if source else [whole])
        for package in _packages(name)
    }
    return _Piece(
        digest([text, *map(file_digest, _files_beside(file, text))]),
        frozenset(imported),
        frozenset(_NAMED.findall(text)),
        bool(_LOADS.search(text)),
    )


def _with_helpers(text: str, function: str) -> str:
    """Return the lines of a function and of whatever of its module it names, by itself or through others."""
    bound: dict[str, ast.stmt] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.decorator_list.clear()  # of a command: its options, which are read before it runs
            bound[node.name] = node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name.partition(".")[0]: node for alias in node.names}
        else:
            names = (inner for inner in ast.walk(node) if isinstance(inner, ast.Name))
            bound |= {name.id: node for name in names if isinstance(name.ctx, ast.Store)}
    if function not in bound:
        raise ValueError(f"no function {function!r}")
    found: dict[str, ast.stmt] = {}
    waiting = [function]
    while waiting:
        name = waiting.pop()
        if name in bound and name not in found:
            found[name] = bound[name]
            waiting += [inner.id for inner in ast.walk(bound[name]) if isinstance(inner, ast.Name)]
    lines = text.splitlines()
    places = sorted({(node.lineno, node.end_lineno) for node in found.values()})
    return "\n".join("\n".join(lines[first - 1 : last]) for first, last in places)


@cache
def _file(module: str) -> Path | None:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _packages(name: str) -> Iterator[str]:
    """Yield the modules that importing a dotted name runs, from the outermost on."""
    parts = name.split(".")
    yield from (found for n in range(1, len(parts) + 1) if _file(found := ".".join(parts[:n])))


def _files_beside(module: Path, text: str) -> list[Path]:
    """Return the files that are no code, lie beside a module, and are named in its text, or their folder is."""
    beside = [path for path in module.parent.iterdir() if f'"{path.name}"' in text]
    data = (path for path in beside if path.suffix != ".py" and not (path / "__init__.py").exists())
    return sorted(
        file for path in data for file in (path, *path.rglob("*")) if file.is_file()
    )  # of a file, rglob finds none
