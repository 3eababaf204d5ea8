"""`deform_conv2d`: deformable convolution, version 1 and (with a mask) version 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from tf_pose3d.ops.arguments import check_dtypes, static_shape
from tf_pose3d.ops.deform_conv import compiled, reference
from tf_pose3d.ops.deform_conv.options import ConvOptions, check_conv_shapes
from tf_pose3d.types import Tensor


def deform_conv2d(
    x: Tensor,
    offset: Tensor,
    weight: Tensor,
    mask: Tensor | None = None,
    bias: Tensor | None = None,
    strides: int | Sequence[int] = 1,
    padding: str | int | Sequence[Any] = "valid",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    deformable_groups: int = 1,
    data_format: str | None = None,
) -> Tensor:
    """Convolve x with a kernel whose taps are moved, at every output pixel, by learned offsets.

    Tap (i, j) of output pixel (oy, ox) reads x at `(oy * stride - pad + i * dilation + dy, ...)` by bilinear
    interpolation. A tap contributes only where -1 < y < H and -1 < x < W; corners outside the image count
    as zero; so do taps whose offset is NaN or infinite, which have zero gradients too. Differentiable
    in x, offset, weight, mask and bias.

    Deformable convolution: Dai et al., ICCV 2017; with a mask ("modulated"): Zhu et al., CVPR 2019.

    Args:
        x: (B, H, W, C), or (B, C, H, W) when data_format is "channels_first"; float32, float64, float16 or
            bfloat16. Half types are computed in float32.
        offset: (B, Ho, Wo, 2 * deformable_groups * Kh * Kw), in pixels. Channels are ordered by deformable
            group, then kernel tap (row by row), then (dy, dx). Channels first: (B, 2 * ..., Ho, Wo).
        weight: (Kh, Kw, C / groups, F) in both data formats, as Keras stores kernels.
        mask: (B, Ho, Wo, deformable_groups * Kh * Kw), a factor for each tap, or None.
        bias: (F,) or None.
        strides: one number, or (height, width).
        padding: "same" or "valid" (as TensorFlow), a number, (height, width), or
            ((top, bottom), (left, right)).
        dilation: one number, or (height, width).
        groups: parts into which channels are split; each sees C / groups channels of x.
        deformable_groups: parts of the channels of x that have offsets of their own.
        data_format: "channels_last" ("NHWC") or "channels_first" ("NCHW"); None for Keras's default.

    Returns:
        (B, Ho, Wo, F), or (B, F, Ho, Wo), in the dtype of x.

    Raises:
        Pose3DError: an argument or a shape is wrong; the message names it. Sizes unknown while tracing
            are checked when the compiled operation runs, which raises `tf.errors.InvalidArgumentError`.
    """
    options = ConvOptions.make(
        strides, padding, dilation, groups, deformable_groups, data_format or keras.config.image_data_format()
    )
    x, offset, weight, mask, bias = (
        None if t is None else keras.ops.convert_to_tensor(t) for t in (x, offset, weight, mask, bias)
    )
    check_dtypes(x=x, offset=offset, weight=weight, mask=mask, bias=bias)
    check_conv_shapes(
        options,
        static_shape("x", x, 4),
        static_shape("offset", offset, 4),
        static_shape("weight", weight, 4),
        None if mask is None else static_shape("mask", mask, 4),
        None if bias is None else static_shape("bias", bias, 1),
    )
    if compiled.OPERATION.serves(x, offset, weight):
        return compiled.deform_conv2d(x, offset, weight, mask, bias, options)
    return reference.deform_conv2d(x, offset, weight, mask, bias, options)
