"""The deformable operations in plain `keras.ops`: any backend, differentiable by its own autodiff.

These serve where no compiled library is to be had and inside XLA. They are also what the compiled
kernels are tested against, so they are written to be read. Arguments are in normal form here: the
public functions of `tf_pose3d.ops` check and normalise them.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from tf_pose3d.ops.arguments import ConvOptions, PsRoiOptions


def deform_conv2d(
    x: Any, offset: Any, weight: Any, mask: Any | None, bias: Any | None, options: ConvOptions
) -> Any:
    """Deformable convolution (Dai et al. 2017; with `mask` Zhu et al. 2019).

    Args:
        x: (B, H, W, C), or (B, C, H, W) when `options.data_format` is "channels_first".
        offset: (B, Ho, Wo, 2 D Kh Kw) in pixels: for each of D deformable groups and each kernel tap the
            pair (dy, dx).
        weight: (Kh, Kw, C / groups, F) in either data format.
        mask: (B, Ho, Wo, D Kh Kw) or None.
        bias: (F,) or None.
        options: attributes in normal form.

    Returns:
        (B, Ho, Wo, F) in the data format of x and its dtype.
    """
    dtype = x.dtype
    x, offset, weight, mask, bias = (
        None if t is None else _in_compute_dtype(t) for t in (x, offset, weight, mask, bias)
    )
    if options.data_format == "channels_first":
        x, offset, mask = (None if t is None else ops.transpose(t, (0, 2, 3, 1)) for t in (x, offset, mask))
    kernel_height, kernel_width, group_channels, filters = weight.shape
    taps = kernel_height * kernel_width
    groups, deformable_groups = options.groups, options.deformable_groups
    channels = groups * group_channels
    batch, height, width, _ = ops.shape(x)
    _, out_height, out_width, _ = ops.shape(offset)
    pixels = out_height * out_width

    shift = ops.reshape(offset, (batch, out_height, out_width, deformable_groups, taps, 2))
    kernel = (kernel_height, kernel_width)
    rows = _tap_positions(options, 0, height, out_height, kernel, x.dtype)
    cols = _tap_positions(options, 1, width, out_width, kernel, x.dtype)
    sample_y = shift[..., 0] + rows[:, None, None, :]
    sample_x = shift[..., 1] + cols[:, None, :]

    planes = ops.reshape(x, (batch, height * width, deformable_groups, channels // deformable_groups))
    table = ops.reshape(
        ops.transpose(planes, (0, 2, 1, 3)),
        (batch * deformable_groups * height * width, channels // deformable_groups),
    )
    first_row = ops.arange(batch * deformable_groups, dtype="int32") * (height * width)
    first_row = ops.reshape(first_row, (batch, 1, 1, deformable_groups, 1))
    columns = _bilinear(table, first_row, sample_y, sample_x, height, width)
    if mask is not None:
        columns *= ops.reshape(mask, (batch, out_height, out_width, deformable_groups, taps, 1))

    columns = ops.reshape(columns, (batch * pixels, deformable_groups, taps, channels // deformable_groups))
    columns = ops.reshape(
        ops.transpose(columns, (0, 2, 1, 3)), (batch * pixels, taps, groups, group_channels)
    )
    columns = ops.reshape(
        ops.transpose(columns, (2, 0, 1, 3)), (groups, batch * pixels, taps * group_channels)
    )
    matrices = ops.reshape(weight, (taps * group_channels, groups, filters // groups))
    output = ops.matmul(columns, ops.transpose(matrices, (1, 0, 2)))
    output = ops.reshape(ops.transpose(output, (1, 0, 2)), (batch, out_height, out_width, filters))
    if bias is not None:
        output += bias
    if options.data_format == "channels_first":
        output = ops.transpose(output, (0, 3, 1, 2))
    return ops.cast(output, dtype)


def _in_compute_dtype(tensor: Any) -> Any:
    """Half types are computed in float32, as the compiled kernels do."""
    half = keras.backend.standardize_dtype(tensor.dtype) in ("float16", "bfloat16")
    return ops.cast(tensor, "float32") if half else ops.convert_to_tensor(tensor)


def _tap_positions(
    options: ConvOptions, axis: int, size: Any, out_size: Any, kernel: tuple[int, int], dtype: Any
) -> Any:
    """Where the taps of an undeformed kernel lie along one axis: (output positions, taps)."""
    before, _ = options.pads(size, kernel[axis], axis)
    start = ops.arange(out_size, dtype="int32") * options.strides[axis] - before
    tap = np.indices(kernel)[axis].reshape(-1).astype("int32") * options.dilation[axis]
    return ops.cast(start[:, None] + tap, dtype)


def _bilinear(table: Any, first_row: Any, y: Any, x: Any, height: Any, width: Any) -> Any:
    """Interpolate rows of `table`, an image of (height, width) from `first_row` on, at (y, x).

    Corners outside the image count as zero, and so does every position not inside
    -1 < y < height, -1 < x < width, NaN among them.
    """
    zero_row = ops.shape(table)[0]
    table = ops.concatenate([table, ops.zeros((1, table.shape[1]), dtype=table.dtype)])
    inside = (y > -1) & (y < height) & (x > -1) & (x < width)
    # Replaced before use, not masked afterwards: a NaN would survive multiplication by zero.
    y = ops.where(inside, y, -1.0)
    x = ops.where(inside, x, -1.0)
    top = ops.stop_gradient(ops.floor(y))
    left = ops.stop_gradient(ops.floor(x))
    result = 0.0
    for down, weight_y in ((0, 1.0 - (y - top)), (1, y - top)):
        for right, weight_x in ((0, 1.0 - (x - left)), (1, x - left)):
            row = ops.cast(top, "int32") + down
            column = ops.cast(left, "int32") + right
            exists = inside & (row >= 0) & (row < height) & (column >= 0) & (column < width)
            index = ops.where(exists, first_row + row * width + column, zero_row)
            result += (weight_y * weight_x)[..., None] * ops.take(table, index, axis=0)
    return result


def deform_psroi_pooling(x: Any, rois: Any, trans: Any | None, options: PsRoiOptions) -> Any:
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
    x = _in_compute_dtype(x)
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


def _round_half_away(value: Any) -> Any:
    """C's round(); `ops.round` rounds halves to even."""
    return ops.sign(value) * ops.floor(ops.abs(value) + 0.5)


def _bin_offsets(trans: Any | None, extent: Any, options: PsRoiOptions, output_dim: int) -> tuple[Any, Any]:
    """How far every bin is moved, in pixels of x: two (N, P, P, output_dim), or broadcastable zeros."""
    if trans is None:
        zero = ops.zeros((1, 1, 1, 1), dtype=extent.dtype)
        return zero, zero
    trans = _in_compute_dtype(trans)
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
