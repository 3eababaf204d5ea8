"""Maxima of images along lines.

Compiled where that serves (see `tf_pose3d.ops.dispatch`), else computed with `keras.ops`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from keras import ops

from tf_pose3d.ops.line_maximum import compiled
from tf_pose3d.types import Tensor

__all__ = ["brightest_pixel", "line_maximum"]


# Two points nearer than this, in pixels, are no line.
SHORTEST = 1e-3
# Coordinates beyond this are no place.
FARTHEST = 1e6
# Slopes below this count as this, so that their reciprocals are finite.
_FLATTEST = 1e-20


def line_maximum(images: Tensor, lines: Tensor, sources: Sequence[int]) -> Tensor:
    """The maximum of each channel along lines through images.

    A line is sampled at every integer x and at every integer y, each time at the nearest pixel; samples
    outside the image count as zero.

    Args:
        images: `(B, V, h, w, C)`.
        lines: `(B, P, N, 4)`, N lines through each of P images: x, y of one point, x, y of another, pixels.
        sources: The image, 0 to V - 1, of each of the P sets of lines.

    Returns:
        `(B, P, N, C)`; zero for a line whose points coincide or are not finite. Gradients flow to the
        brightest pixels only.
    """
    images, lines = ops.convert_to_tensor(images), ops.convert_to_tensor(lines)
    batch, views, height, width, channels = ops.shape(images)
    fixed = ops.stop_gradient(images)
    if compiled.OPERATION.serves(images, lines):
        place = compiled.brightest_pixel(fixed, lines, sources, SHORTEST, FARTHEST)
    else:
        place = brightest_pixel(fixed, lines, sources)
    # Pixel -1 is the zero outside: the last of the table.
    size = height * width * channels
    first = np.asarray(sources, "int32")[:, None, None] * size + np.arange(channels, dtype="int32")
    first = ops.convert_to_tensor(first)
    first = first + ops.arange(batch, dtype="int32")[:, None, None, None] * (views * size)
    index = ops.where(place < 0, batch * views * size, first + place * channels)
    table = ops.concatenate([ops.reshape(images, (-1,)), ops.zeros((1,), images.dtype)])
    return ops.take(table, index, axis=0)


def brightest_pixel(images: Tensor, lines: Tensor, sources: Sequence[int]) -> Tensor:
    """Where the maxima of `line_maximum` lie.

    Args:
        images, lines, sources: As there.

    Returns:
        `(B, P, N, C)` int32, `y * w + x`, or -1 where the maximum is the zero outside the image.
    """
    batch, views, height, width, channels = ops.shape(images)
    _, sets, count, _ = ops.shape(lines)
    x0, y0, x1, y1 = (ops.cast(lines[..., index], "float32") for index in range(4))
    dx, dy = x1 - x0, y1 - y0
    far = ops.max(ops.abs(lines), axis=-1)
    # Comparisons with NaN are false.
    is_line = (far < FARTHEST) & (ops.maximum(ops.abs(dx), ops.abs(dy)) > SHORTEST)
    x0, y0, dx, dy = (ops.where(is_line, value, 1.0) for value in (x0, y0, dx, dy))

    # Samples at integers of the axis along which the line runs reach every pixel that samples at integers of
    # the other one reach: where the slope is at most 1, both round to the same pixel.
    steep = ops.abs(dy) > ops.abs(dx)
    slope = ops.where(steep, dx, dy) / ops.where(steep, dy, dx)
    along, aside = ops.where(steep, y0, x0), ops.where(steep, x0, y0)
    length, breadth = (
        ops.cast(ops.where(steep, *sizes), "float32") for sizes in ((height, width), (width, height))
    )

    def is_inside(value: Tensor, size: Tensor) -> Tensor:
        rounded = ops.round(value)
        return (rounded >= 0) & (rounded < size)

    # A sample outside the image makes zero a candidate; the outermost ones are at the ends of both axes.
    inside = is_inside(aside - slope * along, breadth)
    inside = inside & is_inside(aside + slope * (length - 1 - along), breadth)
    reciprocal = 1 / ops.where(ops.abs(slope) < _FLATTEST, _FLATTEST, slope)
    inside = inside & is_inside(along - reciprocal * aside, length)
    inside = inside & is_inside(along + reciprocal * (breadth - 1 - aside), length)

    table = ops.reshape(images, (batch * views * height * width, channels))
    image = ops.convert_to_tensor(np.asarray(sources, "int32")[:, None])
    image = image + ops.arange(batch, dtype="int32")[:, None, None] * views
    first = image * (height * width)
    best = ops.where(
        (inside & is_line)[..., None], -float("inf"), ops.zeros((batch, sets, count, channels), "float32")
    )
    place = ops.full((batch, sets, count, channels), -1, dtype="int32")
    # Over the samples of all lines at a time.
    for step in range(max(height, width)):
        other = ops.round(aside + slope * (step - along))
        used = is_line & (step < length) & (other >= 0) & (other < breadth)
        other = ops.cast(ops.where(used, other, 0.0), "int32")
        pixel = ops.where(used, ops.where(steep, step * width + other, other * width + step), 0)
        value = ops.cast(ops.take(table, first + pixel, axis=0), "float32")
        better = used[..., None] & (value > best)
        best = ops.where(better, value, best)
        place = ops.where(better, pixel[..., None], place)
    return place
