"""Whether a run and a reference are of the same suite; light, since the workflow asks it at every start."""

from dataclasses import asdict, replace
from pathlib import Path

from weckd.config import Suite, load_suite, neutral_keys
from weckd.errors import UserError


def refuse_other_suite(suite: Suite, other: Suite, reference: Path) -> None:
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
            f"{reference}: made with another {wrong}: {theirs[wrong]}, not {mine[wrong]}; compare runs of one suite "
            "and plan"
        )


def narrowed(whole: Suite, suite: Suite) -> Suite:
    """Return the reference's suite narrowed to what a run has of it; itself, where the run is no part of it."""
    axes = ("datasets", "seeds", "methods")
    if not all(set(getattr(suite, axis)) <= set(getattr(whole, axis)) for axis in axes) or all(
        getattr(suite, axis) == getattr(whole, axis) for axis in axes
    ):
        return whole
    return replace(
        whole,
        run=suite.run,  # a narrowed run has a folder and a plan of its own
        plan_hash=suite.plan_hash,
        datasets=suite.datasets,
        seeds=suite.seeds,
        methods=suite.methods,
        readings_datasets=suite.readings_datasets,
        facts={key: whole.facts[key] for key in suite.datasets},
        roles={method: whole.roles[method] for method in suite.methods},
    )


def frozen_suite(suite: Suite, references: tuple[Path, ...]) -> tuple[Suite, Path]:
    """Return the suite of the first reference folder that is there, and the folder.

    Raises:
        UserError: there is none, or it is of another suite.
    """
    found = next((folder for folder in references if (folder / "suite.json").exists()), None)
    if found is None:
        names = " or ".join(str(folder) for folder in references)
        raise UserError(f"records=reference: there is no reference {names}; make one with `weckd freeze`")
    frozen = load_suite(found / "suite.json")
    refuse_other_suite(suite, frozen, found)
    return replace(frozen, data_root=None), found
