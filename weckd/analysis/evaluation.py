"""A run's saved predictions and all that is computed from them once, for every table, figure and claim."""

from dataclasses import dataclass
from pathlib import Path

from weckd.analysis.contrasts import sizes
from weckd.analysis.gains import Gain, evaluate_gains
from weckd.analysis.imported import imported_files, with_imported
from weckd.analysis.levels import Level, evaluate_levels
from weckd.analysis.predictions import SuitePredictions, load_predictions
from weckd.config import Suite


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


def load_run(suite: Suite, run: Path) -> tuple[Suite, SuitePredictions]:
    """Return a run's saved predictions, and its suite with the methods whose predictions were made elsewhere.

    Args:
        suite: the run's settings.
        run: folder with predictions/<dataset>/seed<k>.parquet, and imported/<method>.parquet where there are any.

    Raises:
        UserError: a file is unreadable or inconsistent; what is missing is kept and named instead.
    """
    whole = with_imported(suite, run)
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
