"""The last thing that a run prints: its verdicts and gains on one screen, 80 columns wide and about 25 lines high."""

import csv
import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from weckd.committed import Beside
from weckd.config import Suite
from weckd.errors import counted
from weckd.fitted import fitted_text
from weckd.places import MACRO, few_seeds

WIDTH = 80
TABLES = ("tables/answers.csv", "tables/main.csv", "tables/main.json")
"""What it is made of, by stable names whatever the printed tables are relabelled to."""
_CLAIM, _ASKED, _VERDICT = 22, 14, 17  # columns; what is left is the effect's
_NAME = 34  # columns of a claim whose effects are not shown
_SHARE = re.compile(r",.*?(\d+ %).*")


def last_screen(folder: Path, suite: Suite, beside: Beside | None) -> str:
    """Return the gain on each data set and the verdict of each claim, in lines of at most 80 columns.

    Args:
        folder: of the finished run, with the tables that `TABLES` names.
        suite: its settings, with what its audit found.
        beside: the verdicts of the committed reference, which are shown in place of a quick look's own.
    """
    answers, main = (_rows(folder / name) for name in TABLES[:2])
    [warned, *_] = json.loads((folder / TABLES[2]).read_text(encoding="utf-8"))
    size = (
        f"{counted(len(suite.datasets), 'data set')}, {counted(len(suite.methods), 'method')}, "
        f"{counted(len(suite.seeds), 'seed')}"
    )
    lines = [f"run {folder.name}: {size}; plan {suite.plan_hash}"]
    lines += [warned["warning"]] if warned["warning"] else []
    if suite.quick_look:
        lines.append("A quick look: it tests none of the paper's claims.")
    elif few_seeds(suite):
        lines.append(f"Fewer than {suite.analysis.minimum_seeds} seeds: it describes, it tests nothing.")
    if main and "dataset" not in main[0]:  # a table of which there is nothing says why
        lines += main[0].values()
    elif len(found := _gains(suite, main)) > 1:
        lines += _columns(found)
    if beside:
        lines += ["", beside.says]
        answers = [dict(zip(beside.header, row, strict=True)) for row in beside.rows]
    if answers:
        lines += _by_claim(answers) if beside else ["", *_verdicts(answers, _level(suite))]
        lines += _readings(answers)
    return fitted_text("\n".join(lines), WIDTH)


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _gains(suite: Suite, main: Sequence[Mapping[str, str]]) -> list[tuple[str, ...]]:
    """Return a head and a row a data set and mean: one model, the chain, and its gain over the control of labels."""
    chain = next((name for name in suite.methods if suite.roles[name] == "chain"), "")
    levels = [name for name in ("single", chain) if main and f"{name} mean" in main[0]]
    over = [name for name in ("pooled", "single") if main and f"gain {name}" in main[0]][:1]
    metric, level = suite.analysis.metrics[0].replace("_", " "), _level(suite)
    rows = [(f"data set ({metric}, %)", *levels, *(f"gain over {name} [{level}]" for name in over))]
    derived = {key for key in suite.datasets if suite.facts[key].derived_from}
    marks = {**dict.fromkeys(suite.undeclared, "‡"), **dict.fromkeys(derived, "†")}
    if marks:
        marks[MACRO] = f"(without {' '.join(sorted(set(marks.values())))})"
    for row in main:
        if row["dataset"] in (*suite.datasets, MACRO):
            means = (f"{float(row[f'{name} mean']):.1f}" if row[f"{name} mean"] else "-" for name in levels)
            gains = (_gain(*(row[f"{end} {name}"] for end in ("gain", "ci_low", "ci_high"))) for name in over)
            rows.append((f"{row['dataset']} {marks.get(row['dataset'], '')}".rstrip(), *means, *gains))
    return rows


def _gain(value: str, low: str, high: str) -> str:
    if not value:
        return "missing"
    interval = f" [{float(low):+z.1f}, {float(high):+z.1f}]" if low else ""
    return f"{float(value):+z.1f}{interval}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _level(suite: Suite) -> str:
    return f"{100 * (1 - suite.analysis.alpha):g} %"


def _verdicts(answers: Sequence[Mapping[str, str]], level: str) -> list[str]:
    """Return a line a question, with the claim's name down the side of its questions."""
    names = [row["claim"] for row in answers]
    lines = [f"{'claim':<{_CLAIM}}  {'asked':<{_ASKED}}  {'verdict':<{_VERDICT}}  gain [{level}]"]
    for name in dict.fromkeys(names):
        of_claim = [row for row in answers if row["claim"] == name]
        side = textwrap.wrap(name, _CLAIM)
        for number in range(max(len(side), len(of_claim))):
            line = (side[number] if number < len(side) else "").ljust(_CLAIM)
            if number < len(of_claim):
                row = of_claim[number]
                line += f"  {_asked(row.get('question', '')):<{_ASKED}}  {row['verdict']:<{_VERDICT}}  {row['effect']}"
            lines.append(line.rstrip())
    return lines


def _by_claim(answers: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a line or two a claim, without effects, so that a quick look's screen has room for its own gains."""
    lines = [("claim", "as worded", "for the chain")]
    for name in dict.fromkeys(row["claim"] for row in answers):
        worded: list[str] = []
        chain: list[str] = []
        for row in answers:
            question, share = row.get("question", ""), _SHARE.search(row.get("question", ""))
            if row["claim"] == name:
                said = f"{share[1]}: {row['verdict']}" if share else row["verdict"]
                (chain if question == "for the chain" else worded).append(said)
        lines += zip_longest(textwrap.wrap(name, _NAME), worded, chain, fillvalue="")
    return _columns(lines)


def _readings(answers: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the first question that is shortened to a share of the labels, in full."""
    asked = (row.get("question", "") for row in answers)
    return next(([f"({share[1]}: {words})"] for words in asked if (share := _SHARE.search(words))), [])


def _asked(question: str) -> str:
    """Return a question in few words: of a reading that speaks of a share of the labels, the share."""
    short = _SHARE.sub(r" \1", question)
    return short if len(short) <= _ASKED else f"{short[: _ASKED - 2].rstrip()}.."
