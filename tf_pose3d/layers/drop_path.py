"""Stochastic depth."""

from __future__ import annotations

import keras
from keras import ops

__all__ = ["DropPath", "drop_path_rates"]


def drop_path_rates(last: float, count: int) -> list[float]:
    """Rates that grow linearly over `count` blocks, from 0 to `last`."""
    if count == 1:
        return [0.0]
    return [last * index / (count - 1) for index in range(count)]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class DropPath(keras.layers.Layer):
    """Drops a residual branch for whole samples in training and scales the kept ones by 1 / keep.

    Huang et al., "Deep networks with stochastic depth", 2016, in the inverse-scaled form that needs no
    correction at inference.

    Args:
        rate: Probability that a sample's branch is dropped, in [0, 1).
        seed: Seed of the layer's own generator; None draws one.

    Input and output: any tensor whose first axis is the sample.
    """

    def __init__(self, rate: float = 0.0, seed: int | None = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"DropPath rate must lie in [0, 1), not {rate}")
        self.rate = float(rate)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed) if rate > 0 else None
        self.built = True

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        if not training or self.rate == 0.0:
            return inputs
        keep = 1.0 - self.rate
        shape = (ops.shape(inputs)[0],) + (1,) * (len(inputs.shape) - 1)
        draw = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        scale = ops.cast(ops.floor(draw + keep) / keep, inputs.dtype)
        return inputs * scale

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
