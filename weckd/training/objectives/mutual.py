"""Deep mutual learning: a peer is trained beside the student, on the same views."""

from dataclasses import dataclass

from torch import Tensor, nn

from weckd.methods.losses.mutual import mutual_loss


@dataclass
class MutuallyTaught:
    """Both networks learn the labels and each other's probabilities."""

    student: nn.Module
    peer: nn.Module
    temperature: float

    @property
    def trained(self) -> list[nn.Module]:
        """The student and its peer."""
        return [self.student, self.peer]

    def loss(self, step: int, views: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of `weckd.methods.losses.mutual`."""
        return mutual_loss(self.student(views), self.peer(views), labels, self.temperature)
