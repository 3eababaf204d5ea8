"""Losses that several families share."""

from __future__ import annotations

import keras
from keras import ops

__all__ = ["mean_joint_distance"]


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
