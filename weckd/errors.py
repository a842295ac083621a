"""Errors that name what the user can mend."""

from pathlib import Path


class UserError(Exception):
    """A mistake in a file, a setting or a data set; its message names the place and the remedy."""


class BadImageError(UserError):
    """One image that cannot be read; the others can be used without it (`--skip-bad`)."""

    def __init__(self, file: Path, what: str, remedy: str) -> None:
        """Compose the message; `what` stays by itself for a list of such images."""
        super().__init__(f"{file}: {what}; {remedy}")
        self.what = what
