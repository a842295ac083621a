"""What the table of how_run.py can say of a documented command."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """It is run through bash in the scratch checkout (checkout.py), as it stands or reduced.

    Attributes:
        command: as the documents have it.
        prints: texts that it must print, where several spaces count as one.
        makes: files, or patterns of files, that must be there afterwards.
        instead: what is replaced in it, and by what.
        add: what is appended to it.
        why: why it is reduced; every replacement and appended word needs it.
        after: commands of the table that it builds on; they are run before it, once.
        status: its exit status.
    """

    command: str
    prints: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    instead: tuple[tuple[str, str], ...] = ()
    add: str = ""
    why: str = ""
    after: tuple[str, ...] = ()
    status: int = 0


@dataclass(frozen=True)
class RunWithDocker(Run):
    """Likewise, by the tests of the container, where the image is (make container-check)."""


@dataclass(frozen=True)
class ByTest:
    """Another test runs it, or the same on a smaller suite: `file::function`."""

    command: str
    test: str


@dataclass(frozen=True)
class ByStage:
    """A stage of .ci/run makes this target: it is the command's, or needs that, or has the command in its recipe."""

    command: str
    target: str


@dataclass(frozen=True)
class Short:
    """A sub-command's or a target's name, for which another documented command stands in full."""

    command: str
    full: str


@dataclass(frozen=True)
class NotRun:
    """Nothing runs it. The document itself must say so, in these words, near the command."""

    command: str
    reason: str
    said: str
