"""Deformable convolution in plain `keras.ops`: any backend, differentiable by its own autodiff.

It serves where no compiled library is to be had and inside XLA. It is also what the compiled kernels are
tested against, so it is written to be read. Arguments are in normal form here: `deform_conv2d` of
`operation.py` checks and normalises them.
"""

from __future__ import annotations

import numpy as np
from keras import ops

from tf_pose3d.ops.arguments import in_compute_dtype
from tf_pose3d.ops.deform_conv.options import ConvOptions
from tf_pose3d.types import Tensor


def deform_conv2d(
    x: Tensor, offset: Tensor, weight: Tensor, mask: Tensor | None, bias: Tensor | None, options: ConvOptions
) -> Tensor:
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
        None if t is None else in_compute_dtype(t) for t in (x, offset, weight, mask, bias)
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

    # Groups and taps share an axis, as exporters' slices and products end at five.
    samples = deformable_groups * taps
    shift = ops.reshape(offset, (batch, out_height, out_width, samples, 2))
    kernel = (kernel_height, kernel_width)
    rows = _tap_positions(options, 0, height, out_height, kernel, x.dtype)
    cols = _tap_positions(options, 1, width, out_width, kernel, x.dtype)
    sample_y = shift[..., 0] + ops.tile(rows, (1, deformable_groups))[:, None, :]
    sample_x = shift[..., 1] + ops.tile(cols, (1, deformable_groups))

    planes = ops.reshape(x, (batch, height * width, deformable_groups, channels // deformable_groups))
    table = ops.reshape(
        ops.transpose(planes, (0, 2, 1, 3)),
        (batch * deformable_groups * height * width, channels // deformable_groups),
    )
    first_row = ops.arange(batch * deformable_groups, dtype="int32") * (height * width)
    first_row = ops.reshape(ops.repeat(first_row, taps), (batch, 1, 1, samples))
    columns = _bilinear(table, first_row, sample_y, sample_x, height, width)
    if mask is not None:
        columns *= ops.reshape(mask, (batch, out_height, out_width, samples, 1))

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


def _tap_positions(
    options: ConvOptions, axis: int, size: Tensor, out_size: Tensor, kernel: tuple[int, int], dtype: Tensor
) -> Tensor:
    """Where the taps of an undeformed kernel lie along one axis: (output positions, taps)."""
    before, _ = options.pads(size, kernel[axis], axis)
    start = ops.arange(out_size, dtype="int32") * options.strides[axis] - before
    tap = np.indices(kernel)[axis].reshape(-1).astype("int32") * options.dilation[axis]
    return ops.cast(start[:, None] + tap, dtype)


def _bilinear(
    table: Tensor, first_row: Tensor, y: Tensor, x: Tensor, height: Tensor, width: Tensor
) -> Tensor:
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
