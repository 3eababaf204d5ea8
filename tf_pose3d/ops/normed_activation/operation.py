"""Bias, batch normalization, LeakyReLU and dropout of training as one operation.

Compiled where that serves (see `tf_pose3d.ops.dispatch`), else computed with `keras.ops`.
"""

from __future__ import annotations

import keras
from keras import ops

from tf_pose3d.ops.normed_activation import compiled
from tf_pose3d.types import Tensor

__all__ = ["normed_activation"]


def normed_activation(
    x: Tensor,
    bias: Tensor,
    gamma: Tensor,
    beta: Tensor,
    epsilon: float,
    slope: float,
    rate: float,
    seed: keras.random.SeedGenerator,
) -> tuple[Tensor, Tensor, Tensor]:
    """`dropout(leaky_relu(batch_norm(x + bias)))` with the batch's own statistics.

    Args:
        x: `(B, J * F)`: F features of each of J joints.
        bias: `(J * F,)`.
        gamma, beta: `(F,)`; features are normalised over samples and joints.
        epsilon: Added to the variance.
        slope: Of LeakyReLU below 0.
        rate: Share of features that are dropped; the others are scaled up by 1 / (1 - rate).
        seed: Says which. Two implementations drop different ones.

    Returns:
        `(B, J * F)`; mean and (biased) variance `(F,)` of `x + bias`.
    """
    if compiled.OPERATION.serves(x, bias):
        return compiled.normed_activation(x, bias, gamma, beta, seed.next(), epsilon, slope, rate)
    width, features = x.shape[1], gamma.shape[0]
    rows = ops.reshape(x + bias, (-1, features))
    mean, variance = ops.moments(ops.cast(rows, gamma.dtype), axes=[0])
    scale = ops.cast(gamma, variance.dtype) * ops.rsqrt(variance + epsilon)
    shift = ops.cast(beta, variance.dtype) - mean * scale
    rows = ops.leaky_relu(rows * ops.cast(scale, rows.dtype) + ops.cast(shift, rows.dtype), slope)
    y = ops.reshape(rows, (-1, width))
    return (keras.random.dropout(y, rate, seed=seed) if rate else y), mean, variance
