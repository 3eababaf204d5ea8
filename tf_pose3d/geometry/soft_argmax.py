"""Coordinates of heat-map maxima with fractions of a pixel."""

from __future__ import annotations

import math

import numpy as np
from keras import ops

from tf_pose3d.types import Tensor

__all__ = ["heatmap_maxima", "soft_argmax"]


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
    row = _pixels(heatmaps, ops.arange(width, dtype="int32")[None], y[:, None])[:, 0]
    x = ops.cast(ops.argmax(row, axis=-1), "int32")
    place = ops.reshape(ops.stack([x, y], axis=-1), (*lead, joints, 2))
    return place, ops.max(by_row, axis=-2)


def _pixels(heatmaps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Values of each map where some columns and some rows meet.

    Args:
        heatmaps: `(..., h, w, J)`, M maps in all.
        x, y: `(M or 1, X)` and `(M or 1, Y)` int32, in the order of `(..., J)`.

    Returns:
        `(M, Y, X)`.
    """
    height, width, joints = heatmaps.shape[-3:]
    # One table for all maps: gathering along an axis of each would copy them first.
    table = ops.reshape(heatmaps, (-1,))
    number = ops.arange(ops.shape(table)[0] // (height * width), dtype="int32")
    first = number // joints * (height * width * joints) + number % joints
    rows = first[:, None] + y * (width * joints)
    return ops.take(table, rows[:, :, None] + (x * joints)[:, None, :])


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
    place, value = heatmap_maxima(heatmaps)
    mean = _disc_mean(heatmaps, place, diameter, temperature)
    return ops.where(value[..., None] > least, mean, ops.zeros_like(mean)), value


def _disc_mean(heatmaps: Tensor, place: Tensor, diameter: float, temperature: float) -> Tensor:
    """Means `(..., J, 2)` under the softmax inside the discs round `place (..., J, 2)`."""
    height, width = heatmaps.shape[-3:-1]
    radius = diameter / 2
    steps = np.arange(-math.floor(radius), math.floor(radius) + 1, dtype="int32")
    offsets = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    disc = ops.convert_to_tensor(np.hypot(*np.meshgrid(steps, steps)) <= radius)

    # A square round each maximum; columns and rows apart as long as possible, as pixels are many.
    flat = ops.reshape(place, (-1, 2))
    steps = ops.convert_to_tensor(steps)
    x, y = flat[:, :1] + steps, flat[:, 1:] + steps
    values = _pixels(heatmaps, ops.clip(x, 0, width - 1), ops.clip(y, 0, height - 1))
    inside = ((y >= 0) & (y < height))[:, :, None] & ((x >= 0) & (x < width))[:, None, :] & disc
    # Shares of what lies inside the disc and the image: finite, whatever the values are.
    logits = ops.where(inside, values * (1 / temperature), ops.cast(-1e30, values.dtype))
    shares = ops.softmax(ops.reshape(logits, (-1, len(offsets))), axis=-1)
    mean = ops.cast(flat, shares.dtype) + ops.matmul(shares, ops.cast(offsets, shares.dtype))
    return ops.reshape(mean, ops.shape(place))
