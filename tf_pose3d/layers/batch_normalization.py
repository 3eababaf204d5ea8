"""Batch normalisation with the running statistics that PyTorch keeps."""

from __future__ import annotations

import keras
from keras import ops

__all__ = ["UnbiasedBatchNormalization"]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class UnbiasedBatchNormalization(keras.layers.Layer):
    """Normalises each feature (last axis) over all other axes, as `torch.nn.BatchNorm1d` does.

    It differs from Keras's layer in one thing: the running variance averages the batches' unbiased
    variance (sum of squares over n - 1), while training itself normalises by the biased one.

    Args:
        momentum: Share of a running statistic that one training step keeps: 1 minus PyTorch's momentum.
        epsilon: Added to the variance.
        gamma_initializer: Of the scale.

    Input and output: `(..., C)`.
    """

    def __init__(
        self,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        gamma_initializer: str = "ones",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.momentum = float(momentum)
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
            size = ops.cast(ops.prod(ops.shape(inputs)[:-1]), variance.dtype)
            unbiased = variance * (size / ops.maximum(size - 1, 1))
            for running, new in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
                running.assign(self.momentum * running.value + (1 - self.momentum) * new)
        scale = ops.cast(self.gamma, variance.dtype) * ops.rsqrt(variance + self.epsilon)
        shift = ops.cast(self.beta, variance.dtype) - mean * scale
        return inputs * ops.cast(scale, inputs.dtype) + ops.cast(shift, inputs.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "gamma_initializer": self.gamma_initializer,
        }
