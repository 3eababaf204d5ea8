"""Checks of arguments that the deformable operations share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Parsed, Tensor

Shape = Sequence[int | None]

FLOAT_TYPES = ("float32", "float64", "float16", "bfloat16")
_DATA_FORMATS = {
    "channels_last": "channels_last",
    "channels_first": "channels_first",
    "NHWC": "channels_last",
    "NCHW": "channels_first",
}


def positive_int(name: str, value: Parsed) -> int:
    """`value` as a positive int. Raises Pose3DError naming the argument."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < 1:
        raise Pose3DError(f"{name}: expected a positive integer, got {value!r}")
    return value.__index__()


def positive_pair(name: str, value: Parsed) -> tuple[int, int]:
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


def static_shape(name: str, tensor: Tensor, rank: int) -> tuple[int | None, ...]:
    """The shape of a tensor, None where unknown. Raises Pose3DError unless it has `rank` axes."""
    shape = tensor.shape
    if getattr(shape, "rank", 0) is None or len(shape) != rank:
        raise Pose3DError(f"{name}: expected {rank} axes, got shape {shape}")
    return tuple(shape)


def channels_last(shape: Shape, data_format: str) -> tuple[int | None, ...]:
    """A shape of four axes with its channels at the end, whichever data format it is in."""
    if data_format == "channels_first":
        return shape[0], shape[2], shape[3], shape[1]
    return tuple(shape)


def in_compute_dtype(tensor: Tensor) -> Tensor:
    """Half types are computed in float32, as the compiled kernels do."""
    half = keras.backend.standardize_dtype(tensor.dtype) in ("float16", "bfloat16")
    return keras.ops.cast(tensor, "float32") if half else keras.ops.convert_to_tensor(tensor)
