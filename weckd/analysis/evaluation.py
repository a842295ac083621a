"""A run's saved predictions and all that is computed from them once, for every table, figure and claim."""

from dataclasses import dataclass
from pathlib import Path

from weckd.analysis.contrasts import sizes
from weckd.analysis.gains import Gain, evaluate_gains
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


def evaluate_suite(suite: Suite, run: Path) -> Evaluation:
    """Evaluate the predictions `run/predictions/<dataset>/seed<k>.parquet`.

    Raises:
        UserError: a file is unreadable or inconsistent; what is missing is kept and named instead.
    """
    predictions = load_predictions(suite, run / "predictions")
    return Evaluation(
        suite,
        predictions,
        evaluate_gains(suite, predictions),
        evaluate_levels(suite, predictions),
        sizes(suite, predictions.datasets),
    )
