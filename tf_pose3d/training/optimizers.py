"""Adam, and AdamW as TensorFlow Addons defined it."""

from __future__ import annotations

import inspect
from typing import Any

import keras
from keras import ops

from tf_pose3d.config import TrainingConfig, nearest
from tf_pose3d.errors import Pose3DError
from tf_pose3d.training.schedules import make_schedule

__all__ = ["AddonsAdamW", "current_rates", "make_optimizer"]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class AddonsAdamW(keras.optimizers.Adam):
    """Adam with decoupled weight decay that follows a schedule of its own.

    Every step does `weight <- weight - decay(step) * weight - adam_step`, as TensorFlow Addons' AdamW
    did. Keras's own AdamW multiplies the decay by the learning rate, which would make the published
    4e-6 vanish. The decay reaches every variable, biases and norms included, as in the release.

    Args:
        learning_rate: Rate or schedule.
        decay: Share of the weight taken off per step, a number or a schedule.
        **kwargs: Of `keras.optimizers.Adam`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        decay: Any = 0.0,
        name: str = "adamw",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.decay = decay

    def current_decay(self) -> Any:
        """The share of a weight that the next step takes off."""
        return self.decay(self.iterations) if callable(self.decay) else self.decay

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        decay = ops.cast(self.current_decay(), variable.dtype)
        self.assign_sub(variable, ops.multiply(variable, decay))
        super().update_step(gradient, variable, learning_rate)

    def get_config(self) -> dict:
        schedule = isinstance(self.decay, keras.optimizers.schedules.LearningRateSchedule)
        decay = keras.optimizers.schedules.serialize(self.decay) if schedule else self.decay
        return {**super().get_config(), "decay": decay}

    @classmethod
    def from_config(cls, config: dict, custom_objects: dict | None = None) -> AddonsAdamW:
        if isinstance(config.get("decay"), dict):
            config = {**config, "decay": keras.optimizers.schedules.deserialize(config["decay"])}
        return super().from_config(config, custom_objects)


def make_optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """The optimizer that a config asks for.

    Raises:
        Pose3DError: Unknown arguments in OPTIMIZER_PARAMS or SCHEDULE_PARAMS.
    """
    params = dict(config.OPTIMIZER_PARAMS)
    known = set(inspect.signature(keras.optimizers.Adam).parameters) - {"learning_rate", "kwargs"}
    for name in params:
        if name not in known:
            raise Pose3DError(f"OPTIMIZER_PARAMS: {config.OPTIMIZER} has no {name}{nearest(name, known)}")
    if config.MAX_NORM:
        params["global_clipnorm"] = config.MAX_NORM
    rate = make_schedule(config.SCHEDULE, config.SCHEDULE_PARAMS)
    if config.OPTIMIZER == "Adam":
        return keras.optimizers.Adam(learning_rate=rate, **params)
    decay = make_schedule(config.SCHEDULE, config.SCHEDULE_PARAMS, initial_learning_rate=config.WEIGHT_DECAY)
    return AddonsAdamW(learning_rate=rate, decay=decay, **{"epsilon": 1e-8, **params})


def current_rates(optimizer: keras.optimizers.Optimizer) -> dict[str, float]:
    """`{"LR": ...}` and, with AdamW, `"WD"`: what the next step uses."""
    rates = {"LR": float(optimizer.learning_rate)}
    if isinstance(optimizer, AddonsAdamW):
        rates["WD"] = float(optimizer.current_decay())
    return rates
