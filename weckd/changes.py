"""What was changed between two starts of a working folder: found, kept, and removed where its rule then makes it again.

Compared are the files beside which sums lie, manifests and choices of tuning with their own sums, each suite.json with
what the suite files say, and prepared data sets with what they were read from.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from weckd.config import Suite, says_suite
from weckd.data.catalogue import suite_datasets
from weckd.data.watch import SEEN, forget_changed, forget_moved, keep_seen
from weckd.errors import UserError, counted
from weckd.files import edited, unlike_sums, write_json
from weckd.locks import try_lock
from weckd.methods.catalogue import fetched_weights
from weckd.run_files import RunFiles

_SHOWN = 5
"""Files that are named where more may have changed."""


@dataclass
class Changes:
    """What was found changed in a working folder."""

    file: Path  # JSON file that keeps `times`
    times: dict[
        str, list[list[str]]
    ]  # by what told of it, such as sums: the files, a list each time, so far and now
    found: list[str] = field(default_factory=list)  # files, at this start

    def note(self, teller: Path, files: Sequence[str]) -> None:
        """Keep what tells of changed files before it is removed: a start that is refused later must lose none."""
        self.times.setdefault(str(teller), []).append(_few(files))
        self.found += files
        if os.access(self.file.parent, os.W_OK):
            write_json(self.file, self.times)


def is_alone(lock: Path) -> bool:
    """Return whether no run is at work in the folder of a lock."""
    if lock.exists() and os.access(lock, os.W_OK):
        held = try_lock(lock)
        if held is None:
            return False
        held.close()
    return True


def kept_changes(file: Path) -> Changes:
    """Return what has changed so far; nothing where the file that keeps it is not there, or damaged."""
    try:
        content = json.loads(file.read_text(encoding="utf-8")).items()
        return Changes(file, {str(name): [[*map(str, files)] for files in times] for name, times in content})
    except (OSError, ValueError, TypeError, AttributeError):
        return Changes(file, {})


def forget_changes(file: Path, runs: Mapping[RunFiles, Suite], frozen: bool) -> Changes:
    """Find what has changed in a working folder, say so, and remove what tells of it, to have it made again.

    Args:
        file: keeps what changed.
        runs: each run's suite; that of the call first, then those of its studies.
        frozen: whether they are made of frozen references; else they are trained.

    Raises:
        UserError: something cannot be removed, or the folder of the user's own data sets is not there.
    """
    changes = kept_changes(file)
    for run in runs:
        for sums in sorted(run.folder.glob("**/*sums.json")):
            if unlike := unlike_sums(sums):
                changes.note(sums, unlike)
                _remove(sums)
    suites = [
        run.suite for run, suite in runs.items() if run.suite.is_file() and not says_suite(run.suite, suite)
    ]
    for written in suites:
        print(f"{written}: not what the suite files say; made again", file=sys.stderr)
    if not frozen:
        for run in runs:
            for own in (*run.folder.glob("tuned/*/*.json"), *run.manifests.glob("*/*.json")):
                if edited(own):
                    changes.note(own, [str(own)])
                    own.unlink()
        run, suite = next(iter(runs.items()))
        _forget_sources(changes, run, suite)
    shown = _few(changes.found)
    for name in shown:
        print(f"changed since it was read or made: {name}", file=sys.stderr)
    for written in suites:
        changes.note(written, [str(written)])
    changes.found = [*shown, *map(str, suites)]
    return changes


def keep_what_was_seen(run: RunFiles, suite: Suite) -> None:
    """Keep a copy of what each data set was read from, which stays where the images go."""
    for key in suite.datasets:
        prepared = run.prepared(suite, key)
        keep_seen(prepared, _copy(run, prepared))


def _copy(run: RunFiles, prepared: Path) -> Path:
    return run.results / ".seen" / f"{prepared.name}.json"


def _forget_sources(changes: Changes, run: RunFiles, suite: Suite) -> None:
    """Compare prepared data sets with what they were read from, and find weights that were moved."""
    own = Path(suite.data_root) if suite.data_root else None
    roots = [root / "weights" for root in (own, run.downloads) if root]
    for name in fetched_weights(suite):
        forget_moved(run.weights / f"{name}.json", "file", roots)
    for key, dataset in suite_datasets(suite).items():
        prepared = run.prepared(suite, key)
        size, copy = suite.image_size, _copy(run, prepared)
        if files := forget_changed(dataset, size, own, run.downloads, prepared, copy):
            changes.note(prepared / SEEN, files)


def _remove(sums: Path) -> None:
    if os.access(sums.parent, os.W_OK):
        try:
            sums.unlink()
        except OSError as problem:
            raise UserError(f"{sums}: cannot be removed ({problem.strerror}); remove it by hand") from problem


def _few(files: Sequence[str]) -> list[str]:
    """Return the first of some files, and how many more there are."""
    more = len(files) - _SHOWN
    return [*files[:_SHOWN], *([counted(more, "more file")] if more > 0 else [])]
