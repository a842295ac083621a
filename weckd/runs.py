"""What a person is told of runs: the results of one, and a list of all with the commands that go on with them."""

import csv
import json
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path

from weckd.committed import beside_quick_look, plan_sentence, with_plans
from weckd.config import Suite, load_suite
from weckd.declared import Declared, checked
from weckd.errors import UserError, counted, unreadable
from weckd.files import write_json
from weckd.fitted import fitted_table, fitted_text
from weckd.frozen_cells import frozen_places, taken_sentence
from weckd.last_screen import TABLES, WIDTH, last_screen
from weckd.locks import runs_under_way
from weckd.manifests import trained_cells
from weckd.places import undeclared_sentence, with_finding
from weckd.run_files import FACTS, RunFiles, no_run

LOCK = Path(".lock")
_CALL = ".call.json"
_STUDIES = {
    f"tables/{name}.md": {
        "tables": f"tables ({names}, .csv .md .tex .json)",
        "figure": f"figures ({figure}.svg .png)",
    }
    for name, names, figure in (
        ("leakage", "leakage and splits", "leakage"),
        ("readings", "readings", "specification"),
    )
}
"""The table of each study, and where the rest of it lies."""
_MAIN = ("tables/claims.md", "tables/main.md")
_FINDINGS = {
    "label conflicts": ("conflicts_exact", "conflicts_near"),
    "pairs of copies across patients": ("pairs_across_patients",),
    "pairs of suspected variants": ("suspected_pairs",),
    "images left out": ("left_out",),
}
"""What of an audit a person should look at, and its columns of audit.csv."""
_LAST = ("ro-crate-metadata.json", *_STUDIES)
"""What is made last of a run, and of each study."""
DRAW = "draw its tables with snakemake --cores all --configfile SUITE --config records=reference"
"""What to do with a frozen reference, which has none."""


@dataclass(frozen=True)
class _Start(Declared):
    """How a run was started last, and what came of it."""

    changes: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    state: str = ""  # "running" (or killed meanwhile), "ended" or "failed"; "" where nothing tells
    failed: dict[str, str] = field(default_factory=dict)  # log of each failed job
    known: dict[str, int] | None = None  # changes (`weckd.changes`) that the finished run has taken in


def run_summary(folder: Path) -> str:
    """Return what a run found on one screen, or the table of a study, and where the rest lies.

    Raises:
        UserError: the folder holds no finished run.
    """
    if not (folder / "suite.json").exists():
        raise no_run(folder, folder.parent)
    if (folder / FACTS).exists():
        raise UserError(f"{folder}: a frozen reference has no tables; {DRAW}")
    suite = load_suite(folder / "suite.json")
    for table, places in _STUDIES.items():
        if (folder / table).exists():
            return _shown(folder, [table]) + _places(folder, {**places, "splits": "splits"})
    if lacks := [table for table in (*_MAIN, *TABLES) if not (folder / table).exists()]:
        raise _unfinished(folder, suite, lacks[0])
    report, beside = _places(folder, {"report": "report.html"}), " (tables, figures, audit beside it)"
    return f"{_screen(folder, suite)}\n{report}{beside if len(report + beside) <= WIDTH else ''}"


def refuse_untrained(folder: Path, suite: Suite) -> None:
    """Refuse a run of which no cell is trained yet.

    Raises:
        UserError: there are no predictions; it tells what to do.
    """
    run = RunFiles(folder)
    if not any(run.prediction(key, seed).exists() for key in suite.datasets for seed in suite.seeds):
        raise _unfinished(folder, suite, "predictions")


def _unfinished(folder: Path, suite: Suite, lacks: str) -> UserError:
    start = _read_start(folder)
    state, cells = _state(folder, suite, start)
    if state == "running":
        return UserError(f"{folder}: no {lacks} yet, {cells} cells are trained; wait for the end of the run")
    what = _failed(start) or f"the run is {state}"
    return UserError(
        f"{folder}: no {lacks}, {cells} cells are trained, {what}; finish it with {goes_on_with(folder)}"
    )


