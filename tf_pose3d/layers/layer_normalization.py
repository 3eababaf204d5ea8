"""Layer normalization as Keras has it and by the unbiased deviation, compiled where that is faster."""

from __future__ import annotations

import keras
from keras import ops

from tf_pose3d.ops.layer_norm import layer_norm

__all__ = ["LayerNormalization", "UnbiasedLayerNormalization"]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class LayerNormalization(keras.layers.LayerNormalization):
    """`keras.layers.LayerNormalization` with the same arguments, weights and numbers.

    Over the last axis with gain and shift it goes through `tf_pose3d.ops.layer_norm.layer_norm`, several
    times faster on CPUs; otherwise it is Keras's.
    """

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        # Building the layer has made a list of the axis.
        if self.axis not in ([-1], [len(inputs.shape) - 1]) or not (self.center and self.scale):
            return super().call(inputs)
        outputs = layer_norm(inputs, self.gamma, self.beta, self.epsilon)
        return ops.cast(outputs, self.compute_dtype)


@keras.saving.register_keras_serializable(package="tf_pose3d")
class UnbiasedLayerNormalization(keras.layers.Layer):
    """Normalises the last axis by its unbiased standard deviation: gain * (x - mean) / deviation + shift.

    From "The annotated transformer" (Rush, 2018) and those that build on it, where the deviation is the root
    of the sum of squares over C - 1, plus an epsilon. Here epsilon is added under the root, squared, so that
    the compiled layer normalization serves; results differ by a share of epsilon over the deviation.

    Args:
        epsilon: Keeps constant rows finite.

    Input and output: `(..., C)`, C at least 2.
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.epsilon = float(epsilon)

    def build(self, input_shape: tuple) -> None:
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        width = inputs.shape[-1]
        share = (width - 1) / width
        outputs = layer_norm(inputs, self.gamma * share**0.5, self.beta, self.epsilon**2 * share)
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "epsilon": self.epsilon}
