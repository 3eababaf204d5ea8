"""Deformable RoI pooling in plain `keras.ops`: any backend, differentiable by its own autodiff.

As with the deformable convolution, this is what the compiled kernels are tested against. Arguments are in
normal form here: `deform_psroi_pooling` of `operation.py` checks and normalises them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from tf_pose3d.ops.arguments import in_compute_dtype
from tf_pose3d.ops.deform_psroi_pooling.options import PsRoiOptions
from tf_pose3d.types import Tensor


def deform_psroi_pooling(x: Tensor, rois: Tensor, trans: Tensor | None, options: PsRoiOptions) -> Tensor:
    """Deformable position-sensitive RoI pooling (Dai et al. 2017).

    Args:
        x: (B, H, W, output_dim * group_size^2), or channels first.
        rois: (N, 5): image index, x1, y1, x2, y2 in pixels of the original image; float32 or float64.
        trans: (N, part_size, part_size, 2 * classes), pairs (dx, dy) per class, channels first where x is;
            or None.
        options: attributes in normal form.

    Returns:
        (N, pooled_size, pooled_size, output_dim) in the data format of x and its dtype.
    """
    dtype = x.dtype
    x = in_compute_dtype(x)
    rois = ops.cast(rois, x.dtype)
    if options.data_format == "channels_first":
        x = ops.transpose(x, (0, 2, 3, 1))
    batch, height, width, channels = ops.shape(x)
    size, samples, group_size = options.pooled_size, options.sample_per_part, options.group_size
    output_dim = channels // group_size**2

    corners = _round_half_away(rois[:, 1:])
    start = corners[:, :2] * options.spatial_scale - 0.5
    end = (corners[:, 2:] + 1.0) * options.spatial_scale - 0.5
    extent = ops.maximum(end - start, 0.1)
    bin_size = extent / size
    cell = np.arange(size)
    offset_x, offset_y = _bin_offsets(trans, extent, options, output_dim)
    # Axes from here on: RoI, pooled row, pooled column, output channel, sample row, sample column.
    sample = np.arange(samples)
    w = (
        (bin_size[:, :1] * cell + start[:, :1])[:, None, :, None, None, None]
        + offset_x[..., None, None]
        + (bin_size[:, 0] / samples)[:, None, None, None, None, None] * sample
    )
    h = (
        (bin_size[:, 1:] * cell + start[:, 1:])[:, :, None, None, None, None]
        + offset_y[..., None, None]
        + (bin_size[:, 1] / samples)[:, None, None, None, None, None] * sample[:, None]
    )
    w_limit = ops.cast(width, x.dtype) - 0.5
    h_limit = ops.cast(height, x.dtype) - 0.5
    inside = (w >= -0.5) & (w <= w_limit) & (h >= -0.5) & (h <= h_limit)
    w = ops.clip(ops.where(inside, w, 0.0), 0.0, w_limit - 0.5)
    h = ops.clip(ops.where(inside, h, 0.0), 0.0, h_limit - 0.5)

    group = np.minimum(cell * group_size // size, group_size - 1)
    channel = (np.arange(output_dim) * group_size + group[:, None, None]) * group_size + group[:, None]
    channel = channel[None, :, :, :, None, None].astype("int32")
    image = ops.cast(rois[:, 0], "int32")[:, None, None, None, None, None]
    flat = ops.reshape(x, (batch * height * width * channels,))
    left, top = (ops.stop_gradient(ops.floor(t)) for t in (w, h))
    right, bottom = (ops.stop_gradient(ops.ceil(t)) for t in (w, h))
    value = 0.0
    for row, weight_y in ((top, 1.0 - (h - top)), (bottom, h - top)):
        for column, weight_x in ((left, 1.0 - (w - left)), (right, w - left)):
            pixel = (image * height + ops.cast(row, "int32")) * width + ops.cast(column, "int32")
            value += weight_y * weight_x * ops.take(flat, pixel * channels + channel, axis=0)
    total = ops.sum(ops.where(inside, value, 0.0), axis=(4, 5))
    count = ops.sum(ops.cast(inside, x.dtype), axis=(4, 5))
    output = total / ops.maximum(count, 1.0)
    if options.data_format == "channels_first":
        output = ops.transpose(output, (0, 3, 1, 2))
    return ops.cast(output, dtype)


def _round_half_away(value: Tensor) -> Tensor:
    """C's round(); `ops.round` rounds halves to even."""
    return ops.sign(value) * ops.floor(ops.abs(value) + 0.5)


def _bin_offsets(
    trans: Tensor | None, extent: Tensor, options: PsRoiOptions, output_dim: int
) -> tuple[Any, Any]:
    """How far every bin is moved, in pixels of x: two (N, P, P, output_dim), or broadcastable zeros."""
    if trans is None:
        zero = ops.zeros((1, 1, 1, 1), dtype=extent.dtype)
        return zero, zero
    trans = in_compute_dtype(trans)
    if options.data_format == "channels_first":
        trans = ops.transpose(trans, (0, 2, 3, 1))
    classes = trans.shape[3] // 2
    part = np.arange(options.pooled_size) * options.part_size // options.pooled_size
    of_class = np.arange(output_dim) // (output_dim // classes)
    bins = ops.take(ops.take(trans, part, axis=1), part, axis=2) * options.trans_std
    scale = extent[:, None, None, None, :]
    return (
        ops.take(bins, 2 * of_class, axis=3) * scale[..., 0],
        ops.take(bins, 2 * of_class + 1, axis=3) * scale[..., 1],
    )
