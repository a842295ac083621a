"""What users write, checked against the dataclasses that declare it.

A key is a field, `Annotated` with its bounds (`Bounds`, `Rule`), with a sentence below it. The check is pydantic's,
strict: nothing is taken for something else. Messages and the tables of keys in the documents are made of the same
bounds and sentences.
"""

import ast
import inspect
import json
import re
import reprlib
import textwrap
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union

from weckd.errors import UserError

T = TypeVar("T")


class Declared:
    """Base of dataclasses that declare keys: no others, no value of another type, and no number that is not finite."""

    __pydantic_config__: ClassVar = {"strict": True, "extra": "forbid", "allow_inf_nan": False}


@dataclass(frozen=True)
class Bounds:
    """Limits of a number, or of how many items or characters there are; None where there is none."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    min_length: int | None = None

    def __get_pydantic_core_schema__(self, kind: Any, handler: Callable[[Any], Any]) -> Any:
        """Return pydantic's schema of the kind, within the limits."""
        schema = handler(kind)
        if schema["type"] == "function-after":  # which has no limits of its own, and would drop them
            raise TypeError("bounds come before rules")
        return {**schema, **{name: limit for name, limit in vars(self).items() if limit is not None}}


@dataclass(frozen=True)
class Rule:
    """A test that a value must pass, and how a message says so after "must be"."""

    passes: Callable[[Any], bool]
    words: str

    def __get_pydantic_core_schema__(self, kind: Any, handler: Callable[[Any], Any]) -> Any:
        """Return pydantic's schema of the kind, with the test behind it."""
        from pydantic_core.core_schema import no_info_after_validator_function  # noqa: PLC0415

        return no_info_after_validator_function(self._tested, handler(kind))

    def _tested(self, value: Any) -> Any:
        if not self.passes(value):
            raise ValueError(self.words)
        return value


def pattern(regex: str, words: str) -> Rule:
    """Return the rule that a text matches as a whole, its end included."""
    return Rule(lambda text: re.fullmatch(regex, text) is not None, words)


UNIQUE = Rule(lambda values: len(set(values)) == len(values), "none twice")
NOT_EMPTY = Bounds(min_length=1)
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 80


def checked(kind: type[T], values: Any, what: str, derived: Collection[str] = ()) -> T:
    """Return plain values as the dataclass (or mapping of them) that declares them.

    Args:
        kind: declares what they may be.
        values: dicts, lists, texts, numbers, truth values and None.
        what: they are and where they are from, for messages.
        derived: keys that are made of others, with which they can be wrong: they are not told.

    Raises:
        UserError: a key is unknown or missing, or has a value that it cannot have; the message names each such key.
    """
    # Here, since most processes of a run read no file of a user's, and importing pydantic takes 0.1 s.
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

    try:
        return TypeAdapter(kind).validate_json(json.dumps(values))
    except ValidationError as problem:
        errors = problem.errors()
    # A list with a wrong item is told by the item alone.
    within = {error["loc"][:end] for error in errors for end in range(len(error["loc"]))}
    told = [
        _told(kind, e["type"], e["loc"], e["input"])
        for e in errors
        if e["loc"] not in within and not {*e["loc"][:1]} & {*derived}
    ]
    raise UserError("\n  ".join([what, *told]))


def plain(kind: Any, value: Any, parse: Callable[[str], Any] | None = None) -> Any:
    """Return a value with whole numbers as text where text is wanted, as a data set's key 2019 is.

    Args:
        kind: type that is wanted.
        value: as YAML gives it.
        parse: reads a text where something else is wanted, as a shell passes it; one value is then a list, too.
    """
    base, optional = _bare(kind)
    origin, arguments = typing.get_origin(base), typing.get_args(base)
    if base is str:
        if parse and optional and value in ("", "~", "null"):
            return None
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if parse and isinstance(value, str) and origin is not Literal:
        value = parse(value)
    if origin is tuple:
        items = [value] if parse and not isinstance(value, list | tuple) else value
        return (
            [plain(arguments[0], item, parse) for item in items] if isinstance(items, list | tuple) else items
        )
    if isinstance(value, Mapping):
        hints = _keys(base) if _declares(base) else {}
        other = arguments[1] if origin is dict else Any
        return {str(key): plain(hints.get(str(key), other), item, parse) for key, item in value.items()}
    return value


def key_table(kind: Any) -> str:
    """Return the Markdown table of all keys: what the value of each must be, and its sentence."""
    rows = sorted(_key_rows(kind))
    return "\n".join(
        ["| key | value | meaning |", "| --- | --- | --- |", *(f"| `{k}` | {v} | {m} |" for k, v, m in rows)]
    )


def marked(kind: Any, mark: str) -> frozenset[str]:
    """Return the keys that carry a mark."""
    return frozenset(name for name, hint in _keys(kind).items() if mark in _parts(hint)[1])


