"""What a person is told of runs: the results of one, and a list of all with the commands that go on with them."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from weckd.config import load_suite
from weckd.data.overlap import FINDING, undeclared_sentence, with_finding
from weckd.errors import UserError
from weckd.files import write_json
from weckd.locks import runs_under_way

LOCK = Path(".lock")
_CALL = ".call.json"
_LAST_FILES = ("ro-crate-metadata.json", "tables/leakage.md", "tables/readings.md")
"""What is made last of a run, of a leak study and of a study of readings."""


def run_summary(folder: Path) -> str:
    """Return the claims and the main table of a run, and where the rest lies.

    Raises:
        UserError: the folder holds no finished run.
    """
    tables = [folder / "tables" / f"{name}.md" for name in ("claims", "main")]
    for table in tables:
        if not table.exists():
            raise UserError(
                f"{folder}: no {table.relative_to(folder)}; finish the run first: snakemake --cores all"
            )
    found = undeclared_sentence(with_finding(load_suite(folder / "suite.json"), folder / FINDING))
    return _shown(tables) + (
        (f"data sets    {found}\n" if found else "")
        + f"report       {folder / 'report.html'} (all of it on one page)\n"
        f"tables       {folder / 'tables'} (.csv .md .tex)\n"
        f"figures      {folder / 'figures'} (.svg .png)\n"
        f"predictions  {folder / 'predictions'}\n"
        f"splits       {folder / 'splits'}\n"
        f"fits         {folder.parent / 'fits'}"
    )


def leakage_summary(folder: Path) -> str:
    """Return the table of a leak study, and where it and its figure lie.

    Args:
        folder: of the run on official test parts, finished.
    """
    return _shown([folder / "tables" / "leakage.md"]) + (
        f"tables       {folder / 'tables'} (leakage and splits, .csv .md .tex)\n"
        f"figure       {folder / 'figures'} (leakage.svg .png)\n"
        f"splits       {folder / 'splits'}"
    )


def _shown(tables: Sequence[Path]) -> str:
    text = "\n\n".join(table.read_text(encoding="utf-8").rstrip() for table in tables)
    return f"\n{text}\n\n"


def note_call(folder: Path, changes: Sequence[str], command: Sequence[str]) -> None:
    """Keep beside a run's settings what was changed against the suite file, and the command that goes on with it.

    Args:
        folder: of the run.
        changes: each `KEY=VALUE`.
        command: its words.
    """
    write_json(folder / _CALL, {"changes": list(changes), "command": list(command)})


def run_list(results: Path) -> str:
    """Return a table of the runs below a folder, and the command that goes on with each that is not finished.

    Raises:
        UserError: there is no run.
    """
    folders = sorted(file.parent for file in results.glob("*/suite.json"))
    if not folders:
        raise UserError(f"{results}: no run in it; begin one with `snakemake --cores all`")
    live = runs_under_way(results / LOCK)
    rows, commands = [], []
    for folder in folders:
        suite = load_suite(folder / "suite.json")
        cells = [
            folder / "predictions" / key / f"seed{seed}.parquet"
            for key in suite.datasets
            for seed in suite.seeds
        ]
        done = sum(cell.exists() for cell in cells)
        state = "stopped"
        if folder.name in live:
            state = "under way"
        elif done == len(cells) and any((folder / name).exists() for name in _LAST_FILES):
            state = "finished"
        call = _call(folder)
        rows.append([str(folder), suite.name, "\n".join(call["changes"]), state, f"{done} of {len(cells)}"])
        if state == "stopped" and call["command"]:
            commands.append(f"{folder} goes on with\n  {shlex.join(call['command'])}")
    table = tabulate(rows, headers=["run", "suite", "changed", "state", "cells"], disable_numparse=True)
    return "\n\n".join([table, *commands])


def _call(folder: Path) -> dict[str, list[str]]:
    """Return what `note_call` kept; nothing of a run that was made before it was, or where it is damaged."""
    try:
        call = json.loads((folder / _CALL).read_text(encoding="utf-8"))
        return {key: list(map(str, call[key])) for key in ("changes", "command")}
    except (OSError, ValueError, KeyError, TypeError):
        return {"changes": [], "command": []}
