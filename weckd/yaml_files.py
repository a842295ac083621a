"""YAML as users write it: one reader for all files and command-line values.

Of YAML 1.1, which PyYAML reads, only what means to a machine what it means to a person is kept, as in YAML 1.2: `010`,
`1_000`, `1:30`, `yes`, `no`, `on`, `off`, `.nan`, `.inf` and dates are text, which no number or switch takes, and
`1e-3` is a number.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from weckd.errors import UserError

_MOST_CHARACTERS, _MOST_VALUES, _DEEPEST = 4_000_000, 100_000, 40
_TEXT = "tag:yaml.org,2002:str"
_RESOLVERS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?(0|[1-9][0-9]{0,99})", list("-+0123456789")),
    "float": (
        r"[-+]?((0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+|(0|[1-9][0-9]*)(?=[eE]))([eE][-+]?[0-9]+)?",
        list("-+0123456789."),
    ),
    "merge": (r"<<", ["<"]),
}


def read_yaml(file: Path, remedy: str, empty: Any = None) -> Any:
    """Return a file's content.

    Args:
        file: to be read.
        remedy: what to do about a file that cannot be read, for messages.
        empty: what the content of an empty file counts as.

    Raises:
        UserError: the file cannot be read, is no UTF-8, or no YAML as this module reads it.
    """
    try:
        with file.open(encoding="utf-8") as stream:
            text = stream.read(_MOST_CHARACTERS + 1)
    except OSError as problem:
        raise UserError(f"{file}: cannot be read ({problem.strerror}); {remedy}") from problem
    except UnicodeDecodeError as problem:
        raise UserError(f"{file}: not UTF-8 text (byte {problem.start}); save it as UTF-8") from problem
    if len(text) > _MOST_CHARACTERS:
        raise UserError(f"{file}: more than {_MOST_CHARACTERS:,} characters; {remedy}")
    content = parse_yaml(text, str(file))
    return empty if content is None else content


def parse_yaml(text: str, where: str) -> Any:
    """Return what a YAML text holds; None for an empty one.

    Args:
        text: of one document.
        where: the text is from, for messages.

    Raises:
        UserError: it is no YAML, a key is given twice or is more than a word, a value has a tag, or values are nested
            deeper than 40 or, written out, more than 100,000.
    """
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as problem:
        raise UserError(f"{where}: not valid YAML: {_told(problem)}") from problem


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the name and kind are PyYAML's

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._values = 0
        self._values_in: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        tag = getattr(event, "tag", None)
        if tag not in (None, "!", _TEXT):
            raise _refusal(f"the tag {tag} is not read", event.start_mark)
        if "\0" in getattr(event, "value", ""):
            raise _refusal("the character \\0 is not read", event.start_mark)
        self._depth, before = self._depth + 1, self._values
        if self._depth > _DEEPEST:
            raise _refusal(f"nested deeper than {_DEEPEST}", event.start_mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        # An alias counts as all that it refers to; one within what it refers to has no count yet.
        again = self._values_in.get(id(node), _MOST_VALUES) if isinstance(event, yaml.AliasEvent) else 1
        self._values += again
        if self._values > _MOST_VALUES:
            raise _refusal(f"more than {_MOST_VALUES:,} values, aliases written out", event.start_mark)
        if id(node) not in self._values_in:
            self._values_in[id(node)] = self._values - before
            _refuse_odd_keys(node)
        return node


for _kind, (_pattern, _first) in _RESOLVERS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_pattern})\Z"), _first)


def _refuse_odd_keys(node: yaml.Node | None) -> None:
    seen = set()
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        if not isinstance(key, yaml.ScalarNode):
            raise _refusal("a key must be a word", key.start_mark)
        if key.value in seen:
            raise _refusal(f"key {key.value!r} is given twice", key.start_mark)
        seen.add(key.value)


def _refusal(what: str, mark: yaml.Mark) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, what, mark)


def _told(problem: yaml.YAMLError) -> str:
    if not isinstance(problem, yaml.MarkedYAMLError) or problem.problem_mark is None:
        return str(problem)
    context = f"{problem.context}, " if problem.context else ""
    return f"{context}{problem.problem} (line {problem.problem_mark.line + 1})"
