"""Losses of heat maps."""

from __future__ import annotations

from keras import ops

from tf_pose3d.types import Tensor

__all__ = ["heatmap_loss"]


def heatmap_loss(predicted: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Squared errors of heat maps: the mean over pixels and maps, summed over joints, as released.

    Args:
        predicted: `(..., h, w, J)`.
        target: The same shape.
        weights: `(..., J)`, which multiply prediction and target; None: 1.

    Returns:
        A float32 scalar.
    """
    error = ops.cast(predicted, "float32") - ops.cast(target, "float32")
    if weights is not None:
        error = error * ops.cast(weights, "float32")[..., None, None, :]
    return ops.mean(ops.square(error)) * float(predicted.shape[-1])
