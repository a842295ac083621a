"""Errors that name what the user can correct, and numbers in sentences for people."""

import resource
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path


class UserError(Exception):
    """A mistake in a file, a setting or a data set; its message names the place and the remedy."""


class BadImageError(UserError):
    """One image that cannot be read; the others can be used without it (`--skip-bad`)."""

    def __init__(self, file: Path, what: str, remedy: str) -> None:
        """Compose the message; `what` stays by itself for a list of such images."""
        super().__init__(f"{file}: {what}; {remedy}")
        self.what = what


_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, EOFError, LZMAError)


@contextmanager
def unreadable(
    file: Path | str, what: str, remedy: str, shown: Callable[[Exception], str] = str
) -> Iterator[None]:
    """Turn whatever keeps a file from being read as what it should be into `file: what (problem); remedy`.

    Of an error of the system with that very file, the problem is told without its number and the file's name once more.

    Raises:
        UserError: it cannot be read so.
    """
    try:
        yield
    except _UNREADABLE as problem:
        if isinstance(problem, OSError) and problem.strerror and str(problem.filename) == str(file):
            shown = _without_name
        raise UserError(f"{file}: {what} ({shown(problem)}); {remedy}") from problem


def _without_name(problem: Exception) -> str:
    return str(getattr(problem, "strerror", ""))


def counted(number: int, noun: str) -> str:
    """Return a number and its noun: `1 seed`, `2 seeds`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def named(noun: str, values: Sequence[object]) -> str:
    """Return a noun and what it names: `seed 1`, `seeds 1, 2`."""
    return f"{noun}{'' if len(values) == 1 else 's'} {', '.join(map(str, values))}"


def few_addresses(problem: ImportError | MemoryError) -> UserError:
    """Return what is told where the shell's limit of addresses keeps a library from being loaded.

    Raises:
        ImportError, MemoryError: there is no such limit: it is `problem` itself, a fault of another kind.
    """
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        raise problem
    why = str(problem) or "out of memory"
    return UserError(
        f"ulimit -v: {limit / 1e9:.1f} GB of addresses are too few ({why}); raise the limit, or lift it with "
        "ulimit -v unlimited"
    )


def duration(seconds: float) -> str:
    """Return seconds as "40 s", "3 min" or "2.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