def goes_on_with(folder: Path) -> str:
    """Return the command that a run was started with last, as a person would type it."""
    return shlex.join(_read_start(folder).command) or "the command that began it"


def _screen(folder: Path, suite: Suite) -> str:
    """Return the last screen, and below it what is told of the plan, the data sets and their audit."""
    run = RunFiles(folder)
    suite = with_plans(with_finding(suite, run.across), run)
    imported = ", ".join(file.stem for file in sorted(run.imported.glob("*.parquet")))
    told = (
        ("plan", plan_sentence(suite).removeprefix("Plan ")),
        ("cells", taken_sentence(trained_cells(suite, run.manifests))),
        ("data sets", undeclared_sentence(suite)),
        ("imported", f"{imported}, in tables, figures and report" if imported else ""),
        ("audit", _audit_found(folder)),
    )
    lines = (fitted_text(f"{what:<13}{text}", WIDTH) for what, text in told if text)
    return "\n".join([f"\n{last_screen(folder, suite, beside_quick_look(suite))}", *lines])


def _audit_found(folder: Path) -> str:
    """Return where the audit of a run lies, and how much it found that a person should look at; "" for nothing."""
    file = RunFiles(folder).audit / "audit.csv"
    if not file.is_file():
        return ""
    with unreadable(file, "not a readable finding of the audit", "delete it and run again", repr):
        rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
        numbers = {
            what: sum(int(row.get(column) or 0) for row in rows for column in columns)
            for what, columns in _FINDINGS.items()
        }
    told = [f"{what}: {number}" for what, number in numbers.items() if number]
    return f"{file.with_suffix('.md')} ({'; '.join(told)})" if told else ""


def _shown(folder: Path, tables: Iterable[str]) -> str:
    return "\n".join(["", *(f"{(folder / table).read_text('utf-8').rstrip()}\n" for table in tables), ""])


def _places(folder: Path, places: Mapping[str, str]) -> str:
    return "\n".join(f"{name:<13}{folder / place}" for name, place in places.items())


def study_made(folder: Path, made: Collection[str]) -> bool:
    """Return whether a study's table is among files."""
    return any(str(folder / table) in made for table in _STUDIES)


def results_text(
    folder: Path, asked: Collection[str], jobs: Mapping[str, int], command: Sequence[str]
) -> str:
    """Return what a person reads at the end: what a run found where that was asked for, else what was done.

    Args:
        folder: of the run.
        asked: the files that this call asks for; they are there now, and are what their sources say.
        jobs: how many jobs of each rule were run for them.
        command: its words, which make all of the run.
    """
    if str(folder / "report.html") in asked or study_made(folder, asked):
        return run_summary(folder)
    done = ", ".join(f"{rule} ({counted(number, 'job')})" for rule, number in jobs.items())
    text = f"made         {done or 'nothing: all that this command asks for is there'}\n"
    if not all(str(folder / table) in asked for table in _MAIN):
        return (
            f"\n{text}not made     the tables and report of {folder}, for which this command does not ask; they are "
            f"by\n             {shlex.join(command)}"
        )
    screen = _screen(folder, load_suite(folder / "suite.json"))
    return f"{screen}\n{text}tables       {folder / 'tables'} (.csv .md .tex .json)"


def note_start(
    folder: Path, changes: Sequence[str], command: Sequence[str], changed: Mapping[str, Sequence[object]]
) -> None:
    """Keep beside a run's settings that it is started, what was changed against the suite file, and the command for it.

    Args:
        folder: of the run.
        changes: each `KEY=VALUE`.
        command: its words.
        changed: what changed so far in the working folder (`weckd.changes`); all of it, where the run is new.
    """
    known = _read_start(folder).known
    start = _Start(list(changes), list(command), "running", {}, _numbers(changed) if known is None else known)
    write_json(folder / _CALL, asdict(start))


