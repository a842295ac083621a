"""Any loss of the student's and one teacher's logits."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

from torch import Tensor, nn

from weckd.methods.losses import LogitLoss
from weckd.training.objectives.base import Objective, Setup, both_logits, named


def of_logits(setup: Setup, loss: LogitLoss) -> Objective:
    """Return the loss of a declared function, with the fit's teacher.

    The function gets the fields of the settings alone: a fit's identity holds them, and no other code of a declaration.
    """
    settings = SimpleNamespace(**vars(loss))
    return LogitDistilled(setup.student, setup.taught_by()[0], named(loss.function), settings)


@dataclass
class LogitDistilled:
    """A loss of the student's and one teacher's logits."""

    student: nn.Module
    teacher: nn.Module
    function: Callable[..., Tensor]
    settings: SimpleNamespace

    @property
    def trained(self) -> list[nn.Module]:
        """The student."""
        return [self.student]

    def loss(self, step: int, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of the function."""
        logits, teacher_logits = both_logits(self.student, self.teacher, views)
        return self.function(logits, teacher_logits, labels, self.settings)
