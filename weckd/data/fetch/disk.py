"""Errors of writing in words that name the folder and the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weckd.errors import UserError
from weckd.files import REMEDIES


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn errors of writing to `place` into ones that the user can mend.

    Raises:
        UserError: the disk is full, the folder belongs to somebody else, or a file is in its place.
    """
    try:
        yield
    except OSError as problem:
        if problem.errno is None:  # the network's errors are OSErrors too, without a number
            raise
        remedy = REMEDIES.get(problem.errno, "choose another folder")
        raise UserError(f"{place}: cannot be written ({problem.strerror}); {remedy}") from problem
