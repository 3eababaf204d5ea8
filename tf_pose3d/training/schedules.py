"""Learning rate schedules by the names that the releases' configs use."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import keras
from keras import ops

from tf_pose3d.config import SCHEDULE_NAMES, nearest
from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Tensor

__all__ = ["EpochDecay", "EpochSteps", "ExponentialDecayWithSteps", "StaircaseDecay", "make_schedule"]

LearningRateSchedule: TypeAlias = keras.optimizers.schedules.LearningRateSchedule


@keras.saving.register_keras_serializable(package="tf_pose3d")
class ExponentialDecayWithSteps(LearningRateSchedule):
    """Staircase decay in which every n-th stair is a larger one.

    The rate is `initial * decay_rate ** (p - q) * large_decay_rate ** q` with p and q the whole numbers
    of `decay_steps` and `large_decay_steps` that have passed. Source: Uplift and Upsample's release.

    Args:
        initial_learning_rate: Rate at step 0.
        decay_steps, decay_rate: The small stairs.
        large_decay_steps, large_decay_rate: The large ones.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        large_decay_steps: int,
        large_decay_rate: float,
        name: str = "ExponentialDecayWithSteps",
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "initial_learning_rate": initial_learning_rate,
            "decay_steps": decay_steps,
            "decay_rate": decay_rate,
            "large_decay_steps": large_decay_steps,
            "large_decay_rate": large_decay_rate,
            "name": name,
        }

    def __call__(self, step: Tensor) -> Tensor:
        settings = self.settings
        step = ops.cast(step, "float32")
        large = ops.floor(step / settings["large_decay_steps"])
        small = ops.floor(step / settings["decay_steps"]) - large
        rate = settings["initial_learning_rate"] * ops.power(float(settings["decay_rate"]), small)
        return rate * ops.power(float(settings["large_decay_rate"]), large)

    def get_config(self) -> dict:
        return dict(self.settings)


@keras.saving.register_keras_serializable(package="tf_pose3d")
class StaircaseDecay(LearningRateSchedule):
    """Exponential decay that is looked up at the first step and at every `decay_steps`-th one only.

    With steps counted from 1, the rate is `initial * decay_rate ** (s / decay_steps)`, s being the last step
    at which it was looked up. Source: SemGCN's release and those that build on it.

    Args:
        initial_learning_rate: The rate that decays.
        decay_steps: Steps between two looks.
        decay_rate: Factor of each stair.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        name: str = "StaircaseDecay",
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "initial_learning_rate": initial_learning_rate,
            "decay_steps": decay_steps,
            "decay_rate": decay_rate,
            "name": name,
        }

    def __call__(self, step: Tensor) -> Tensor:
        settings = self.settings
        period = settings["decay_steps"]
        stair = ops.cast((ops.cast(step, "int64") + 1) // period, "float32")
        looked_up = ops.maximum(stair, 1 / period)
        return settings["initial_learning_rate"] * ops.power(float(settings["decay_rate"]), looked_up)

    def get_config(self) -> dict:
        return dict(self.settings)


@keras.saving.register_keras_serializable(package="tf_pose3d")
class EpochDecay(LearningRateSchedule):
    """A factor after every epoch, and another one instead after every n-th.

    With e epochs done, q of them multiples of `large_decay_epochs`, the rate is `initial * decay_rate **
    (e - q) * large_decay_rate ** q`. Source: VideoPose3D's release and those that build on it; the larger
    steps are Strided Transformer's.

    Args:
        initial_learning_rate: Rate of the first epoch.
        decay_rate: Factor after an epoch.
        steps_per_epoch: Training steps an epoch; training fills it in.
        large_decay_epochs, large_decay_rate: After every so many epochs, this factor instead; both or none.
        longer_after, longer_steps: After so many epochs these have so many steps; training fills them in.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_rate: float,
        steps_per_epoch: int,
        large_decay_epochs: int | None = None,
        large_decay_rate: float | None = None,
        longer_after: int | None = None,
        longer_steps: int | None = None,
        name: str = "EpochDecay",
    ) -> None:
        super().__init__()
        if (large_decay_epochs is None) != (large_decay_rate is None):
            raise Pose3DError(
                "SCHEDULE_PARAMS: EpochDecay needs large_decay_epochs and large_decay_rate, or neither"
            )
        self.settings: dict[str, Any] = {
            "initial_learning_rate": initial_learning_rate,
            "decay_rate": decay_rate,
            "steps_per_epoch": steps_per_epoch,
            "large_decay_epochs": large_decay_epochs,
            "large_decay_rate": large_decay_rate,
            "longer_after": longer_after,
            "longer_steps": longer_steps,
            "name": name,
        }

    def __call__(self, step: Tensor) -> Tensor:
        settings = self.settings
        step = ops.cast(step, "int64")
        epochs = step // settings["steps_per_epoch"]
        if settings["longer_after"] is not None:
            first = settings["longer_after"] * settings["steps_per_epoch"]
            later = settings["longer_after"] + (step - first) // settings["longer_steps"]
            epochs = ops.where(step < first, epochs, later)
        epochs = ops.cast(epochs, "float32")
        rate = settings["initial_learning_rate"]
        if settings["large_decay_epochs"]:
            large = ops.floor(epochs / settings["large_decay_epochs"])
            rate = rate * ops.power(float(settings["large_decay_rate"]), large)
            epochs = epochs - large
        return rate * ops.power(float(settings["decay_rate"]), epochs)

    def get_config(self) -> dict:
        return dict(self.settings)


