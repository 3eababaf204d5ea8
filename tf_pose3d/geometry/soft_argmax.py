"""Coordinates of heat-map maxima with fractions of a pixel."""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import ops

__all__ = ["heatmap_maxima", "soft_argmax"]

Tensor = keras.KerasTensor


def heatmap_maxima(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Maxima of heat maps.

    Args:
        heatmaps: `(..., h, w, J)`.

    Returns:
        x and y of each map's first maximum, row by row, `(..., J, 2)` int32; its value `(..., J)`.
    """
    width = heatmaps.shape[-2]
    by_row = ops.max(heatmaps, axis=-2)
    y = ops.cast(ops.argmax(by_row, axis=-2), "int32")
    # Of the row with the maximum alone: a search through whole maps costs more than reading them.
    row = _pixels(heatmaps, y[..., None] * width + np.arange(width, dtype="int32"))
    x = ops.cast(ops.argmax(row, axis=-1), "int32")
    return ops.stack([x, y], axis=-1), ops.max(by_row, axis=-2)


def _pixels(heatmaps: Tensor, index: Tensor) -> Tensor:
    """Values `(..., J, K)` of maps `(..., h, w, J)` at K pixels `(..., J, K)`, each y * w + x."""
    height, width, joints = heatmaps.shape[-3:]
    lead = ops.shape(index)[:-2]
    count = index.shape[-1]
    index = ops.reshape(index, (-1, joints, count))
    map_size = height * width * joints
    # One table for all maps: gathering along an axis of each would copy them first.
    first = ops.arange(ops.shape(index)[0], dtype="int32")[:, None, None] * map_size
    index = first + index * joints + np.arange(joints, dtype="int32")[:, None]
    return ops.reshape(ops.take(ops.reshape(heatmaps, (-1,)), index), (*lead, joints, count))


def soft_argmax(
    heatmaps: Tensor, diameter: float, temperature: float = 0.05, least: float = 0.01
) -> tuple[Tensor, Tensor]:
    """Means of pixel coordinates under a softmax inside a disc round each map's maximum.

    Source: DenseWarper's release, where the diameter is five standard deviations of the Gaussian targets.

    Args:
        heatmaps: `(..., h, w, J)`.
        diameter: Of the disc, pixels.
        temperature: What values are divided by before the softmax.
        least: A map whose maximum is not above this has no joint: its coordinates are (0, 0).

    Returns:
        `(..., J, 2)` x and y, pixels of the heat map; `(..., J)` the maximum. Gradients flow through
        the values inside the disc and through the maximum.
    """
    heatmaps = ops.convert_to_tensor(heatmaps)
    height, width = heatmaps.shape[-3:-1]
    place, value = heatmap_maxima(heatmaps)
    radius = diameter / 2
    reach = math.floor(radius)
    offsets = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="xy"), -1).reshape(-1, 2)
    offsets = offsets[np.hypot(*offsets.T) <= radius].astype("int32")

    x = place[..., 0, None] + offsets[:, 0]
    y = place[..., 1, None] + offsets[:, 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    taken = _pixels(heatmaps, ops.clip(y, 0, height - 1) * width + ops.clip(x, 0, width - 1))
    logits = taken / temperature
    # Shares of what lies inside the disc and the image: finite, whatever the values are.
    shares = ops.softmax(ops.where(inside, logits, ops.cast(-1e30, logits.dtype)), axis=-1)
    shift = ops.matmul(shares, ops.cast(offsets, shares.dtype))
    mean = ops.cast(place, shares.dtype) + shift
    return ops.where(value[..., None] > least, mean, ops.zeros_like(mean)), value
