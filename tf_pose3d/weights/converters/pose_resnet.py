"""Checkpoints of PoseResNet: of DenseWarper's backbone training, and of the releases that it starts from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.pose_resnet.config import BLOCKS_PER_STAGE, has_bottlenecks
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weight_files.pytorch import read_pytorch_checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.graph_layers import count_numbered, norm_assignments

if TYPE_CHECKING:
    from tf_pose3d.layers.residual import BasicBlock, BottleneckBlock, NormedConvolution
    from tf_pose3d.models.pose_resnet.config import PoseResNetConfig
    from tf_pose3d.models.pose_resnet.model import PoseResNet

__all__ = [
    "PoseResNetConverter",
    "backbone_assignments",
    "backbone_values",
    "block_assignments",
    "convolution_kernel",
    "encoder_assignments",
    "joint_layout",
    "read_backbone",
]

# Heat maps -> layout. A checkpoint does not tell layouts of 17 joints apart: this is the release's.
_LAYOUTS = {20: "union_20", 17: "mpi_inf_3dhp_17"}


def convolution_kernel(kernel: np.ndarray) -> np.ndarray:
    """PyTorch's `(out, in, h, w)` as `(h, w, in, out)`; of transposed convolutions, whose first two axes are
    the other way round in both, too."""
    return kernel.transpose(2, 3, 1, 0)


def _normed_assignments(layer: NormedConvolution, kernel: str, norm: str) -> Iterator[Assignment]:
    yield Assignment(layer.convolution.kernel, (f"{kernel}.weight",), convolution_kernel)
    yield from norm_assignments(layer.norm, norm)


def block_assignments(block: BasicBlock | BottleneckBlock, prefix: str) -> Iterator[Assignment]:
    """Of a residual block."""
    for number, layer in enumerate(block.chain, start=1):
        yield from _normed_assignments(layer, f"{prefix}.conv{number}", f"{prefix}.bn{number}")
    if block.shortcut is not None:
        yield from _normed_assignments(block.shortcut, f"{prefix}.downsample.0", f"{prefix}.downsample.1")


def encoder_assignments(model: PoseResNet, prefix: str) -> Iterator[Assignment]:
    """Of the residual network without the deconvolutions."""
    yield from _normed_assignments(model.stem, f"{prefix}conv1", f"{prefix}bn1")
    for stage, blocks in enumerate(model.stages, start=1):
        for index, block in enumerate(blocks):
            yield from block_assignments(block, f"{prefix}layer{stage}.{index}")


def backbone_assignments(model: PoseResNet, prefix: str) -> Iterator[Assignment]:
    """Of a whole PoseResNet whose tensors' names begin with `prefix`."""
    yield from encoder_assignments(model, prefix)
    # Each deconvolution, its normalisation and a ReLU lie in one container.
    for index, (layer, norm) in enumerate(zip(model.deconvolutions, model.deconvolution_norms, strict=True)):
        place = f"{prefix}deconv_layers.{3 * index}"
        yield Assignment(layer.kernel, (f"{place}.weight",), convolution_kernel)
        if layer.use_bias:
            yield Assignment(layer.bias, (f"{place}.bias",))
        yield from norm_assignments(norm, f"{prefix}deconv_layers.{3 * index + 1}")
    yield Assignment(model.final.kernel, (f"{prefix}final_layer.weight",), convolution_kernel)
    yield Assignment(model.final.bias, (f"{prefix}final_layer.bias",))


def joint_layout(checkpoint: Checkpoint, name: str) -> str:
    """The layout of as many joints as a tensor has outputs.

    Raises:
        Pose3DError: There is none.
    """
    joints = len(checkpoint.tensors[name])
    if joints not in _LAYOUTS:
        expected = " or ".join(f"{count} ({layout})" for count, layout in _LAYOUTS.items())
        raise Pose3DError(f"{checkpoint.source}: {name} makes {joints} heat maps, expected {expected}")
    return _LAYOUTS[joints]


def backbone_values(checkpoint: Checkpoint, prefix: str) -> dict[str, Any]:
    """Config keys of the network that names and shapes decide, joints aside.

    Raises:
        Pose3DError: No known depth.
    """
    tensors = checkpoint.tensors
    counts = tuple(
        count_numbered(checkpoint, f"{prefix}layer{stage}.", ".conv1.weight") for stage in range(1, 5)
    )
    bottlenecks = f"{prefix}layer1.0.conv3.weight" in tensors
    depths = [
        depth
        for depth, blocks in BLOCKS_PER_STAGE.items()
        if blocks == counts and has_bottlenecks(depth) == bottlenecks
    ]
    if not depths:
        kind = "bottleneck" if bottlenecks else "basic"
        raise Pose3DError(
            f"{checkpoint.source}: stages of {', '.join(map(str, counts))} {kind} blocks are no ResNet of "
            f"{', '.join(map(str, BLOCKS_PER_STAGE))} layers"
        )
    deconvolutions = [
        name
        for name in (f"{prefix}deconv_layers.{3 * index}.weight" for index in range(3))
        if name in tensors
    ]
    return {
        "NUM_LAYERS": depths[0],
        "STAGE_CHANNELS": [len(tensors[f"{prefix}layer{stage}.0.conv1.weight"]) for stage in range(1, 5)],
        "NUM_DECONV_FILTERS": [tensors[name].shape[1] for name in deconvolutions],
        "DECONV_WITH_BIAS": f"{prefix}deconv_layers.0.bias" in tensors,
        "FINAL_CONV_KERNEL": tensors[f"{prefix}final_layer.weight"].shape[-1],
    }


def read_backbone(path: str | os.PathLike) -> Checkpoint:
    """A PyTorch checkpoint of PoseResNet.

    The release trains it inside a container: a `resnet.` before all names is taken off.

    Raises:
        Pose3DError: Not such a file.
    """
    held = read_pytorch_checkpoint(path)
    if not all(name.startswith("resnet.") for name in held.tensors):
        return held
    tensors = {name.removeprefix("resnet."): array for name, array in held.tensors.items()}
    return dataclasses.replace(held, tensors=tensors)


class PoseResNetConverter(Converter["PoseResNetConfig"]):
    """Of PoseResNet's release and of DenseWarper's backbone training.

    The layout of heat maps for 17 joints is taken to be MPI-INF-3DHP's, as in the release, unless JOINTS says
    otherwise.
    """

    arch = "PoseResNet"
    telling_tensor = "deconv_layers.0.weight"

    def read(self, path: str | os.PathLike) -> Checkpoint:
        return read_backbone(path)

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return {"conv1.weight", self.telling_tensor, "final_layer.weight"} <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        return backbone_values(checkpoint, "")

    def suggested_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        layout = joint_layout(checkpoint, "final_layer.weight")
        return {"JOINTS": layout, **({} if layout == "union_20" else {"DATASET": "multiview_3dhp"})}

    def assignments(self, model: PoseResNet, config: PoseResNetConfig) -> Iterator[Assignment]:
        yield from backbone_assignments(model, "")
