"""What is committed and a run: whether it is of the same suite, under which plan the run was trained, and what the full
reference found."""

import csv
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from weckd.config import Suite, build, neutral_keys
from weckd.errors import UserError, counted, unreadable
from weckd.manifests import trained_cells
from weckd.run_files import RunFiles

REFERENCES = Path(__file__).resolve().parents[1] / "results" / "reference"
"""The committed references, in a checkout as in the image."""
FULL = "real"
"""The one whose verdicts are shown beside a quick look."""
SHOWN = ("claim", "question", "verdict", "effect", "compared")
"""Columns of answers.csv that are shown, where it has them."""


def plan_before(facts: Mapping[str, Any], plan_hash: str) -> str | None:
    """Return the hash of the plan that was there before a reference's run; None where it is this one.

    `facts` are those of the reference, see `weckd.agreement.reference.Reference`.
    """
    before: str = facts.get("plan_before") or facts["plan_hash"]
    return before if before != plan_hash else None


def with_plans(suite: Suite, run: RunFiles) -> Suite:
    """Return a run's suite with the other plans that its cells were trained under, as their manifests say.

    Of cells whose manifests do not, as those of earlier versions, the facts of the reference do that the run was laid
    out from; where there is none, it is not recorded.

    Raises:
        UserError: a manifest, or what tells of the reference, cannot be read.
    """
    recorded = ""
    if run.drawn_from.exists():
        with unreadable(run.drawn_from, "not the facts of a reference", "lay the reference out again"):
            facts = json.loads(run.drawn_from.read_text(encoding="utf-8"))
            recorded = plan_before(facts, suite.plan_hash) or suite.plan_hash
    cells = trained_cells(suite, run.manifests)
    under = Counter(plan for cell in cells for plan in {plan or recorded for plan in cell.plans or ("",)})
    del under[suite.plan_hash]
    return replace(suite, trained_under=dict(sorted(under.items())))


def plan_sentence(suite: Suite) -> str:
    """Return the plan, and the others that the run was trained under, as `with_plans` found them; empty for none."""
    cells = len(suite.datasets) * len(suite.seeds)
    told = []
    for plan, count in suite.trained_under.items():
        of = "" if count == cells else f"{count} of {counted(cells, 'cell')} "
        told.append(
            f"{of}trained under {plan}, before it was changed"
            if plan
            else f"{of}trained under a plan that is not recorded"
        )
    return f"Plan {suite.plan_hash}; {'; '.join(told)}." if told else ""


def refuse_other_suite(
    suite: Suite, other: Suite, reference: Path, remedy: str = "compare runs of one suite and plan"
) -> None:
    """Refuse a suite that is not the reference's, by the first key that differs.

    Raises:
        UserError: a key other than the neutral ones differs.
    """
    neutral = neutral_keys(suite.tuned)
    mine, theirs = (
        {key: value for key, value in asdict(one).items() if key not in neutral} for one in (suite, other)
    )
    wrong = next((key for key in mine if mine[key] != theirs[key]), None)
    if wrong:
        raise UserError(
            f"{reference}: made with another {wrong}: {theirs[wrong]}, not {mine[wrong]}; {remedy}"
        )


def under_plan(suite: Suite, reference: Path, *remedy: str) -> Suite:
    """Return the suite of a reference with the analysis plan of another, which may have changed since it was frozen.

    Its own plan is not read: it may have keys that there are no more.

    Raises:
        UserError: something but the plan is not that of `suite`, or the reference's suite.json cannot be read.
    """
    file, plan = RunFiles(reference).suite, {"analysis": asdict(suite.analysis), "plan_hash": suite.plan_hash}
    with unreadable(file, "not a readable suite.json", "restore the reference"):
        frozen: Suite = build(Suite, {**json.loads(file.read_text(encoding="utf-8")), **plan})
    refuse_other_suite(suite, frozen, reference, *remedy)
    return replace(frozen, data_root=None)


@dataclass(frozen=True)
class Beside:
    """The verdicts of the committed reference, to be shown beside a quick look."""

    says: str  # what they are of and what not; or why there are none
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def beside_quick_look(suite: Suite, references: Path = REFERENCES) -> Beside | None:
    """Return the verdicts that the committed reference stores; None where the suite is no quick look."""
    if not suite.quick_look:
        return None
    run, none = (
        RunFiles(references / FULL),
        f"No verdicts of the committed reference {FULL} are shown beside this",
    )
    files = run.suite, run.folder / "reference.json", run.tables / "answers.csv"
    if missing := [file.relative_to(references) for file in files if not file.is_file()]:
        return Beside(f"{none} quick look: there is no {Path('results/reference', missing[0])}.")
    try:
        of, facts = (json.loads(file.read_text(encoding="utf-8")) for file in files[:2])
        with files[2].open(encoding="utf-8", newline="") as answers:
            found = list(csv.DictReader(answers))
        header = tuple(name for name in SHOWN if name in found[0])
        rows = tuple(tuple(row[name] for name in header) for row in found)
        before = facts.get("plan_before")
        after = f"; trained under {before}, before it was changed" if before else ""
        says = (
            f"Verdicts of the committed reference {of['run']} ({', '.join(of['datasets'])}; {of['image_size']} px, "
            f"{counted(len(of['seeds']), 'seed')}, {of['training']['steps']} steps a model; plan {of['plan_hash']}"
            f"{after}). Other images and settings than this run's."
        )
    except (OSError, ValueError, LookupError, TypeError) as problem:
        return Beside(f"{none} quick look: results/reference/{FULL} cannot be read ({problem!r}).")
    return Beside(says, header, rows)
