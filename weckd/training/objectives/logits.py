"""Any loss of the student's and one teacher's logits."""

from dataclasses import dataclass

from torch import Tensor, nn

from weckd.methods.losses import LogitLoss
from weckd.training.objectives.base import Objective, Setup, both_logits, named


def of_logits(setup: Setup, loss: LogitLoss) -> Objective:
    """Return the loss of a declared function, with the fit's teacher."""
    return LogitDistilled(setup.student, setup.taught_by()[0], loss)


@dataclass
class LogitDistilled:
    """A loss of the student's and one teacher's logits, computed by the function that its settings name."""

    student: nn.Module
    teacher: nn.Module
    settings: LogitLoss

    @property
    def trained(self) -> list[nn.Module]:
        """The student."""
        return [self.student]

    def loss(self, step: int, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of the function that the settings name."""
        logits, teacher_logits = both_logits(self.student, self.teacher, views)
        loss: Tensor = named(self.settings.function)(logits, teacher_logits, labels, self.settings)
        return loss
