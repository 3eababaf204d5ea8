"""Assignments for the layers that the temporal convolution families' checkpoints have in common."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment
from tf_pose3d.weights.converters.graph_layers import count_numbered, dense_assignments, norm_assignments

if TYPE_CHECKING:
    from tf_pose3d.layers.fully_connected import FullyConnectedBlock
    from tf_pose3d.layers.normed_linear import NormedLinear
    from tf_pose3d.layers.temporal_convolution import TemporalNetwork

__all__ = [
    "body_part_values",
    "dense_filter_widths",
    "fully_connected_assignments",
    "kernel_widths",
    "linear_assignments",
    "network_assignments",
    "skeleton_of_joints",
]

_LAYOUTS = {17: "h36m_17", 15: "humaneva_15"}


def skeleton_of_joints(checkpoint: Checkpoint, numbers: int, name: str) -> str:
    """The joint layout of a tensor that reads two numbers a joint.

    Raises:
        Pose3DError: No layout of these families has so many joints.
    """
    joints, odd = divmod(numbers, 2)
    if odd or joints not in _LAYOUTS:
        raise Pose3DError(
            f"{checkpoint.source}: {name} reads {numbers} numbers a frame, expected x and y of 17 joints "
            "(Human3.6M) or 15 (HumanEva-I)"
        )
    return _LAYOUTS[joints]


def kernel_widths(checkpoint: Checkpoint, prefix: str = "") -> list[int]:
    """Widths of a temporal network's convolutions, read off its kernels.

    Raises:
        Pose3DError: Kernels of another shape.
    """
    tensors = checkpoint.tensors
    names = [f"{prefix}expand_conv.weight"]
    blocks = count_numbered(checkpoint, f"{prefix}layers_conv.", ".weight") // 2
    names += [f"{prefix}layers_conv.{2 * block}.weight" for block in range(blocks)]
    for name in names:
        if name not in tensors or tensors[name].ndim != 3 or tensors[name].shape[2] % 2 == 0:
            shape = tensors[name].shape if name in tensors else "no shape"
            raise Pose3DError(f"{checkpoint.source}: {name} has {shape}, expected a convolution of odd width")
    return [tensors[name].shape[2] for name in names]


def dense_filter_widths(widths: list[int]) -> list[int] | None:
    """The filter widths whose dense kernels have these widths; None where they are no such."""
    plain = [widths[0]]
    for width in widths[1:]:
        reach, rest = divmod(width - 1, math.prod(plain))
        if rest:
            return None
        plain.append(reach + 1)
    dense = len(set(plain)) == 1 and plain != widths and len(widths) > 2
    return plain if dense else None


def _kernel(array: np.ndarray) -> np.ndarray:
    """`(D, C, w)` as `(w C, D)`; `(D, C)` as `(C, D)`."""
    if array.ndim == 2:
        return array.T
    return np.transpose(array, (2, 1, 0)).reshape(-1, len(array))


def linear_assignments(layer: NormedLinear, linear: str, norm: str) -> Iterator[Assignment]:
    """Of a linear layer or a convolution and the normalisation behind it."""
    yield Assignment(layer.kernel, (f"{linear}.weight",), _kernel)
    if layer.bias is not None:
        yield Assignment(layer.bias, (f"{linear}.bias",))
    yield from norm_assignments(layer.norm, norm)


def network_assignments(network: TemporalNetwork, prefix: str = "") -> Iterator[Assignment]:
    """Of a temporal network."""
    yield from linear_assignments(network.expand, f"{prefix}expand_conv", f"{prefix}expand_bn")
    for index, layer in enumerate(layer for block in network.blocks for layer in block):
        yield from linear_assignments(layer, f"{prefix}layers_conv.{index}", f"{prefix}layers_bn.{index}")
    yield from dense_assignments(network.shrink.kernel, network.shrink.bias, f"{prefix}shrink")


def fully_connected_assignments(block: FullyConnectedBlock, prefix: str) -> Iterator[Assignment]:
    """Of RIE's fully connected block."""
    yield from linear_assignments(block.first, f"{prefix}.fc_1", f"{prefix}.bn_1")
    for index, pair in enumerate(block.pairs):
        for half, layer in enumerate(pair, start=1):
            place = f"{prefix}.layers.{index}"
            yield from linear_assignments(layer, f"{place}.w{half}", f"{place}.batch_norm{half}")
    yield from dense_assignments(block.last.kernel, block.last.bias, f"{prefix}.fc_2")


def body_part_values(checkpoint: Checkpoint) -> dict[str, Any]:
    """Config keys that RIE's encoders decide."""
    tensors = checkpoint.tensors
    hidden, inputs = tensors["GlobalInfo.fc_1.weight"].shape
    local = "LocalLayer_Torso."
    return {
        "SKELETON": skeleton_of_joints(checkpoint, inputs, "GlobalInfo.fc_1.weight"),
        "FILTER_WIDTHS": kernel_widths(checkpoint, local),
        "CHANNELS": tensors[f"{local}expand_conv.weight"].shape[0],
        "LATENT_FEATURES": tensors[f"{local}shrink.weight"].shape[0],
        "HIDDEN_FEATURES": hidden,
    }
