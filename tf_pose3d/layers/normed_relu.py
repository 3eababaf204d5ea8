"""Bias, batch normalisation, (leaky) ReLU and dropout behind a matrix product."""

from __future__ import annotations

import keras
from keras import ops

from tf_pose3d.layers.batch_normalization import UnbiasedBatchNormalization
from tf_pose3d.ops.normed_activation import normed_activation
from tf_pose3d.types import Tensor

__all__ = ["normed_relu"]


def normed_relu(
    rows: Tensor,
    bias: Tensor | None,
    norm: UnbiasedBatchNormalization,
    rate: float,
    seed: keras.random.SeedGenerator,
    training: bool | None,
    slope: float = 0.0,
) -> Tensor:
    """`dropout(relu(norm(rows + bias)))`, with the fewest passes over the rows.

    Args:
        rows: `(R, C)`.
        bias: `(C,)`; None: 0.
        norm: Built for C features; training moves its running statistics.
        rate: Of dropout.
        seed: Says which features are dropped.
        training: Whether to normalise by the rows' own statistics and to drop features.
        slope: Of LeakyReLU below 0; 0 is ReLU.

    Returns:
        `(R, C)`.
    """
    if bias is not None:
        bias = ops.cast(bias, rows.dtype)
    if training and norm.trainable:
        outputs, mean, variance = normed_activation(
            rows,
            ops.zeros((rows.shape[-1],), rows.dtype) if bias is None else bias,
            ops.cast(norm.gamma, "float32"),
            ops.cast(norm.beta, "float32"),
            norm.epsilon,
            slope,
            rate,
            seed,
        )
        norm.update(mean, variance, ops.shape(rows)[0])
        return ops.cast(outputs, rows.dtype)
    normed = norm(rows if bias is None else rows + bias, training=False)
    outputs = ops.leaky_relu(normed, slope) if slope else ops.relu(normed)
    return keras.random.dropout(outputs, rate, seed=seed) if training and rate else outputs
