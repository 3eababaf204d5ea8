"""Batch normalisation with the running statistics that PyTorch keeps."""

from __future__ import annotations

import keras
from keras import ops

__all__ = ["SharedMomentum", "UnbiasedBatchNormalization", "first_value"]


class SharedMomentum:
    """A momentum that several normalisations follow and that training changes as it goes.

    It is no weight: files and checkpoints do not hold it, and whoever changes it sets it anew on resuming.

    Args:
        value: Share of a running statistic that one training step keeps.
    """

    def __init__(self, value: float = 0.9) -> None:
        self.initial = float(value)
        self.variable = keras.Variable(
            self.initial, dtype="float32", trainable=False, autocast=False, name="momentum"
        )

    def assign(self, value: float) -> None:
        """Sets it for all layers that follow it, in graphs already traced, too."""
        self.variable.assign(value)


def first_value(momentum: float | SharedMomentum) -> float:
    """What a momentum is before training changes it."""
    return momentum.initial if isinstance(momentum, SharedMomentum) else momentum


@keras.saving.register_keras_serializable(package="tf_pose3d")
class UnbiasedBatchNormalization(keras.layers.Layer):
    """Normalises each feature (last axis) over all other axes, as `torch.nn.BatchNorm1d` does.

    It differs from Keras's layer in one thing: the running variance averages the batches' unbiased
    variance (sum of squares over n - 1), while training itself normalises by the biased one.

    Args:
        momentum: Share of a running statistic that one training step keeps: 1 minus PyTorch's momentum; or a
            `SharedMomentum`.
        epsilon: Added to the variance.
        gamma_initializer: Of the scale.

    Input and output: `(..., C)`.
    """

    def __init__(
        self,
        momentum: float | SharedMomentum = 0.9,
        epsilon: float = 1e-5,
        gamma_initializer: str = "ones",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum if isinstance(momentum, SharedMomentum) else float(momentum)
        self.epsilon = float(epsilon)
        self.gamma_initializer = gamma_initializer

    def build(self, input_shape: tuple) -> None:
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(shape=shape, initializer=self.gamma_initializer, name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")
        statistics = {"shape": shape, "trainable": False, "autocast": False, "aggregation": "mean"}
        self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", **statistics)
        self.moving_variance = self.add_weight(initializer="ones", name="moving_variance", **statistics)

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        mean, variance = self.moving_mean.value, self.moving_variance.value
        if training and self.trainable:
            axes = list(range(len(inputs.shape) - 1))
            values = ops.cast(inputs, self.variable_dtype)
            mean, variance = ops.moments(values, axes)
            self.update(mean, variance, ops.prod(ops.shape(inputs)[:-1]))
        scale = ops.cast(self.gamma, variance.dtype) * ops.rsqrt(variance + self.epsilon)
        shift = ops.cast(self.beta, variance.dtype) - mean * scale
        return inputs * ops.cast(scale, inputs.dtype) + ops.cast(shift, inputs.dtype)

    def update(
        self, mean: keras.KerasTensor, variance: keras.KerasTensor, count: int | keras.KerasTensor
    ) -> None:
        """Lets the running statistics follow one batch's.

        Args:
            mean, variance: `(C,)` of the batch, the variance biased.
            count: Of how many rows.
        """
        rows = ops.cast(count, variance.dtype)
        unbiased = variance * (rows / ops.maximum(rows - 1, 1))
        keep = self.momentum.variable.value if isinstance(self.momentum, SharedMomentum) else self.momentum
        for running, new in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
            running.assign(keep * running.value + (1 - keep) * new)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "momentum": first_value(self.momentum),
            "epsilon": self.epsilon,
            "gamma_initializer": self.gamma_initializer,
        }
