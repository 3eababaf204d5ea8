"""Checkpoints of HGCN's release."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.graph_layers import (
    block_assignments,
    convolution_assignments,
    count_numbered,
    joints_of_edges,
)

if TYPE_CHECKING:
    from tf_pose3d.models.hgcn.family import HGCNConfig
    from tf_pose3d.models.hgcn.model import HGCN

__all__ = ["HGCNConverter"]


class HGCNConverter(Converter["HGCNConfig"]):
    """Of HGCN's release."""

    arch = "HGCN"
    telling_tensor = "gconv_input.0.gconv.e_0"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return {self.telling_tensor, "gconv_input.0.gconv.W"} <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        return {
            "NUM_KEYPOINTS": joints_of_edges(checkpoint, "gconv_input.0.gconv.e_1", self_loops=False),
            "HID_DIM": checkpoint.tensors["gconv_input.0.gconv.W"].shape[-1],
            "NUM_LAYERS": count_numbered(checkpoint, "gconv_layers.", ".gconv1.gconv.W"),
        }

    def assignments(self, model: HGCN, config: HGCNConfig) -> Iterator[Assignment]:
        yield from block_assignments(model.gconv_input, "gconv_input.0")
        for index, block in enumerate(model.gconv_layers):
            yield from block_assignments(block, f"gconv_layers.{index // 2}.gconv{index % 2 + 1}")
        yield from convolution_assignments(model.gconv_output, "gconv_output")
