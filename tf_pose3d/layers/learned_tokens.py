"""Learned vectors that enter a transformer beside its input: position embeddings and mask tokens."""

from __future__ import annotations

import keras

__all__ = ["LearnedPosition", "LearnedToken"]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class LearnedPosition(keras.layers.Layer):
    """One learned vector per position, added to the input.

    Args:
        length: Number of positions N.
        dim: Width C.
        initializer: Of the vectors; by default a truncated normal distribution of deviation 0.02.

    Input and output: `(..., n, C)` with n at most N; shorter inputs take the first n vectors.
    """

    def __init__(self, length: int, dim: int, initializer: object = None, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.length = length
        self.dim = dim
        self.initializer = keras.initializers.get(initializer) or keras.initializers.TruncatedNormal(
            stddev=0.02
        )

    def build(self, input_shape: tuple | None = None) -> None:
        self.embedding = self.add_weight(
            name="positional_encoding_weights",
            shape=(self.length, self.dim),
            initializer=self.initializer,
        )
        self.built = True

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        embedding = keras.ops.convert_to_tensor(self.embedding)
        return inputs + keras.ops.cast(embedding[: inputs.shape[-2]], inputs.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "length": self.length, "dim": self.dim, "initializer": initializer}


@keras.saving.register_keras_serializable(package="tf_pose3d")
class LearnedToken(keras.layers.Layer):
    """One learned vector that stands in for a token whose input is masked.

    Args:
        dim: Width C.

    Input: any tensor, of which only the dtype is read. Output: `(1, C)`.
    """

    def __init__(self, dim: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.dim = dim

    def build(self, input_shape: tuple | None = None) -> None:
        self.token = self.add_weight(
            name="learnable_masked_token",
            shape=(self.dim,),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
        )
        self.built = True

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return keras.ops.cast(self.token, inputs.dtype)[None, :]

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (1, self.dim)

    def get_config(self) -> dict:
        return {**super().get_config(), "dim": self.dim}