def wanted(kind: Any) -> str:
    """Return what a value of a type must be, in the words that follow "must be"."""
    base, marks = _parts(kind)
    rules = [mark.words for mark in marks if isinstance(mark, Rule)]
    origin, arguments = typing.get_origin(base), typing.get_args(base)
    if _bare(kind)[1]:
        return f"{wanted(arguments[0])}, or null"
    if origin is Literal:
        return " or ".join(filter(None, [", ".join(map(str, arguments[:-1])), str(arguments[-1]) or '""']))
    if origin is tuple:
        least = "of 1 or more" if NOT_EMPTY in marks else ""
        of = "" if _declares(_parts(arguments[0])[0]) else f", each {wanted(arguments[0])}"
        return ", ".join([f"a list {least}".strip(), *rules]) + of
    if origin is dict or _declares(base):
        return ": ".join(["keys and values", *([", ".join(_keys(base))] if _declares(base) else [])])
    if base in (int, float):
        return _number("a whole number" if base is int else "a number", marks)
    return ", ".join(rules) or {str: "text", bool: "true or false"}.get(base, "")


def near(word: str, known: Sequence[str]) -> str:
    """Return the end of a sentence: a hint at the known word that is nearest to another, where one is near."""
    import difflib  # noqa: PLC0415 - used in messages alone

    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else "."


def _key_rows(kind: Any, above: str = "") -> Iterator[tuple[str, str, str]]:
    for name, hint in _keys(kind).items():
        base, says = _bare(hint)[0], _sentences(kind).get(name)
        item = typing.get_args(base)[0] if typing.get_origin(base) is tuple else base
        if says:
            yield f"{above}{name}", wanted(hint), says
        if _declares(base) or (_declares(item) and not says):
            yield from _key_rows(item, f"{above}{name}.")


def _number(noun: str, marks: Sequence[Any]) -> str:
    bounds = next((mark for mark in marks if isinstance(mark, Bounds)), Bounds())
    if bounds.ge is not None and bounds.le is not None:
        return f"{noun} from {bounds.ge} to {bounds.le}"
    limits = {"from": bounds.ge, "above": bounds.gt, "at most": bounds.le, "below": bounds.lt}
    told = " and ".join(f"{word} {limit}" for word, limit in limits.items() if limit is not None)
    return f"{noun} {told}".strip()


def _declares(kind: Any) -> bool:
    return is_dataclass(kind)


@cache
def _keys(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


@cache
def _sentences(kind: Any) -> dict[str, str]:
    """Return what is written below each key's declaration."""
    declared = [inspect.getsource(base) for base in kind.__mro__ if _declares(base)]
    return {
        ast.unparse(key.target): " ".join(ast.literal_eval(below.value).split())
        for statement in ast.parse("\n".join(map(textwrap.dedent, declared))).body
        for key, below in pairwise(getattr(statement, "body", ()))
        if isinstance(key, ast.AnnAssign) and isinstance(below, ast.Expr)
    }


def _parts(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return a type without its marks, and the marks."""
    if typing.get_origin(kind) is Annotated:
        base, *marks = typing.get_args(kind)
        return base, tuple(marks)
    return kind, ()


def _bare(kind: Any) -> tuple[Any, bool]:
    """Return a type without its marks and without None, and whether None is one of its values."""
    base, _ = _parts(kind)
    if typing.get_origin(base) in (Union, types.UnionType):
        return _parts(typing.get_args(base)[0])[0], True
    return base, False


def _told(kind: Any, error: str, place: tuple[int | str, ...], value: Any) -> str:
    """Return what is wrong with one value, by its key."""
    if error == "json_invalid":
        return "top level: holds text that is no Unicode"
    says, above = "", kind
    of_key = place[-1:] == ("[key]",)
    place = place[: -1 if of_key else None]
    for number, step in enumerate(place, 1):
        above, (base, _) = kind, _bare(kind)
        arguments = typing.get_args(base)
        if _declares(base):
            kind, says = _keys(base).get(str(step), str), _sentences(base).get(str(step), "")
        else:
            kind = arguments[
                0 if typing.get_origin(base) is tuple or (of_key and number == len(place)) else 1
            ]
    # Blanks that keep a key from being known, as web pages have them, are seen by their numbers alone.
    name = ".".join(text if text.isprintable() else ascii(text) for text in map(str, place)) or "top level"
    if error == "unexpected_keyword_argument":
        known = sorted(_keys(_bare(above)[0]))
        hint = " (write a space behind the colon of a key)" if ":" in str(place[-1]) else ""
        return f"{name}: no such key{hint}{near(str(place[-1]), known)} Keys here: {', '.join(known)}"
    digits = _bare(kind)[0] in (int, float) and isinstance(value, str) and any(map(str.isdigit, value))
    hint = " (numbers are written as 10, 0.5 or 1e-3, without quotes; a list as [1, 2])" if digits else ""
    if _bare(kind)[0] is str and isinstance(value, bool | float):
        hint = " (a word in quotes is text)"
    wrong = "is missing" if error == "missing" else f"must be {wanted(kind)}, not {_shown(value)}{hint}"
    return f"{name}: {wrong}" + (f"; {says}" if says else "")


def _shown(value: Any) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else _REPR.repr(value)
