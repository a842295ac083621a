"""The metrics of a run's tables, each one function from predictions to a `Scored`."""

from collections.abc import Callable
from dataclasses import dataclass

from weckd.analysis.metrics import means
from weckd.analysis.metrics.auroc import macro_auroc
from weckd.analysis.metrics.calibration import ece, ece_scaled
from weckd.analysis.metrics.macro_f1 import macro_f1
from weckd.analysis.metrics.mcc import mcc
from weckd.analysis.metrics.probability_scores import brier, nll
from weckd.analysis.metrics.scored import Predicted, Scored
from weckd.analysis.metrics.selective import accuracy_at_80


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
    "accuracy": Metric("accuracy", means.accuracy),
    "balanced_accuracy": Metric("balanced accuracy", means.balanced_accuracy),
    "macro_f1": Metric("macro-F1", macro_f1),
    "mcc": Metric("MCC", mcc),
    "macro_auroc": Metric("macro-AUROC", macro_auroc),
    "brier": Metric("Brier", brier, lower_is_better=True),
    "nll": Metric("NLL", nll, lower_is_better=True, unit="nats"),
    "ece": Metric("ECE", ece, lower_is_better=True),
    "ece_scaled": Metric(
        "ECE after temperature scaling", ece_scaled, lower_is_better=True, needs_validation=True
    ),
    "accuracy_at_80": Metric("accuracy at 80 % coverage", accuracy_at_80),
}
"""Key in suite files and CSV -> metric."""
