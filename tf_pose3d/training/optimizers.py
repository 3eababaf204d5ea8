"""Adam in one pass over the weights, and AdamW as TensorFlow Addons defined it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops
from tensorflow.python.ops import control_flow_util

from tf_pose3d.config import TrainingConfig, nearest
from tf_pose3d.errors import Pose3DError
from tf_pose3d.training.schedules import make_schedule
from tf_pose3d.types import Tensor

__all__ = ["AddonsAdamW", "FusedAdam", "current_rates", "make_optimizer"]


def _resource(variable: Tensor) -> tf.Tensor | None:
    """The handle of a variable that lies on one device; None for those spread over several."""
    value = variable.value if isinstance(variable, keras.Variable) else variable
    plain = isinstance(value, tf.Variable) and not isinstance(value, tf.distribute.DistributedValues)
    return getattr(value, "handle", None) if plain else None


def _inside_xla() -> bool:
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


class _OncePerStep:
    """Values that all weights of a step share: made for each anew, they are most of a step's graph."""

    def __init__(self) -> None:
        self._held: dict[Any, Any] = {}

    def clear(self) -> None:
        self._held.clear()

    def get(self, name: object, make: Callable[[], Any]) -> Tensor:
        """What `make` gave when it was first asked for in this step and this graph."""
        key = name, None if tf.executing_eagerly() else id(tf.compat.v1.get_default_graph())
        if key not in self._held:
            self._held[key] = make()
        return self._held[key]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class FusedAdam(keras.optimizers.Adam):
    """Keras's Adam in one pass over each weight, by TensorFlow's own operation.

    Keras's takes some ten passes, which for wide dense layers is as slow as the network itself. For variables
    that are mirrored over devices, and with amsgrad inside XLA, which lacks that operation, it is Keras's.

    Args:
        *args, **kwargs: Of `keras.optimizers.Adam`.
        epsilon_after_correction: Add epsilon to the root of the corrected second moment, as PyTorch does;
            False: to that of the uncorrected one, as TensorFlow.
    """

    def __init__(self, *args: Any, epsilon_after_correction: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.epsilon_after_correction = epsilon_after_correction
        self._shared = _OncePerStep()

    def _backend_update_step(self, grads: list, trainable_variables: list, learning_rate: Tensor) -> None:
        self._shared.clear()
        try:
            super()._backend_update_step(grads, trainable_variables, learning_rate)
        finally:
            self._shared.clear()

    def _scalars(self, dtype: str, learning_rate: Tensor) -> dict[str, Any]:
        """What TensorFlow's operation wants to know of the step."""
        step = ops.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = ops.cast(self.beta_1, dtype), ops.cast(self.beta_2, dtype)
        beta_2_power = ops.power(beta_2, step)
        epsilon = ops.cast(self.epsilon, dtype)
        if self.epsilon_after_correction:
            # The step divides by root(v) + epsilon and is multiplied with root(1 - power) afterwards.
            epsilon = epsilon * ops.sqrt(1 - beta_2_power)
        return {
            "beta1_power": ops.power(beta_1, step),
            "beta2_power": beta_2_power,
            "lr": ops.cast(learning_rate, dtype),
            "beta1": beta_1,
            "beta2": beta_2,
            "epsilon": epsilon,
        }

    def get_config(self) -> dict:
        return {**super().get_config(), "epsilon_after_correction": self.epsilon_after_correction}

    def _clip_gradients(self, grads: list) -> list:
        # Most steps clip nothing: the norm takes one pass then, where Keras's way takes three.
        if not self.global_clipnorm or _inside_xla():
            return super()._clip_gradients(grads)
        norm = tf.sqrt(2 * tf.add_n([tf.nn.l2_loss(tf.cast(gradient, tf.float32)) for gradient in grads]))
        return tf.cond(
            norm > self.global_clipnorm,
            lambda: [gradient * tf.cast(self.global_clipnorm / norm, gradient.dtype) for gradient in grads],
            lambda: [tf.identity(gradient) for gradient in grads],
        )

    def update_step(self, gradient: Tensor, variable: Tensor, learning_rate: Tensor) -> None:
        index = self._get_variable_index(variable)
        slots = [self._momentums[index], self._velocities[index]]
        if self.amsgrad:
            slots.append(self._velocity_hats[index])
        held = [_resource(v) for v in (variable, *slots)]
        dtype = variable.dtype
        if None in held or (self.amsgrad and _inside_xla()):
            if self.epsilon_after_correction:
                self._plain_step(gradient, variable, slots, self._scalars(dtype, learning_rate))
            else:
                super().update_step(gradient, variable, learning_rate)
            return
        scalars = self._shared.get(dtype, lambda: self._scalars(dtype, learning_rate))
        settings = {**scalars, "grad": ops.cast(gradient, dtype)}
        if self.amsgrad:
            tf.raw_ops.ResourceApplyAdamWithAmsgrad(
                var=held[0], m=held[1], v=held[2], vhat=held[3], **settings
            )
        else:
            tf.raw_ops.ResourceApplyAdam(var=held[0], m=held[1], v=held[2], **settings)

    def _plain_step(
        self, gradient: Tensor, variable: Tensor, slots: list, scalars: dict[str, Tensor]
    ) -> None:
        """One step in Keras's operations, with the epsilon of `scalars`."""
        gradient = ops.cast(gradient, variable.dtype)
        mean, square = slots[:2]
        self.assign_add(mean, (gradient - mean) * (1 - scalars["beta1"]))
        self.assign_add(square, (ops.square(gradient) - square) * (1 - scalars["beta2"]))
        if self.amsgrad:
            self.assign(slots[2], ops.maximum(slots[2], square))
            square = slots[2]
        rate = scalars["lr"] * ops.sqrt(1 - scalars["beta2_power"]) / (1 - scalars["beta1_power"])
        self.assign_sub(variable, rate * mean / (ops.sqrt(square) + scalars["epsilon"]))


@keras.saving.register_keras_serializable(package="tf_pose3d")
class AddonsAdamW(FusedAdam):
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
        learning_rate: Tensor = 0.001,
        decay: Tensor = 0.0,
        name: str = "adamw",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.decay = decay

    def current_decay(self) -> Tensor:
        """The share of a weight that the next step takes off."""
        return self.decay(self.iterations) if callable(self.decay) else self.decay

    def update_step(self, gradient: Tensor, variable: Tensor, learning_rate: Tensor) -> None:
        dtype = variable.dtype
        decay = self._shared.get(("decay", dtype), lambda: ops.cast(self.current_decay(), dtype))
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


def make_optimizer(
    config: TrainingConfig, steps_per_epoch: int | None = None, longer: tuple[int, int] | None = None
) -> keras.optimizers.Optimizer:
    """The optimizer that a config asks for.

    Args:
        config: Its keys OPTIMIZER, OPTIMIZER_PARAMS, SCHEDULE, SCHEDULE_PARAMS, WEIGHT_DECAY, MAX_NORM.
        steps_per_epoch: For the schedules that count epochs, unless SCHEDULE_PARAMS says it.
        longer: (epochs after which these are longer, their steps), for EpochDecay; None: all are alike.

    Raises:
        Pose3DError: Unknown arguments in OPTIMIZER_PARAMS or SCHEDULE_PARAMS.
    """
    params = dict(config.OPTIMIZER_PARAMS)
    known = set(inspect.signature(keras.optimizers.Adam).parameters) - {"learning_rate", "kwargs"}
    for name in params:
        if name not in known:
            raise Pose3DError(f"OPTIMIZER_PARAMS: {config.OPTIMIZER} has no {name}{nearest(name, known)}")
    params["epsilon_after_correction"] = config.EPSILON_AFTER_CORRECTION
    if config.MAX_NORM:
        params["global_clipnorm"] = config.MAX_NORM
    schedule = dict(config.SCHEDULE_PARAMS)
    if config.SCHEDULE in ("EpochDecay", "EpochSteps") and steps_per_epoch is not None:
        schedule.setdefault("steps_per_epoch", steps_per_epoch)
    if longer is not None and config.SCHEDULE == "EpochDecay":
        schedule |= {"longer_after": longer[0], "longer_steps": longer[1]}
    rate = make_schedule(config.SCHEDULE, schedule)
    if config.OPTIMIZER == "Adam":
        return FusedAdam(learning_rate=rate, **params)
    if "initial_learning_rate" not in schedule:
        raise Pose3DError(
            f"OPTIMIZER {config.OPTIMIZER}: WEIGHT_DECAY follows a schedule with initial_learning_rate, "
            f"which {config.SCHEDULE} has not"
        )
    first = config.WEIGHT_DECAY or 0.0
    if config.OPTIMIZER == "TorchAdamW":
        first = first * float(rate(0))
    decay = make_schedule(config.SCHEDULE, schedule, initial_learning_rate=first)
    return AddonsAdamW(learning_rate=rate, decay=decay, **{"epsilon": 1e-8, **params})


def current_rates(optimizer: keras.optimizers.Optimizer) -> dict[str, float]:
    """`{"LR": ...}` and, with AdamW, `"WD"`: what the next step uses."""
    rates = {"LR": float(optimizer.learning_rate)}
    if isinstance(optimizer, AddonsAdamW):
        rates["WD"] = float(optimizer.current_decay())
    return rates
