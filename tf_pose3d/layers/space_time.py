"""Layers over tokens of joints and frames, and what brings two branches of them together."""

from __future__ import annotations

from typing import TypeAlias

import keras
from keras import ops

__all__ = ["AdaptiveFusion", "frames_in_rows", "joints_in_rows", "swap_frames_and_joints"]

Tensor: TypeAlias = keras.KerasTensor


def joints_in_rows(tokens: Tensor) -> Tensor:
    """`(B, F, J, C)` -> `(B * F, J, C)`: each frame's joints."""
    return ops.reshape(tokens, (-1, *tokens.shape[2:]))


def frames_in_rows(tokens: Tensor) -> Tensor:
    """`(B, F, J, C)` -> `(B * J, F, C)`: each joint's frames."""
    return joints_in_rows(ops.transpose(tokens, (0, 2, 1, 3)))


def swap_frames_and_joints(rows: Tensor, outer: int) -> Tensor:
    """`(B * outer, inner, C)` -> `(B * inner, outer, C)`, from frames in rows to joints in rows or back."""
    tokens = ops.reshape(rows, (-1, outer, *rows.shape[1:]))
    return joints_in_rows(ops.transpose(tokens, (0, 2, 1, 3)))


@keras.saving.register_keras_serializable(package="tf_pose3d")
class AdaptiveFusion(keras.layers.Layer):
    """Weighted mean of two branches, whose weights a linear layer reads off both at every token.

    Zhu et al., "MotionBERT: a unified perspective on learning human motion representations", ICCV 2023. At
    first both weigh the same.

    Args:
        dim: Width C of either branch.

    Call arguments: two tensors `(..., C)`. Output: `(..., C)`.
    """

    def __init__(self, dim: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.dim = dim

    def build(self, input_shape: object = None) -> None:
        self.kernel = self.add_weight(name="kernel", shape=(2 * self.dim, 2), initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=(2,), initializer=keras.initializers.Constant(0.5))
        self.built = True

    def call(self, first: Tensor, second: Tensor) -> Tensor:
        # A softmax over two is the sigmoid of their difference.
        kernel = self.kernel[:, :1] - self.kernel[:, 1:]
        rows = [ops.reshape(one, (-1, self.dim)) for one in (first, second)]
        score = ops.matmul(rows[0], kernel[: self.dim]) + ops.matmul(rows[1], kernel[self.dim :])
        share = ops.sigmoid(score + (self.bias[0] - self.bias[1]))
        share = ops.reshape(share, (-1, *first.shape[1:-1], 1))
        return second + share * (first - second)

    def compute_output_shape(self, first_shape: tuple, second_shape: tuple) -> tuple:
        return first_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "dim": self.dim}
