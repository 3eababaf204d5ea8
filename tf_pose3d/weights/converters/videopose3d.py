"""Checkpoints of VideoPose3D's release."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.temporal_layers import (
    dense_filter_widths,
    kernel_widths,
    network_assignments,
    skeleton_of_joints,
)

if TYPE_CHECKING:
    from tf_pose3d.models.videopose3d.config import VideoPose3DConfig
    from tf_pose3d.models.videopose3d.model import VideoPose3D

__all__ = ["VideoPose3DConverter"]


class VideoPose3DConverter(Converter):
    """See the base class.

    Weights do not tell whether the training was causal: give `causal=True` where it was.
    """

    arch = "VideoPose3D"
    telling_tensor = "expand_conv.weight"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return {self.telling_tensor, "expand_bn.weight", "shrink.weight"} <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        tensors = checkpoint.tensors
        widths = kernel_widths(checkpoint)
        channels, inputs = tensors[self.telling_tensor].shape[:2]
        skeleton = skeleton_of_joints(checkpoint, inputs, self.telling_tensor)
        outputs = tensors["shrink.weight"].shape[0]
        if outputs != 3 * (inputs // 2):
            raise Pose3DError(
                f"{checkpoint.source}: shrink.weight gives {outputs} numbers, expected "
                f"{3 * (inputs // 2)} for {inputs // 2} joints (a trajectory network gives 3)"
            )
        dense = dense_filter_widths(widths)
        return {
            "SKELETON": skeleton,
            "FILTER_WIDTHS": dense or widths,
            "CHANNELS": channels,
            "DENSE": dense is not None,
        }

    def assignments(self, model: VideoPose3D, config: VideoPose3DConfig) -> Iterator[Assignment]:
        yield from network_assignments(model.network)
