"""Which examples come when: epochs of one kind of examples, or of several, one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

__all__ = ["EpochPart", "EpochPlan"]


@dataclasses.dataclass(frozen=True)
class EpochPart:
    """Steps of an epoch on one kind of examples.

    Attributes:
        examples: With `training_dataset`.
        steps: Training steps an epoch.
        first_epoch: The first epoch that has them, counted from 1.
    """

    examples: Any
    steps: int
    first_epoch: int = 1


class EpochPlan:
    """The parts of every epoch, in their order.

    Args:
        parts: At least one that begins with the first epoch.
    """

    def __init__(self, parts: Sequence[EpochPart]) -> None:
        self.parts = tuple(parts)

    def steps(self, epoch: int) -> int:
        """Training steps of an epoch, counted from 1."""
        return sum(part.steps for part in self.parts if epoch >= part.first_epoch)

    def before(self, epoch: int) -> int:
        """Training steps before an epoch."""
        return sum(part.steps * max(epoch - part.first_epoch, 0) for part in self.parts)

    def epoch_of(self, step: int) -> int:
        """The epoch of a training step, both counted from their first, 1 and 0."""
        epoch = 1
        while self.before(epoch + 1) <= step:
            epoch += 1
        return epoch

    def segments(self, epoch: int, done: int) -> Iterator[tuple[int, int, int]]:
        """What is left of an epoch: which part, its own step, and how many follow.

        Args:
            epoch: Counted from 1.
            done: Steps of the epoch that are done.
        """
        for index, part in enumerate(self.parts):
            if epoch < part.first_epoch:
                continue
            passed = min(done, part.steps)
            done -= passed
            if passed < part.steps:
                yield index, part.steps * (epoch - part.first_epoch) + passed, part.steps - passed

    @property
    def longer(self) -> tuple[int, int] | None:
        """(epochs before the first longer one, its steps); None: all epochs are alike.

        All parts that come later come at once.
        """
        later = [part.first_epoch for part in self.parts if part.first_epoch > 1]
        return (min(later) - 1, self.steps(min(later))) if later else None