@keras.saving.register_keras_serializable(package="tf_pose3d")
class EpochSteps(LearningRateSchedule):
    """A factor at the start of each of some epochs.

    Source: DenseWarper's release, which steps PyTorch's MultiStepLR before an epoch and not after it.

    Args:
        initial_learning_rate: Rate of the first epoch.
        decay_epochs: Epochs, counted from 1, at whose start the rate is multiplied; one that is listed twice
            multiplies twice.
        decay_rate: The factor.
        steps_per_epoch: Training steps an epoch; training fills it in.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_epochs: Sequence[int],
        decay_rate: float,
        steps_per_epoch: int,
        name: str = "EpochSteps",
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "initial_learning_rate": initial_learning_rate,
            "decay_epochs": list(decay_epochs),
            "decay_rate": decay_rate,
            "steps_per_epoch": steps_per_epoch,
            "name": name,
        }

    def __call__(self, step: Tensor) -> Tensor:
        settings = self.settings
        epoch = ops.cast(step, "int64") // settings["steps_per_epoch"] + 1
        passed = sum(ops.cast(epoch >= start, "float32") for start in settings["decay_epochs"])
        return settings["initial_learning_rate"] * ops.power(float(settings["decay_rate"]), passed)

    def get_config(self) -> dict:
        return dict(self.settings)


_CLASSES = {
    "EpochDecay": EpochDecay,
    "EpochSteps": EpochSteps,
    "ExponentialDecay": keras.optimizers.schedules.ExponentialDecay,
    "ExponentialDecayWithSteps": ExponentialDecayWithSteps,
    "PiecewiseConstantDecay": keras.optimizers.schedules.PiecewiseConstantDecay,
    "CosineDecayRestarts": keras.optimizers.schedules.CosineDecayRestarts,
    "StaircaseDecay": StaircaseDecay,
}


def make_schedule(name: str, params: Mapping[str, Any], **replaced: Any) -> LearningRateSchedule:
    """A schedule from a config's SCHEDULE and SCHEDULE_PARAMS.

    Args:
        name: One of `SCHEDULE_NAMES`.
        params: Its arguments.
        **replaced: Arguments that take other values here, such as another initial rate.

    Raises:
        Pose3DError: Unknown schedule, unknown or missing argument.
    """
    if name not in _CLASSES:
        raise Pose3DError(f"SCHEDULE is {name!r}{nearest(name, SCHEDULE_NAMES)}")
    schedule = _CLASSES[name]
    params = {**params, **{key: value for key, value in replaced.items() if key in params}}
    signature = inspect.signature(schedule)
    for key in params:
        if key not in signature.parameters:
            raise Pose3DError(f"SCHEDULE_PARAMS: {name} has no {key}{nearest(key, signature.parameters)}")
    try:
        signature.bind(**params)
    except TypeError as error:
        raise Pose3DError(f"SCHEDULE_PARAMS of {name}: {error}") from None
    return schedule(**params)
