"""Arguments of the deformable convolution: one normal form, and every shape rule in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops.arguments import Shape, channels_last, normal_data_format, positive_int, positive_pair
from tf_pose3d.types import Parsed, Tensor

Pads = tuple[tuple[int, int], tuple[int, int]]


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

    def pads(self, size: Tensor, kernel: int, axis: int) -> tuple[Any, Any]:
        """Zeros before and after an axis of `size`. "same" splits them as TensorFlow's convolutions do."""
        if self.padding == "valid":
            return 0, 0
        if isinstance(self.padding, tuple):
            return self.padding[axis]
        extent = self.dilation[axis] * (kernel - 1) + 1
        stride = self.strides[axis]
        # With stride 1 the padding does not depend on the size, which may then be unknown.
        total = (
            extent - 1 if stride == 1 else _at_least_zero((-(-size // stride) - 1) * stride + extent - size)
        )
        return total // 2, total - total // 2


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
    batch, height, width, channels = channels_last(x, options.data_format)
    if None in weight:
        raise Pose3DError(f"weight: expected a fully known shape, got {tuple(weight)}")
    kernel_height, kernel_width, group_channels, filters = (size for size in weight if size is not None)
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
    rows = _output_size(options, "height", height, kernel_height, 0)
    columns = _output_size(options, "width", width, kernel_width, 1)
    taps = options.deformable_groups * kernel_height * kernel_width
    batch = _check_map("offset", offset, (batch, rows, columns, 2 * taps), options.data_format)
    if mask is not None:
        batch = _check_map("mask", mask, (batch, rows, columns, taps), options.data_format)
    if bias is not None and bias[0] not in (None, filters):
        raise Pose3DError(f"bias: expected {filters} values, one per output channel, got {bias[0]}")
    if options.data_format == "channels_first":
        return batch, filters, rows, columns
    return batch, rows, columns, filters


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
    batch, height, width, channels = channels_last(shape, data_format)
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


def _padding(value: Parsed) -> str | Pads:
    if isinstance(value, str):
        if value.lower() not in ("same", "valid"):
            raise Pose3DError(f'padding: expected "same", "valid" or numbers, got {value!r}')
        return value.lower()
    pair = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(pair) != 2:
        raise Pose3DError(f"padding: expected one number or two (height, width), got {value!r}")
    return _side_pads(pair[0]), _side_pads(pair[1])


def _side_pads(value: Parsed) -> tuple[int, int]:
    sides = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(sides) != 2 or any(isinstance(s, bool) or not hasattr(s, "__index__") for s in sides):
        raise Pose3DError(f"padding: expected an integer or (before, after) per axis, got {value!r}")
    before, after = (s.__index__() for s in sides)
    if before < 0 or after < 0:
        raise Pose3DError(f"padding: expected no negative number, got {value!r}")
    return before, after


def _at_least_zero(value: Parsed) -> Tensor:
    if isinstance(value, int):
        return max(value, 0)
    return keras.ops.maximum(value, 0)
