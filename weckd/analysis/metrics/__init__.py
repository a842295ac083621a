"""The metrics of a run's tables, each one function from predictions to a `Scored`."""

from collections.abc import Callable
from dataclasses import dataclass

from weckd.analysis.metrics import means
from weckd.analysis.metrics.scored import Predicted, Scored


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
}
"""Key in suite files and CSV -> metric."""
