"""A run's saved predictions and all that is computed from them once, for every table, figure and claim."""

from dataclasses import dataclass
from pathlib import Path

from weckd.analysis.contrasts import sizes
from weckd.analysis.gains import Gain, evaluate_gains
from weckd.analysis.imported import imported_files, with_imported
from weckd.analysis.levels import Level, evaluate_levels
from weckd.analysis.predictions import SuitePredictions, load_predictions
from weckd.config import Suite
from weckd.data.overlap import FINDING, with_finding


@dataclass(frozen=True)
class Evaluation:
    """Everything that tables read."""

    suite: Suite
    predictions: SuitePredictions
    gains: tuple[Gain, ...]
    levels: tuple[Level, ...]
    sizes: dict[str, tuple[int, int] | None]  # data set or mean -> test images and groups

    def planned(self) -> tuple[Gain, ...]:
        """Return the plan's comparisons on the primary metric."""
        primary = self.suite.analysis.metrics[0]
        return tuple(gain for gain in self.gains if gain.comparison.family and gain.metric == primary)


def as_evaluated(suite: Suite, run: Path) -> Suite:
    """Return a run's suite with the methods that were made elsewhere, and what its audit found of shared images.

    Raises:
        UserError: the audit's finding cannot be read.
    """
    return with_finding(with_imported(suite, run), run / FINDING)


def load_run(suite: Suite, run: Path) -> tuple[Suite, SuitePredictions]:
    """Return a run's saved predictions, and its suite as tables need it, see `as_evaluated`.

    Args:
        suite: the run's settings.
        run: folder with predictions/<dataset>/seed<k>.parquet, and audit/ and imported/<method>.parquet where there
            are any.

    Raises:
        UserError: a file is unreadable or inconsistent; what is missing is kept and named instead.
    """
    whole = as_evaluated(suite, run)
    return whole, load_predictions(whole, run / "predictions", imported_files(run))


def evaluate_suite(suite: Suite, run: Path) -> Evaluation:
    """Evaluate a run's saved predictions, see `load_run`."""
    whole, predictions = load_run(suite, run)
    return Evaluation(
        whole,
        predictions,
        evaluate_gains(whole, predictions),
        evaluate_levels(whole, predictions),
        sizes(whole, predictions.datasets),
    )
