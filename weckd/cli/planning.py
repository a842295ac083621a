"""Commands to be run before hours are spent: what a suite will cost, and whether this machine can run it."""

import argparse
from pathlib import Path

from weckd.cli.arguments import command, path
from weckd.cli.suites import SUITE_FILES, resolved

_LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"
"""Beside the package, in a clone and in the container."""


@command(
    "plan",
    "print fits, steps, estimated device-hours and disk of a suite",
    *SUITE_FILES,
    description="Measures a few passes of each network of the suite on this machine; trains nothing.",
)
def _plan(options: argparse.Namespace) -> None:
    suite = resolved(options)
    from weckd.gpus import claimed_gpu
    from weckd.planning.first_second import memory_told, refuse_impossible

    refuse_impossible(suite)
    memory = memory_told(suite)

    with claimed_gpu(jobs_per_gpu=1):
        from weckd.planning.cost import plan_page, state_bytes, suite_speeds
        from weckd.training.networks import device_kind, prepare_device

        print(plan_page(suite, suite_speeds(suite), state_bytes(suite), device_kind(prepare_device())))
    if memory:
        print(memory)


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