def note_end(
    folder: Path,
    asked: Collection[str],
    failed: Mapping[str, Path | None],
    changed: Mapping[str, Sequence[object]],
) -> None:
    """Keep how a start of a run ended.

    Args:
        folder: of the run.
        asked: the files that were asked for.
        failed: log of each failed job by what it is called.
        changed: what changed so far (`weckd.changes`); a run of which all was made has taken it in.
    """
    logs = {job: str(log or "") for job, log in failed.items()}
    end = replace(_read_start(folder), state="failed" if failed else "ended", failed=logs)
    if not failed and any(str(folder / name) in asked for name in _LAST):
        end = replace(end, known=_numbers(changed))
    write_json(folder / _CALL, asdict(end))


def _numbers(changed: Mapping[str, Sequence[object]]) -> dict[str, int]:
    return {name: len(times) for name, times in changed.items()}


def changed_files(
    folder: Path, prepared: Collection[Path], changed: Mapping[str, Sequence[Sequence[str]]]
) -> list[str]:
    """Return the files that have changed since all of a run was made.

    Args:
        folder: of the run.
        prepared: folders of its prepared data sets.
        changed: what changed so far in the working folder (`weckd.changes`).
    """
    known = _read_start(folder).known
    found = (
        file
        for name, times in changed.items()
        if known is not None and (Path(name).is_relative_to(folder) or Path(name).parent in prepared)
        for files in times[known.get(name, 0) :]
        for file in files
    )
    return list(dict.fromkeys(found))


def run_list(results: Path, width: int | None = None) -> str:
    """Return a table of the runs below a folder, and the command that goes on with each that is not finished.

    `width` is as in `fitted_table`; a command, which is there to be copied, is never wrapped.

    Raises:
        UserError: there is no run.
    """
    folders = sorted(file.parent for file in results.glob("*/suite.json"))
    if not folders:
        raise no_run(results, results)
    rows, commands = [], []
    for folder in folders:
        suite, start = load_suite(folder / "suite.json"), _read_start(folder)
        state, cells = _state(folder, suite, start)
        rows.append([str(folder), suite.name, "\n".join(start.changes), state, cells])
        if state not in ("running", "finished") and start.command:
            what = f", where {_failed(start)}," if start.failed else ""
            commands.append(f"{folder}{what} goes on with\n  {shlex.join(start.command)}")
    table = fitted_table(rows, ["run", "suite", "changed", "state", "cells"], width, ["changed"], ["suite"])
    return "\n\n".join([table, *commands])


def _state(folder: Path, suite: Suite, start: _Start) -> tuple[str, str]:
    """Return what became of a run's latest start, and how many cells are there."""
    run = RunFiles(folder)
    places, frozen = [*product(suite.datasets, suite.seeds)], frozen_places(suite, run)
    cells = [run.prediction(*place).exists() or place in frozen for place in places]
    whole = all(cells) and any((folder / name).exists() for name in _LAST)
    state = {"failed": "failed", "running": "interrupted"}.get(
        start.state, "finished" if whole else "unfinished"
    )
    if folder.name in runs_under_way(folder.parent / LOCK):
        state = "running"
    return state, f"{sum(cells)} of {len(cells)}"


def _failed(start: _Start) -> str:
    """Return where the latest start failed, and what tells why; "" where it did not."""
    if not start.failed:
        return ""
    [job, log], *more = start.failed.items()
    beside = f", and {counted(len(more), 'more job')}" if more else ""
    return f"{job} failed{f' ({log})' if log else ''}{beside}"


def _read_start(folder: Path) -> _Start:
    """Return what `note_start` kept; nothing of a run that was made before it was, or where it is damaged."""
    try:
        return checked(_Start, json.loads((folder / _CALL).read_text(encoding="utf-8")), _CALL)
    except (OSError, ValueError, UserError):
        return _Start()
