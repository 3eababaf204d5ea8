"""Checkpoints of DenseWarper's release."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.graph_layers import count_numbered
from tf_pose3d.weights.converters.pose_resnet import (
    backbone_assignments,
    backbone_values,
    block_assignments,
    convolution_kernel,
    joint_layout,
)

if TYPE_CHECKING:
    from tf_pose3d.models.densewarper.config import DenseWarperConfig
    from tf_pose3d.models.densewarper.model import DenseWarper

__all__ = ["DenseWarperConverter"]

_BACKBONE = "resnet."
# A warper for each of 4 x 4 pairs of views is made; one for each pair of different views is used.
_WARPERS, _USED_WARPERS = 16, 12
_NUMBERED_WARPER = re.compile(r"warp\.(\d+)\.")


class DenseWarperConverter(Converter["DenseWarperConfig"]):
    """Of DenseWarper's release.

    Reads the released state dict and the checkpoints of the release's own training. Of their 16 warpers the
    first 12 are used, in order of view and frame; the others, which no forward pass reaches, are left out.
    """

    arch = "DenseWarper"
    telling_tensor = "warp.0.offsets1.weight"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        wanted = {self.telling_tensor, f"{_BACKBONE}conv1.weight", f"{_BACKBONE}final_layer.weight"}
        return wanted <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        warpers = count_numbered(checkpoint, "warp.", ".offsets1.weight")
        if warpers != _WARPERS:
            raise Pose3DError(
                f"{checkpoint.source} holds {warpers} warpers, expected {_WARPERS}: those of four views"
            )
        return {
            **backbone_values(checkpoint, _BACKBONE),
            "JOINTS": joint_layout(checkpoint, f"{_BACKBONE}final_layer.weight"),
            "WARPER_CHANNELS": len(checkpoint.tensors["warp.0.offset_feats.0.conv1.weight"]),
            "WARPER_BLOCKS": count_numbered(checkpoint, "warp.0.offset_feats.", ".conv1.weight"),
            "PATTERN": [0, 1, 2, 3],
        }

    def suggested_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        if joint_layout(checkpoint, f"{_BACKBONE}final_layer.weight") == "union_20":
            return {}
        return {
            "DATASET": "multiview_3dhp",
            "SELECTED_CAMS": [0, 2, 7, 8],
            "DATASET_TRAIN_3D_SUBSAMPLE_STEP": 6,
            "DATASET_VAL_3D_SUBSAMPLE_STEP": 5,
            "DATASET_TEST_3D_SUBSAMPLE_STEP": 5,
        }

    def notes(self, checkpoint: Checkpoint, config: DenseWarperConfig, given: Collection[str]) -> list[str]:
        return [f"of the checkpoint's {_WARPERS} warpers the first {_USED_WARPERS} are used, and converted"]

    def ignores(self, name: str) -> bool:
        """Also the constants of the loss, and the warpers that are never used."""
        number = _NUMBERED_WARPER.match(name)
        idle = number is not None and int(number[1]) >= _USED_WARPERS
        return super().ignores(name) or idle or name.startswith("smooth2dloss.")

    def assignments(self, model: DenseWarper, config: DenseWarperConfig) -> Iterator[Assignment]:
        yield from backbone_assignments(model.backbone, _BACKBONE)
        for number, warper in enumerate(model.warpers):
            prefix = f"warp.{number}"
            for index, block in enumerate(warper.blocks):
                yield from block_assignments(block, f"{prefix}.offset_feats.{index}")
            layers = zip(warper.offsets, warper.deformations, strict=True)
            for index, (offsets, deformation) in enumerate(layers, start=1):
                yield Assignment(offsets.kernel, (f"{prefix}.offsets{index}.weight",), convolution_kernel)
                yield Assignment(
                    deformation.kernel, (f"{prefix}.deform_conv{index}.weight",), convolution_kernel
                )
