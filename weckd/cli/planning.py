"""Commands to be run before hours are spent: what a suite will cost, what it can find, whether this machine runs it."""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from weckd.cli.arguments import WIDE, command, fitted_width, option, path, points
from weckd.cli.suites import SUITE_FILES, resolved

if TYPE_CHECKING:
    from weckd.analysis.results import Results
    from weckd.config import Suite

_ROOT = Path(__file__).resolve().parents[2]
"""The package's folder: a clone, or that of the container."""
_LOCK = _ROOT / "requirements.lock"


@command(
    "plan",
    "print fits, steps, estimated device-hours, disk and power of a suite",
    *SUITE_FILES,
    [
        path("--reference", metavar="FOLDER", help="finished or frozen run whose variances the power is of"),
        option(
            "--guess",
            nargs=2,
            type=points,
            metavar=("SEEDS", "GROUPS"),
            help="standard deviations of a gain between seeds, and between groups of test images, in points",
        ),
    ],
    WIDE,
    description="Measures a few passes of each network of the suite on this machine; trains nothing. Power: the gain "
    "that each comparison of the plan would find, and the chance of each verdict at a true gain of 0, of the margin "
    "and of what is claimed.",
)
def _plan(options: argparse.Namespace) -> None:
    suite = resolved(options)
    from weckd.fitted import fitted_text
    from weckd.gpus import claimed_gpu
    from weckd.planning.first_second import memory_told, refuse_impossible

    refuse_impossible(suite)
    memory = memory_told(suite)
    width = fitted_width(options)
    power = _power(suite, options, width)

    with claimed_gpu(jobs_per_gpu=1):
        from weckd.planning.cost import plan_page, state_bytes, suite_speeds
        from weckd.training.networks import device_kind, prepare_device

        device = device_kind(prepare_device())
        print(plan_page(suite, suite_speeds(suite), state_bytes(suite), device, width))
    print(f"\n{power}")
    if memory:
        print(fitted_text(memory, width))


def _power(suite: "Suite", options: argparse.Namespace, width: int | None) -> str:
    from weckd.planning.power import GUESS, Spread, power_page

    reference = _finished(options.reference) if options.reference else None
    guess = Spread(*(sd / 100 for sd in options.guess)) if options.guess else GUESS
    return power_page(suite, reference, guess, width)


def _finished(folder: Path) -> "Results":
    """Return the results of a run, or of the reference that was made of one."""
    from weckd.agreement.freeze import unfreeze
    from weckd.analysis.results import load_run
    from weckd.config import load_suite
    from weckd.run_files import FACTS, RunFiles

    suite = load_suite(RunFiles(folder).suite)
    if not (folder / FACTS).exists():
        return load_run(suite, folder)
    with tempfile.TemporaryDirectory() as name:
        unfreeze(folder, Path(name))
        return load_run(suite, Path(name))


@command(
    "doctor",
    "check driver, cards, memory, disk, folders and images before a run",
    *SUITE_FILES,
    path("--lock", default=_LOCK, help="lock file to compare the packages with (that of the suite)"),
    description="Run it in the folder that the suite will run in. The exit status is 1 where something is in the "
    "way of a run.",
)
def _doctor(options: argparse.Namespace) -> None:
    from weckd.errors import UserError
    from weckd.planning.first_second import refuse_impossible

    suite = resolved(options) if options.suite or options.config else None
    if suite:
        refuse_impossible(suite)
    from weckd.doctor.images import image_findings
    from weckd.doctor.machine import (
        card_findings,
        findings_text,
        machine_findings,
        memory_finding,
        package_findings,
    )

    needed = 0
    if suite:
        from weckd.planning.cost import disk_bytes, state_bytes

        needed = disk_bytes(suite, state_bytes(suite))
    findings = [
        *package_findings(options.lock),
        *card_findings(),
        *machine_findings(Path.cwd(), needed),
        *([memory_finding(suite)] if suite else []),
        *(image_findings(suite, Path("data")) if suite else []),
    ]
    print(findings_text(findings))
    bad = sum(finding.level == "bad" for finding in findings)
    if bad:
        raise UserError(f"doctor: {bad} of {len(findings)} checks say that a run would fail here")
