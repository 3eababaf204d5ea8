"""Bias, batch normalisation, ReLU and dropout behind a matrix product."""

from __future__ import annotations

import keras
from keras import ops

from tf_pose3d.layers.batch_normalization import UnbiasedBatchNormalization
from tf_pose3d.ops.normed_activation import normed_activation
from tf_pose3d.types import Tensor

__all__ = ["normed_relu"]


def normed_relu(
    rows: Tensor,
    bias: Tensor,
    norm: UnbiasedBatchNormalization,
    rate: float,
    seed: keras.random.SeedGenerator,
    training: bool | None,
) -> Tensor:
    """`dropout(relu(norm(rows + bias)))`, with the fewest passes over the rows.

    Args:
        rows: `(R, C)`.
        bias: `(C,)`.
        norm: Built for C features; training moves its running statistics.
        rate: Of dropout.
        seed: Says which features are dropped.
        training: Whether to normalise by the rows' own statistics and to drop features.

    Returns:
        `(R, C)`.
    """
    bias = ops.cast(bias, rows.dtype)
    if training and norm.trainable:
        outputs, mean, variance = normed_activation(
            rows,
            bias,
            ops.cast(norm.gamma, "float32"),
            ops.cast(norm.beta, "float32"),
            norm.epsilon,
            0.0,
            rate,
            seed,
        )
        norm.update(mean, variance, ops.shape(rows)[0])
        return ops.cast(outputs, rows.dtype)
    outputs = ops.relu(norm(rows + bias, training=False))
    return keras.random.dropout(outputs, rate, seed=seed) if training and rate else outputs
