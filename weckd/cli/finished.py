"""Commands on a finished run: its page, its crate, its reference, and checks of the suite's own statistics."""

import argparse
from pathlib import Path

from weckd.cli.arguments import RUN, command, files_of_run, option, path, positive
from weckd.config import load_suite
from weckd.errors import UserError
from weckd.run_files import PART, RunFiles

ROOT = Path(__file__).resolve().parents[2]
"""Folder of the workflow: a checkout, or that of the image."""
LOCK = Path("requirements.lock")
_FOLDER = path("folder", metavar="RUN", help="folder of the run, results/<suite>")
_WORKFLOW = path("--workflow", default=ROOT, help="folder of the Snakefile (that of the suite)")
_MADE_WITH = path(
    "--lock",
    default=LOCK if LOCK.exists() else None,
    metavar="FILE",
    help="lock file of the environment that the run was made in (requirements.lock, where it is)",
)


@command(
    "report",
    "write a finished run as one self-contained HTML page",
    RUN,
    path("--out", help="HTML file to write (the run's report.html)"),
)
def _report(options: argparse.Namespace) -> None:
    from weckd.files import sums_of, write_sums
    from weckd.report.page import write_report

    page = RunFiles(options.folder).report
    write_report(options.folder, options.out or page)
    if not options.out:
        write_sums(sums_of(page), [page])


@command("provenance", "describe a finished run as a Workflow Run RO-Crate", RUN, _WORKFLOW)
def _provenance(options: argparse.Namespace) -> None:
    from weckd.provenance.crate import write_crate

    write_crate(RunFiles(options.folder), options.workflow)


@command(
    "verify",
    "hash again all that a run's crate records, and name what changed",
    _FOLDER,
    _WORKFLOW,
    description="Compares every file of the run, the prepared images, the stored fits, the lock, the workflow's files "
    "and the code's revision. The exit status is 1 where something changed.",
)
def _verify(options: argparse.Namespace) -> None:
    from weckd.provenance.verify import changes

    compared, lines = changes(RunFiles(options.folder), options.workflow)
    if lines:
        print("\n".join(lines))
        raise UserError(
            f"{options.folder}: {len(lines)} of {compared} recorded things are not what they were"
        )
    print(f"{options.folder}: all {compared} recorded things are what they were")


@command(
    "freeze",
    "make a reference of a finished run, to compare others with; or keep the finished cells of another",
    _FOLDER,
    path("--out", help="folder of the reference (results/reference/<suite>)"),
    [
        option(
            "--beside",
            action="store_true",
            help="add the run to the reference that is there, as a rerun that was made otherwise and is shown beside",
        ),
        option(
            "--cells",
            action="store_true",
            help="freeze the cells that are finished of a run that is not, which goes on from them wherever they are",
        ),
    ],
    _MADE_WITH,
)
def _freeze(options: argparse.Namespace) -> None:
    from weckd.agreement.freeze import freeze_rerun, freeze_run

    suite = load_suite(files_of_run(options.folder).suite)
    out = options.out or options.folder.parent / "reference" / suite.run
    if options.cells:
        from weckd.frozen_cells import freeze_cells

        new, frozen = freeze_cells(options.folder, out)
        print(f"{out / PART}: {frozen} of {len(suite.datasets) * len(suite.seeds)} cells, {new} of them new")
        return
    (freeze_rerun if options.beside else freeze_run)(options.folder, out, options.lock)
    print(f"{out}: {sum(f.stat().st_size for f in out.rglob('*') if f.is_file()) / 1e6:.1f} MB")


@command(
    "agree",
    "compare a run with a reference, cell by cell",
    _FOLDER,
    path("reference", metavar="REFERENCE", help="results/reference/<suite>"),
    _MADE_WITH,
    description="Equal bytes where both were made with the same lock, device kind and versions; else intervals that "
    "the reference declares. Writes RUN/agreement/agreement.{csv,md,tex}. The exit status is 0 where every cell "
    "agrees, else 1.",
)
def _agree(options: argparse.Namespace) -> None:
    from weckd.agreement.agree import agreement_table, compare, summary
    from weckd.agreement.reference import read_reference
    from weckd.tables.render import write_table_file

    run = files_of_run(options.folder)
    agreement = compare(options.folder, options.reference, options.lock)
    suite, out = load_suite(run.suite), options.folder / "agreement"
    write_table_file(out, agreement_table(suite, agreement, read_reference(options.reference)))
    if not agreement.reproduced:
        raise UserError(summary(agreement, out))
    print(summary(agreement, out))


@command(
    "unfreeze",
    "lay out a reference's records as a run has them",
    path("reference", metavar="REFERENCE"),
    path("--out", required=True, help="folder to write"),
    path(
        "--suite", metavar="FILE", help="suite.json of the same suite under another plan, which then counts"
    ),
)
def _unfreeze(options: argparse.Namespace) -> None:
    from weckd.agreement.freeze import unfreeze

    unfreeze(options.reference, options.out, load_suite(options.suite) if options.suite else None)


@command(
    "selfcheck",
    "check the suite's own statistics",
    path("--run", dest="folder", metavar="FOLDER", help="a finished run, such as results/selfcheck"),
    option(
        "--repetitions",
        type=positive,
        default=2000,
        help="simulated experiments a check (2000; with fewer the allowed ranges are wider)",
    ),
    path(
        "--out",
        metavar="FOLDER",
        help="folder for selfcheck.csv, .md, .tex and .json (the run's own selfcheck/; without a run, none)",
    ),
    description="Check the primary test on simulated predictions (rejection without a gain, coverage with one) and on "
    "those of a finished run: each method against itself under other seeds, and permuted labels at chance. The exit "
    "status is 1 where a check failed; one that was not run is no failure.",
)
def _selfcheck(options: argparse.Namespace) -> None:
    from weckd.analysis.predictions import load_predictions
    from weckd.places import with_finding
    from weckd.selfcheck.of_run import self_checks
    from weckd.selfcheck.outcome import Outcome, failed, heading, text, write_report

    suite = predictions = None
    out = options.out
    if options.folder:
        run = RunFiles(options.folder)
        if not run.predictions.is_dir():
            raise UserError(
                f"{options.folder}: no predictions; finish the run first, by the command that `weckd runs` lists"
            )
        suite = with_finding(load_suite(run.suite), run.across)
        predictions = load_predictions(suite, run.predictions)
        out = out or options.folder / "selfcheck"
    print(heading(), flush=True)
    outcomes: list[Outcome] = []
    for outcome in self_checks(suite, predictions, options.repetitions):
        print(text(outcome, outcomes[-1] if outcomes else None), flush=True)
        outcomes.append(outcome)
    if out:
        write_report(outcomes, suite, out)
    if failed(outcomes):
        raise UserError(f"selfcheck: failed: {'; '.join(failed(outcomes))}")
