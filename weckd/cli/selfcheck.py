"""The command that checks the suite's own statistics."""

import argparse
from pathlib import Path

from weckd.cli.arguments import Commands, positive


def add_commands(commands: Commands) -> None:
    """Add it to the parser."""
    parser = commands.add_parser(
        "selfcheck",
        help="check the suite's own statistics",
        description="Check the primary test on simulated predictions (rejection without a gain, coverage with one) "
        "and on those of a finished run: each method against itself under other seeds, and permuted labels at "
        "chance. The exit status is 1 where a check failed; one that was not run is no failure.",
    )
    parser.add_argument(
        "--run", type=Path, dest="folder", metavar="FOLDER", help="a finished run, such as results/selfcheck"
    )
    parser.add_argument(
        "--repetitions",
        type=positive,
        default=2000,
        help="simulated experiments a check (2000; with fewer the allowed ranges are wider)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder for selfcheck.csv and selfcheck.md (the run's own selfcheck/; without a run, none)",
    )
    parser.set_defaults(run=_selfcheck)


def _selfcheck(options: argparse.Namespace) -> None:
    from weckd.analysis.predictions import load_predictions
    from weckd.config import load_suite
    from weckd.data.overlap import with_finding
    from weckd.errors import UserError
    from weckd.run_files import RunFiles
    from weckd.selfcheck import self_checks
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
