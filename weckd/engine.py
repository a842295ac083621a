"""What the workflow's own process does beside starting jobs: how it stops, and why it failed."""

import itertools
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import IO, Any

ENDING = (
    "weckd: no new job is started; those under way go on to their ends. Ctrl-C again stops them at once: training jobs "
    "then keep the step under way"
)
STOPPING = (
    "weckd: stopping. Training jobs keep the step under way and end; the same command goes on from there, and makes "
    "other steps again"
)
IGNORES_CTRL_C = "set -euo pipefail; trap '' INT; "
"""Begins each job's shell script: a terminal's Ctrl-C reaches the jobs too, and it is for the engine to stop them."""
SILENT = "exec 2> /dev/null; "
"""Goes on with it where a line of progress is shown: what a job says is in its log alone."""
_TAIL = 5  # lines of a log that ends without a message
_LAST_WORDS = 1.0  # seconds in which what a job said last reaches its log, after the job itself has ended


def find_own_commands() -> None:
    """Let jobs, which call `weckd` by name, find that of this process's environment, which need not be activated."""
    own = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([own, os.environ.get("PATH", os.defpath)])


def listen_for_stops(
    end_gracefully: Callable[[], object],
    running: Callable[[], Mapping[str, Path | None]],
    processes: Callable[[], Iterable[int]],
) -> list[int]:
    """Take over Ctrl-C, and SIGTERM, from the engine; only the main thread can.

    Both let running jobs come to their ends. A second Ctrl-C stops them by SIGTERM, as they ignore SIGINT (see
    `IGNORES_CTRL_C`). The engine's own handler of SIGTERM takes a lock that the interrupted code may hold, and then
    waits for ever: here another thread takes it.

    Args:
        end_gracefully: what the engine does at SIGTERM.
        running: returns the log of each job that is under way by what it is called; None where it has none.
        processes: returns the numbers of all processes that the engine has started.

    Returns:
        The signals received: none yet.
    """
    asked, received = itertools.count(1), list[int]()

    def end(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        threading.Thread(target=end_gracefully, daemon=True).start()

    def stop(number: int, frame: FrameType | None) -> None:
        times = next(asked)
        with suppress(OSError):
            told = [ENDING, *map(_under_way, running().items())] if times == 1 else [STOPPING]
            print(*told, sep="\n", file=sys.stderr, flush=True)
        if times == 1:
            end(number, frame)
            return
        for process in processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        if times == 2:  # the engine is stopping already when it is asked again
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, end)
    return received


def _under_way(job: tuple[str, Path | None]) -> str:
    """Return what a job is called, and how long it takes still, where its log tells."""
    name, log = job
    left = re.findall(r", (about [\d.]+ \w+ left)$", "\n".join(_lines(log)), re.MULTILINE)
    return f"weckd: under way: {name}{f' ({left[-1]})' if left else ''}"


def started_processes() -> list[int]:
    """Return the numbers of the processes that this one, and those, have started."""
    from psutil import Process  # type: ignore[import-untyped]  # noqa: PLC0415 - one call in many starts

    return [process.pid for process in Process().children(recursive=True)]


class _Outliving:
    """A stream that outlives its reader: where nobody reads any more, what is written goes nowhere."""

    def __init__(self, stream: IO[str], before: Callable[[], object]) -> None:
        self._stream, self._before = stream, before

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stream, name)
        return partial(self._unless_gone, found) if name in ("write", "flush") else found

    def _unless_gone(self, method: Callable[..., object], *text: str) -> None:
        try:
            if text:
                self._before()
            method(*text)
        except BrokenPipeError:
            with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - no file of a path
                os.dup2(nowhere.fileno(), self._stream.fileno())


def outlive_reader(handlers: Iterable[logging.Handler], before: Callable[[], object] = lambda: None) -> None:
    """Let the engine's log go on where its reader is gone, as when `| tee` is killed.

    The engine reports a job's failure from another thread. Where that cannot be printed, the job is never counted as
    ended, and the engine waits for it for ever, holding the lock of its folder.

    Args:
        handlers: of the log.
        before: called before anything is written.
    """
    for handler in _on_screen(handlers):
        handler.stream = _Outliving(handler.stream, before)


def tell_warnings_alone(handlers: Iterable[logging.Handler], running: Callable[[], bool]) -> None:
    """Keep what the engine says of its work to its log file; the screen gets warnings, errors, and that all is there.

    Args:
        handlers: of the log.
        running: whether jobs are to be run: what is asked of the engine otherwise, as a dry run, is printed as it is.
    """

    def shown(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        told = text.startswith("Nothing to be done") or record.levelno >= logging.WARNING
        # The engine assumes what it does before it knows how it is to run jobs.
        return told or not (running() or text.startswith("Assuming "))

    for handler in _on_screen(handlers):
        handler.addFilter(shown)


def _on_screen(handlers: Iterable[logging.Handler]) -> Iterator["logging.StreamHandler[Any]"]:
    for handler in handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream in (sys.stdout, sys.stderr):
            yield handler


def data_notices(logs: Iterable[Path | None]) -> list[str]:
    """Return what jobs tell of their data sets, each line once, which one line of progress does not show."""
    said = (line for log in logs for line in _lines(log) if line.startswith("["))
    return list(dict.fromkeys(line for line in said if not line.endswith(" images decoded")))


def failure_text(failed: Mapping[str, Path | None]) -> str:
    """Return what failed jobs say, each message once, to be the last lines that a person sees.

    Args:
        failed: log of each job by what it is called; None where it has none.
    """
    said: dict[str, list[str]] = {}
    for job, log in failed.items():
        said.setdefault(_last_words(log), []).append(f"{job} ({log})" if log else job)
    blocks = [f"failed: {chr(10).join(jobs)}\n{text}" for text, jobs in said.items()]
    return "\n\n".join(["", *blocks])


def _last_words(log: Path | None) -> str:
    """Return the message that a log ends with; that of `weckd`, the end of a traceback, or its last lines."""
    deadline = time.monotonic() + _LAST_WORDS
    while True:
        lines = _lines(log)
        if starts := [n for n, line in enumerate(lines) if line.startswith("weckd: ")]:
            return "\n".join(lines[starts[-1] :])
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    nothing = "it left no message, as one that is killed does; what the engine says of it is above"
    return "\n".join(lines[-_TAIL:]) or nothing


def _lines(log: Path | None) -> list[str]:
    if log is None or not log.is_file():
        return []
    return log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
