"""What a folder run asks of its workers, wherever they are."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from tf_pose3d.inference.folder.task import Assignment, Report

__all__ = ["Died", "Done", "Engine", "Event", "Stage"]


@dataclasses.dataclass(frozen=True)
class Done:
    """A worker has finished with a file.

    Attributes:
        assignment: The file.
        report: What became of it.
    """

    assignment: Assignment
    report: Report


@dataclasses.dataclass(frozen=True)
class Died:
    """A worker has ended while it had a file; another takes its place.

    Attributes:
        assignment: The file.
        reason: What is known.
    """

    assignment: Assignment
    reason: str


@dataclasses.dataclass(frozen=True)
class Stage:
    """How far a worker is with a file.

    Attributes:
        assignment: The file.
        label: What is going on.
        done, total: Steps.
    """

    assignment: Assignment
    label: str
    done: int
    total: int


Event = Done | Died | Stage


class Engine(Protocol):
    """Workers that hold a lifter each.

    Attributes:
        count: How many there shall be.
    """

    count: int

    def idle(self) -> int:
        """How many workers are ready and have nothing to do."""

    def submit(self, assignment: Assignment) -> None:
        """Gives a file to an idle worker."""

    def abandon(self, assignment: Assignment) -> None:
        """Ends the worker that has a file, whatever it does; another takes its place."""

    def wait(self, seconds: float) -> Sequence[Event]:
        """What happened since the last call; waits so long where nothing did.

        Raises:
            Pose3DError: No worker can be started.
        """

    def close(self) -> None:
        """Ends all workers at once, whatever they do."""
