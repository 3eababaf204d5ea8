"""Losses of heat maps."""

from __future__ import annotations

import keras
from keras import ops

__all__ = ["gaussian_heatmaps", "heatmap_loss"]

Tensor = keras.KerasTensor


def gaussian_heatmaps(keypoints: Tensor, height: int, width: int, sigma: float) -> Tensor:
    """Heat maps with a Gaussian of height 1 at each joint's nearest pixel, cut at three deviations.

    Args:
        keypoints: `(..., J, 2)` heat-map pixels.
        height, width: Of the maps.
        sigma: Standard deviation, pixels.

    Returns:
        `(..., height, width, J)` float32; zero for joints outside the map.
    """
    # The release rounds half up.
    nearest = ops.floor(ops.cast(keypoints, "float32") + 0.5)
    reach = float(int(3 * sigma))

    def along(size: int, centre: Tensor) -> Tensor:
        distance = ops.arange(size, dtype="float32")[:, None] - centre[..., None, :]
        value = ops.exp(-ops.square(distance) / (2 * sigma**2))
        return ops.where(ops.abs(distance) <= reach, value, 0.0)

    x, y = nearest[..., 0], nearest[..., 1]
    return along(height, y)[..., :, None, :] * along(width, x)[..., None, :, :]


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
