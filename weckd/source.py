"""Digests of the package's own code: what is made by a module is made again when the module changes."""

from collections.abc import Iterable
from pathlib import Path

from weckd.files import digest, file_digest

PACKAGE = Path(__file__).parent


def source_digest(patterns: Iterable[str]) -> str:
    """Return the SHA-256 over the files below the package that match any of the glob patterns.

    Raises:
        ValueError: a pattern matches no file.
    """
    files: set[Path] = set()
    for pattern in patterns:
        found = [file for file in PACKAGE.glob(pattern) if file.is_file() and "__pycache__" not in file.parts]
        if not found:
            raise ValueError(f"no file of the package matches {pattern!r}")
        files.update(found)
    return digest({file.relative_to(PACKAGE).as_posix(): file_digest(file) for file in files})
