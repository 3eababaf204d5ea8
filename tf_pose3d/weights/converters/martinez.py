"""Checkpoints of Martinez's network in SemGCN's release."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.graph_layers import count_numbered, dense_assignments, norm_assignments

if TYPE_CHECKING:
    from tf_pose3d.models.martinez.family import MartinezConfig
    from tf_pose3d.models.martinez.model import LinearBlock, MartinezNet

__all__ = ["MartinezConverter"]


def _block_assignments(block: LinearBlock, dense: str, norm: str) -> Iterator[Assignment]:
    yield from dense_assignments(block.dense.kernel, block.dense.bias, dense)
    yield from norm_assignments(block.norm, norm)


class MartinezConverter(Converter["MartinezConfig"]):
    """Of SemGCN's release, which trains this network, too."""

    arch = "Martinez"
    telling_tensor = "linear_stages.0.w1.weight"

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return {self.telling_tensor, "w1.weight", "w2.weight"} <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        width, inputs = checkpoint.tensors["w1.weight"].shape
        outputs = checkpoint.tensors["w2.weight"].shape[0]
        if outputs % 3 or inputs != 2 * (outputs // 3 + 1):
            raise Pose3DError(
                f"{checkpoint.source}: {inputs} inputs and {outputs} outputs, expected 2 numbers for each of "
                "J joints and 3 for each but the hip"
            )
        return {
            "NUM_KEYPOINTS": inputs // 2,
            "HID_DIM": width,
            "NUM_LAYERS": count_numbered(checkpoint, "linear_stages.", ".w1.weight"),
        }

    def assignments(self, model: MartinezNet, config: MartinezConfig) -> Iterator[Assignment]:
        yield from _block_assignments(model.input_block, "w1", "batch_norm1")
        for index, block in enumerate(model.stage_blocks):
            stage, half = f"linear_stages.{index // 2}", index % 2 + 1
            yield from _block_assignments(block, f"{stage}.w{half}", f"{stage}.batch_norm{half}")
        yield from dense_assignments(model.output_layer.kernel, model.output_layer.bias, "w2")
