"""What every layout gives: a listing of sources, each of which can be read on its own."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from weckd.data.decode import Decoded


@dataclass(frozen=True)
class Sample:
    """One decoded image and what its source says of it."""

    decoded: Decoded
    class_key: str
    given_group: str = ""


@dataclass(frozen=True)
class Source:
    """One image of a data set, not read yet.

    `read` raises BadImageError where this image cannot be used, and UserError where its data set is not what the
    catalogue says.
    """

    image_id: str
    official_split: str
    class_key: str  # "" where only the file itself says it
    read: Callable[[], Sample]


@dataclass(frozen=True)
class Listing:
    """The sources of a data set in the order of its index."""

    total: int
    class_counts: Mapping[str, int] | None  # None where only the files themselves tell their class
    sources: Iterator[Source]
