"""Errors of writing in words that name the folder and the remedy."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weckd.errors import UserError


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn errors of writing to `place` into ones that the user can mend.

    Raises:
        UserError: the disk is full, or the folder belongs to somebody else.
    """
    try:
        yield
    except OSError as problem:
        if problem.errno is None:  # the network's errors are OSErrors too, without a number
            raise
        full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space, or" if full else "give yourself the right to write there, or"
        raise UserError(
            f"{place}: cannot be written ({problem.strerror}); {remedy} choose another folder"
        ) from problem
