"""Checkpoints of HOIF-Net's release."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.graph_layers import (
    block_assignments,
    convolution_assignments,
    joints_of_edges,
)

if TYPE_CHECKING:
    from tf_pose3d.models.hoif.family import HOIFNetConfig
    from tf_pose3d.models.hoif.model import HOIFNet

__all__ = ["HOIFNetConverter"]


class HOIFNetConverter(Converter["HOIFNetConfig"]):
    """Of HOIF-Net's release."""

    arch = "HOIFNet"
    telling_tensor = "gconv_layers.gconv1.gconv.W"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return {self.telling_tensor, "gconv_input.gconv.W"} <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        return {
            "NUM_KEYPOINTS": joints_of_edges(checkpoint, "gconv_input.gconv.e_1", self_loops=False),
            "HID_DIM": checkpoint.tensors["gconv_input.gconv.W"].shape[-1],
        }

    def assignments(self, model: HOIFNet, config: HOIFNetConfig) -> Iterator[Assignment]:
        from tf_pose3d.models.hoif.model import IDLE_BLOCKS, RUN_BLOCKS

        yield from block_assignments(model.gconv_input, "gconv_input")
        for block, number in zip(model.gconv_layers, RUN_BLOCKS + IDLE_BLOCKS, strict=True):
            yield from block_assignments(block, f"gconv_layers.gconv{number}")
        yield from convolution_assignments(model.gconv_output, "gconv_output")
