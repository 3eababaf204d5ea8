"""Fully connected residual block of RIE's encoders, fusion and decoders."""

from __future__ import annotations

import keras

from tf_pose3d.layers.normed_linear import NormedLinear, uniform_initializer
from tf_pose3d.types import Tensor

__all__ = ["FullyConnectedBlock"]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class FullyConnectedBlock(keras.layers.Layer):
    """A layer to `hidden` features, residual pairs of such layers, and a linear one to the result.

    Args:
        units: Features D of the result.
        hidden: Features inside.
        pairs: Residual pairs.
        dropout: Rate.
        slope: Of LeakyReLU below 0.

    Input: `(B, C)`. Output: `(B, D)`.
    """

    def __init__(
        self,
        units: int,
        hidden: int = 1024,
        pairs: int = 1,
        dropout: float = 0.25,
        slope: float = 0.2,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {
            "units": units,
            "hidden": hidden,
            "pairs": pairs,
            "dropout": dropout,
            "slope": slope,
        }
        self.hidden = hidden

        def layer(name: str) -> NormedLinear:
            return NormedLinear(
                hidden, use_bias=True, slope=slope, dropout=dropout, dtype=self.dtype_policy, name=name
            )

        self.first = layer("first")
        self.pairs = [(layer(f"pair{index}_1"), layer(f"pair{index}_2")) for index in range(pairs)]
        # As in `TemporalNetwork`: for Keras before 3.13, and by its name after the pairs.
        self.single_pairs = [held for pair in self.pairs for held in pair]
        self.last = keras.layers.Dense(
            units,
            kernel_initializer=uniform_initializer(hidden),
            bias_initializer=uniform_initializer(hidden),
            dtype=self.dtype_policy,
            name="last",
        )

    def build(self, input_shape: tuple) -> None:
        self.first.build(input_shape)
        for layer in (*(layer for pair in self.pairs for layer in pair), self.last):
            layer.build((None, self.hidden))

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        features = self.first(inputs, training=training)
        for first, second in self.pairs:
            features = features + second(first(features, training=training), training=training)
        return self.last(features)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], self.settings["units"])

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}
