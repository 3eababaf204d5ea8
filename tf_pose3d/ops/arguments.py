"""Arguments of the deformable operations: one normal form, and every shape rule in one place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError

Shape = Sequence[int | None]
Pads = tuple[tuple[int, int], tuple[int, int]]

FLOAT_TYPES = ("float32", "float64", "float16", "bfloat16")
_DATA_FORMATS = {
    "channels_last": "channels_last",
    "channels_first": "channels_first",
    "NHWC": "channels_last",
    "NCHW": "channels_first",
}


@dataclass(frozen=True)
class ConvOptions:
    """Attributes of one deformable convolution in normal form.

    `padding` is "same", "valid" or ((top, bottom), (left, right)); `data_format` is "channels_last" or
    "channels_first".
    """

    strides: tuple[int, int]
    padding: str | Pads
    dilation: tuple[int, int]
    groups: int
    deformable_groups: int
    data_format: str

    @classmethod
    def make(
        cls,
        strides: int | Sequence[int],
        padding: str | int | Sequence[Any],
        dilation: int | Sequence[int],
        groups: int,
        deformable_groups: int,
        data_format: str,
    ) -> ConvOptions:
        """Normalise arguments as `deform_conv2d` takes them. Raises Pose3DError naming the bad one."""
        return cls(
            strides=positive_pair("strides", strides),
            padding=_padding(padding),
            dilation=positive_pair("dilation", dilation),
            groups=positive_int("groups", groups),
            deformable_groups=positive_int("deformable_groups", deformable_groups),
            data_format=normal_data_format(data_format),
        )

    def output_size(self, size: int, kernel: int, axis: int) -> int:
        """Output height (axis 0) or width (axis 1) for an input of `size`."""
        before, after = self.pads(size, kernel, axis)
        return (size + before + after - self.dilation[axis] * (kernel - 1) - 1) // self.strides[axis] + 1

    def pads(self, size: Any, kernel: int, axis: int) -> tuple[Any, Any]:
        """Zeros before and after an axis of `size`. "same" splits them as TensorFlow's convolutions do."""
        if self.padding == "valid":
            return 0, 0
        if self.padding != "same":
            return self.padding[axis]
        extent = self.dilation[axis] * (kernel - 1) + 1
        stride = self.strides[axis]
        # With stride 1 the padding does not depend on the size, which may then be unknown.
        total = (
            extent - 1 if stride == 1 else _at_least_zero((-(-size // stride) - 1) * stride + extent - size)
        )
        return total // 2, total - total // 2


@dataclass(frozen=True)
class PsRoiOptions:
    """Attributes of one deformable position-sensitive RoI pooling in normal form.

    Numbers are rounded to float32, in which TensorFlow keeps the attributes of an operation.
    """

    spatial_scale: float
    group_size: int
    pooled_size: int
    part_size: int
    sample_per_part: int
    trans_std: float
    data_format: str

    @classmethod
    def make(
        cls,
        spatial_scale: float,
        group_size: int,
        pooled_size: int,
        part_size: int | None,
        sample_per_part: int,
        trans_std: float,
        data_format: str,
    ) -> PsRoiOptions:
        """Normalise arguments as `deform_psroi_pooling` takes them. Raises Pose3DError naming the bad one."""
        if not math.isfinite(spatial_scale) or spatial_scale <= 0:
            raise Pose3DError(f"spatial_scale: expected a positive number, got {spatial_scale!r}")
        if not math.isfinite(trans_std) or trans_std < 0:
            raise Pose3DError(f"trans_std: expected a number not below 0, got {trans_std!r}")
        pooled_size = positive_int("pooled_size", pooled_size)
        return cls(
            spatial_scale=float(np.float32(spatial_scale)),
            group_size=positive_int("group_size", group_size),
            pooled_size=pooled_size,
            part_size=pooled_size if part_size is None else positive_int("part_size", part_size),
            sample_per_part=positive_int("sample_per_part", sample_per_part),
            trans_std=float(np.float32(trans_std)),
            data_format=normal_data_format(data_format),
        )


def positive_int(name: str, value: Any) -> int:
    """`value` as a positive int. Raises Pose3DError naming the argument."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < 1:
        raise Pose3DError(f"{name}: expected a positive integer, got {value!r}")
    return value.__index__()


def positive_pair(name: str, value: Any) -> tuple[int, int]:
    """`value`, or each of its two items, as positive ints. Raises Pose3DError naming the argument."""
    pair = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(pair) != 2:
        raise Pose3DError(f"{name}: expected an integer or two (height, width), got {value!r}")
    return positive_int(name, pair[0]), positive_int(name, pair[1])


def normal_data_format(value: str) -> str:
    """Keras's name of a data format. Raises Pose3DError for anything that is not one."""
    if value not in _DATA_FORMATS:
        raise Pose3DError(f"data_format: expected one of {', '.join(_DATA_FORMATS)}, got {value!r}")
    return _DATA_FORMATS[value]


def check_dtypes(**tensors: Any) -> str:
    """The one floating type that all tensors share. Raises Pose3DError naming the first that differs."""
    import keras

    names = {
        name: keras.backend.standardize_dtype(tensor.dtype)
        for name, tensor in tensors.items()
        if tensor is not None
    }
    first, dtype = next(iter(names.items()))
    if dtype not in FLOAT_TYPES:
        raise Pose3DError(f"{first}: expected dtype {', '.join(FLOAT_TYPES)}, got {dtype}")
    for name, other in names.items():
        if other != dtype:
            raise Pose3DError(f"{name}: expected dtype {dtype} as {first} has, got {other}")
    return dtype


def static_shape(name: str, tensor: Any, rank: int) -> tuple[int | None, ...]:
    """The shape of a tensor, None where unknown. Raises Pose3DError unless it has `rank` axes."""
    shape = tensor.shape
    if getattr(shape, "rank", 0) is None or len(shape) != rank:
        raise Pose3DError(f"{name}: expected {rank} axes, got shape {shape}")
    return tuple(shape)


def check_conv_shapes(
    options: ConvOptions, x: Shape, offset: Shape, weight: Shape, mask: Shape | None, bias: Shape | None
) -> tuple[int | None, int | None, int | None, int | None]:
    """Check every shape rule of `deform_conv2d` that can be checked.

    Args:
        options: attributes of the convolution.
        x, offset, weight, mask, bias: shapes as `deform_conv2d` takes them, None for an unknown size.

    Returns:
        The shape of the output in the same data format.

    Raises:
        Pose3DError: a shape is wrong; the message names its argument.
    """
    batch, height, width, channels = _channels_last(x, options.data_format)
    kernel_height, kernel_width, group_channels, filters = weight
    if None in weight:
        raise Pose3DError(f"weight: expected a fully known shape, got {tuple(weight)}")
    if 0 in weight:
        raise Pose3DError(f"weight: expected no empty axis, got shape {tuple(weight)}")
    if filters % options.groups:
        raise Pose3DError(f"groups: {options.groups} does not divide the {filters} output channels of weight")
    if channels is None:
        raise Pose3DError(f"x: expected a known number of channels, got shape {tuple(x)}")
    if channels % options.groups:
        raise Pose3DError(f"groups: {options.groups} does not divide the {channels} channels of x")
    if channels != group_channels * options.groups:
        raise Pose3DError(
            f"weight: expected {channels // options.groups} input channels "
            f"({channels} of x over {options.groups} groups) on axis 2, got {group_channels}"
        )
    if channels % options.deformable_groups:
        raise Pose3DError(
            f"deformable_groups: {options.deformable_groups} does not divide the {channels} channels of x"
        )
    sizes = tuple(
        _output_size(options, name, size, kernel, axis)
        for name, size, kernel, axis in (
            ("height", height, kernel_height, 0),
            ("width", width, kernel_width, 1),
        )
    )
    taps = options.deformable_groups * kernel_height * kernel_width
    batch = _check_map("offset", offset, (batch, *sizes, 2 * taps), options.data_format)
    if mask is not None:
        batch = _check_map("mask", mask, (batch, *sizes, taps), options.data_format)
    if bias is not None and bias[0] not in (None, filters):
        raise Pose3DError(f"bias: expected {filters} values, one per output channel, got {bias[0]}")
    if options.data_format == "channels_first":
        return batch, filters, *sizes
    return batch, *sizes, filters


def check_psroi_shapes(options: PsRoiOptions, x: Shape, rois: Shape, trans: Shape | None) -> None:
    """Check every shape rule of `deform_psroi_pooling` that can be checked.

    Raises Pose3DError naming the argument that is wrong.
    """
    _, height, width, channels = _channels_last(x, options.data_format)
    parts = options.group_size**2
    if channels is None:
        raise Pose3DError(f"x: expected a known number of channels, got shape {tuple(x)}")
    if channels < 1 or channels % parts:
        raise Pose3DError(
            f"group_size: {options.group_size} squared does not divide the {channels} channels of x"
        )
    if 0 in (height, width):
        raise Pose3DError(f"x: expected no empty image, got shape {tuple(x)}")
    if rois[1] not in (None, 5):
        raise Pose3DError(f"rois: expected 5 values (image, x1, y1, x2, y2) per region, got {rois[1]}")
    if trans is None:
        return
    count, part_height, part_width, pairs = _channels_last(trans, options.data_format)
    if None not in (count, rois[0]) and count != rois[0]:
        raise Pose3DError(f"trans: expected {rois[0]} regions as rois has, got {count}")
    for axis, got in (("height", part_height), ("width", part_width)):
        if got not in (None, options.part_size):
            raise Pose3DError(f"trans: expected {axis} {options.part_size}, the part_size, got {got}")
    if pairs is None or pairs < 2 or pairs % 2 or (channels // parts) % (pairs // 2):
        raise Pose3DError(
            f"trans: expected 2 channels per class, the classes dividing the {channels // parts} output "
            f"channels, got {pairs} channels"
        )


def _output_size(options: ConvOptions, name: str, size: int | None, kernel: int, axis: int) -> int | None:
    if size is None:
        return None
    output = options.output_size(size, kernel, axis)
    if size < 1 or output < 1:
        raise Pose3DError(
            f"x: {name} {size} is too small for a kernel of {kernel} with dilation {options.dilation[axis]} "
            f"and padding {options.pads(size, kernel, axis)}: the output would have {name} {output}"
        )
    return output


def _check_map(name: str, shape: Shape, expected: Shape, data_format: str) -> int | None:
    """Compare a map with its expected channels-last shape; returns the batch size, known from either."""
    batch, height, width, channels = _channels_last(shape, data_format)
    if channels not in (None, expected[3]):
        per_tap = "2 x deformable_groups" if name == "offset" else "deformable_groups"
        raise Pose3DError(
            f"{name}: expected {expected[3]} channels ({per_tap} x kernel height x kernel width), "
            f"got {channels}"
        )
    for axis, got, right in (("height", height, expected[1]), ("width", width, expected[2])):
        if None not in (got, right) and got != right:
            raise Pose3DError(f"{name}: expected {axis} {right}, that of the output, got {got}")
    if None not in (batch, expected[0]) and batch != expected[0]:
        raise Pose3DError(f"{name}: expected batch size {expected[0]}, that of x, got {batch}")
    return batch if expected[0] is None else expected[0]


def _channels_last(shape: Shape, data_format: str) -> tuple[int | None, ...]:
    if data_format == "channels_first":
        return shape[0], shape[2], shape[3], shape[1]
    return tuple(shape)


def _padding(value: Any) -> str | Pads:
    if isinstance(value, str):
        if value.lower() not in ("same", "valid"):
            raise Pose3DError(f'padding: expected "same", "valid" or numbers, got {value!r}')
        return value.lower()
    pair = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(pair) != 2:
        raise Pose3DError(f"padding: expected one number or two (height, width), got {value!r}")
    return _side_pads(pair[0]), _side_pads(pair[1])


def _side_pads(value: Any) -> tuple[int, int]:
    sides = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(sides) != 2 or any(isinstance(s, bool) or not hasattr(s, "__index__") for s in sides):
        raise Pose3DError(f"padding: expected an integer or (before, after) per axis, got {value!r}")
    before, after = (s.__index__() for s in sides)
    if before < 0 or after < 0:
        raise Pose3DError(f"padding: expected no negative number, got {value!r}")
    return before, after


def _at_least_zero(value: Any) -> Any:
    if isinstance(value, int):
        return max(value, 0)
    import keras

    return keras.ops.maximum(value, 0)
