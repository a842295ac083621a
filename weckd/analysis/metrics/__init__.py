"""The metrics of a run's tables, each one function from predictions to a `Scored`."""

from collections.abc import Callable
from dataclasses import dataclass

from weckd.analysis.metrics import confidence, scores
from weckd.analysis.metrics.scores import Predicted, Scored


@dataclass(frozen=True)
class Metric:
    """One metric and how it is shown."""

    name: str  # in tables
    score: Callable[[Predicted], Scored]
    lower_is_better: bool = False
    unit: str = "percent"  # percent (shown times 100, differences in points) or nats (as it is)
    needs_validation: bool = False  # reads the validation predictions of the same seed

    @property
    def scale(self) -> float:
        """What a value is multiplied with to be shown."""
        return 100.0 if self.unit == "percent" else 1.0


METRICS = {
    "accuracy": Metric("accuracy", scores.accuracy),
    "balanced_accuracy": Metric("balanced accuracy", scores.balanced_accuracy),
    "macro_f1": Metric("macro-F1", scores.macro_f1),
    "mcc": Metric("MCC", scores.mcc),
    "macro_auroc": Metric("macro-AUROC", scores.macro_auroc),
    "brier": Metric("Brier", confidence.brier, lower_is_better=True),
    "nll": Metric("NLL", confidence.nll, lower_is_better=True, unit="nats"),
    "ece": Metric("ECE", confidence.ece, lower_is_better=True),
    "ece_scaled": Metric(
        "ECE after temperature scaling", confidence.ece_scaled, lower_is_better=True, needs_validation=True
    ),
    "accuracy_at_80": Metric("accuracy at 80 % coverage", confidence.accuracy_at_80),
}
"""Key in suite files and CSV -> metric."""
