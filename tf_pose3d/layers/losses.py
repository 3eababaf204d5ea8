"""Losses that several families share."""

from __future__ import annotations

import keras
from keras import ops

__all__ = ["mean_joint_distance", "mean_length", "mean_velocity_distance", "scaled_joint_distance"]


def mean_joint_distance(predicted: keras.KerasTensor, target: keras.KerasTensor) -> keras.KerasTensor:
    """Mean Euclidean distance between corresponding joints (MPJPE as a loss), computed in float32.

    Args:
        predicted: `(..., J, 3)`, any float type.
        target: `(..., J, 3)` float32, in the same unit.

    Returns:
        A scalar in that unit. Its gradient is 0, and not NaN, at joints that are exact.
    """
    squared = ops.sum(ops.square(ops.cast(predicted, "float32") - target), axis=-1)
    exact = squared == 0
    return ops.mean(ops.where(exact, 0.0, ops.sqrt(ops.where(exact, 1.0, squared))))


def mean_length(vectors: keras.KerasTensor, weights: object = None) -> keras.KerasTensor:
    """Mean Euclidean length over the last axis, in float32, with gradient 0 where a vector vanishes.

    Args:
        vectors: `(..., D)`.
        weights: Factors of the lengths, of a shape that broadcasts to `(...)`; None: all 1.
    """
    squared = ops.sum(ops.square(ops.cast(vectors, "float32")), axis=-1)
    vanishes = squared == 0
    lengths = ops.where(vanishes, 0.0, ops.sqrt(ops.where(vanishes, 1.0, squared)))
    if weights is None:
        return ops.mean(lengths)
    # PyTorch's tensors with gradients do not multiply NumPy's arrays.
    return ops.mean(lengths * ops.convert_to_tensor(weights, lengths.dtype))


def scaled_joint_distance(predicted: keras.KerasTensor, target: keras.KerasTensor) -> keras.KerasTensor:
    """`mean_joint_distance` after each predicted pose is scaled, not moved, onto the true one.

    Rhodin et al., "Unsupervised geometry-aware representation for 3D human pose estimation", ECCV 2018.

    Args:
        predicted, target: `(..., J, 3)`.
    """
    predicted = ops.cast(predicted, "float32")
    size = ops.sum(ops.square(predicted), axis=(-2, -1), keepdims=True)
    scale = ops.sum(predicted * target, axis=(-2, -1), keepdims=True) / size
    return mean_joint_distance(scale * predicted, target)


def mean_velocity_distance(predicted: keras.KerasTensor, target: keras.KerasTensor) -> keras.KerasTensor:
    """Mean distance between the movements from frame to frame; 0 for clips of one frame.

    Args:
        predicted, target: `(B, F, J, 3)`.
    """
    difference = ops.cast(predicted, "float32") - target
    if difference.shape[1] == 1:
        return ops.zeros(())
    return mean_length(difference[:, 1:] - difference[:, :-1])
