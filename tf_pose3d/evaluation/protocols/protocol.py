"""What a protocol is to training, evaluation and lifting."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from tf_pose3d.config import TrainingConfig
from tf_pose3d.evaluation.metrics import mpjpe

if TYPE_CHECKING:
    import keras
    import numpy.typing as npt

    from tf_pose3d.data.sequence import Sequence as PoseSequence
    from tf_pose3d.models.family import Family

__all__ = ["Protocol"]


ConfigT = TypeVar("ConfigT", bound=TrainingConfig)
DataT = TypeVar("DataT")
EvaluationT = TypeVar("EvaluationT")


class Protocol(abc.ABC, Generic[ConfigT, DataT, EvaluationT]):
    """How the models of a family are evaluated, validated and reported.

    Args:
        family: Whose models they are.

    Attributes:
        examples: What training examples are called, for messages.
        predicted: What a test predicts, for messages.
    """

    examples: ClassVar[str] = "windows"
    predicted: ClassVar[str] = "frames"

    def __init__(self, family: Family) -> None:
        self.family = family

    @abc.abstractmethod
    def evaluate(
        self, model: keras.Model, config: ConfigT, data: DataT, show_progress: bool = False
    ) -> Iterator[EvaluationT]:
        """Errors on test data, one result a setting, e.g. for each s_in.

        Args:
            model: With its weights.
            config: Its config.
            data: The test data, opened by the family's spec for `"test"`.
            show_progress: Show a progress bar.

        Yields:
            Records with `label` (empty where there is one setting) and `results` (what JSON can hold, errors
            in mm), and what `save_predictions` needs.
        """

    @abc.abstractmethod
    def validate(
        self, model: keras.Model, config: ConfigT, data: DataT, action_wise: bool = True
    ) -> dict[str, float]:
        """Metrics of validation data: `loss`, and errors in mm by name.

        Args:
            model: With its weights.
            config: Its config; VALIDATION_EXAMPLES says how many examples count.
            data: Opened by the family's spec for `"val"`.
            action_wise: Also average over actions; for data sets that have them.
        """

    @abc.abstractmethod
    def tables(self, evaluation: EvaluationT, action_wise: bool = True) -> str:
        """The tables of one result of `evaluate`, as text."""

    def recording_error(self, poses: npt.NDArray[Any], truth: npt.NDArray[Any], root: int) -> str:
        """The error of one recording as the family's release reports errors, and which it is.

        Args:
            poses: `(F, J, 3)` predicted poses, metres, camera frame.
            truth: `(F, J, 3)` true ones.
            root: Index of the root joint.

        Returns:
            One line, mm.
        """
        aligned = 1000 * mpjpe(poses, truth, root=root).mean()
        return f"mean joint error (MPJPE) {aligned:.1f} mm, roots aligned, as the family's release reports it"

    @abc.abstractmethod
    def save_predictions(self, path: str | Path, evaluations: Sequence[EvaluationT], data: DataT) -> None:
        """Writes every prediction as `.npz`, the file whole or not at all."""

    def complete_sequence(self, model: keras.Model, config: ConfigT, sequence: PoseSequence) -> PoseSequence:
        """A video of 2D poses with what else the model needs to give metres, estimated from them.

        Args:
            model: With its weights.
            config: Its config.
            sequence: 2D poses and a camera, nothing else.
        """
        return sequence
