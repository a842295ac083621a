"""What is told of frozen references beside a run: which plan was there before it, and what a full one found."""

import json
from collections.abc import Mapping
from typing import Any

from weckd.errors import unreadable
from weckd.run_files import RunFiles


def plan_before(facts: Mapping[str, Any], plan_hash: str) -> str | None:
    """Return the hash of the plan that was there before a reference's run; None where it is this one.

    `facts` are those of the reference, see `weckd.agreement.reference.Reference`.
    """
    before: str = facts.get("plan_before") or facts["plan_hash"]
    return before if before != plan_hash else None


def plan_sentence(plan_hash: str, before: str | None) -> str:
    """Return which plan was there before a run and which came after; empty where none came after."""
    if before is None:
        return ""
    return (
        f"Plan {plan_hash} came after the run, with its results known; before the run the plan was {before}."
    )


def plan_of(run: RunFiles, plan_hash: str) -> str:
    """Return the same of a run that was laid out from a reference; empty for a trained one.

    Raises:
        UserError: what tells of the reference cannot be read.
    """
    if not run.drawn_from.exists():
        return ""
    with unreadable(run.drawn_from, "not the facts of a reference", "lay the reference out again"):
        facts = json.loads(run.drawn_from.read_text(encoding="utf-8"))
        return plan_sentence(plan_hash, plan_before(facts, plan_hash))
