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
    heatmaps = ops.convert_to_tensor(heatmaps)
    *lead, _, width, joints = ops.shape(heatmaps)
    by_row = ops.max(heatmaps, axis=-2)
    y = ops.reshape(ops.cast(ops.argmax(by_row, axis=-2), "int32"), (-1,))
    # Of the row with the maximum alone: a search through whole maps costs more than reading them.
    row = _pixels(heatmaps, ops.zeros_like(y), y, np.arange(width, dtype="int32"))
    x = ops.cast(ops.argmax(row, axis=-1), "int32")
    place = ops.reshape(ops.stack([x, y], axis=-1), (*lead, joints, 2))
    return place, ops.max(by_row, axis=-2)


def _pixels(heatmaps: Tensor, x: Tensor, y: Tensor, steps: np.ndarray) -> Tensor:
    """Values near a pixel of each map.

    Args:
        heatmaps: `(..., h, w, J)`, M maps in all.
        x, y: `(M,)` int32, in the order of `(..., J)`.
        steps: `(K,)` int32, from there on in row-major order; those that leave all maps stop at their end.

    Returns:
        `(M, K)`.
    """
    height, width, joints = heatmaps.shape[-3:]
    # One table for all maps: gathering along an axis of each would copy them first.
    table = ops.reshape(heatmaps, (-1,))
    number = ops.arange(ops.shape(x)[0], dtype="int32")
    first = number // joints * (height * width * joints) + number % joints
    first = first + (y * width + x) * joints
    index = ops.clip(first[:, None] + steps * joints, 0, ops.shape(table)[0] - 1)
    return ops.take(table, index)


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

    flat = ops.reshape(place, (-1, 2))
    x, y = flat[:, 0], flat[:, 1]
    logits = _pixels(heatmaps, x, y, offsets[:, 1] * width + offsets[:, 0]) / temperature
    column, row = x[:, None] + offsets[:, 0], y[:, None] + offsets[:, 1]
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    # Shares of what lies inside the disc and the image: finite, whatever the values are.
    shares = ops.softmax(ops.where(inside, logits, ops.cast(-1e30, logits.dtype)), axis=-1)
    mean = ops.cast(flat, shares.dtype) + ops.matmul(shares, ops.cast(offsets, shares.dtype))
    mean = ops.reshape(mean, ops.shape(place))
    return ops.where(value[..., None] > least, mean, ops.zeros_like(mean)), value
