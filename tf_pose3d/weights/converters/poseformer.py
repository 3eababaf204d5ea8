"""Checkpoints of PoseFormer's release."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tf_pose3d.errors import Pose3DError
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.graph_layers import count_numbered, dense_assignments
from tf_pose3d.weights.converters.transformer_layers import block_assignments, layer_norm_assignments

if TYPE_CHECKING:
    from tf_pose3d.models.poseformer.config import PoseFormerConfig
    from tf_pose3d.models.poseformer.model import PoseFormer

__all__ = ["PoseFormerConverter"]

_SPATIAL, _TEMPORAL = "Spatial_blocks.", "blocks."
_LAYOUTS = {15: "humaneva_15", 16: "h36m_16", 17: "h36m_17", 20: "humaneva_20"}


class PoseFormerConverter(Converter["PoseFormerConfig"]):
    """Of PoseFormer's release. The number of heads (8 in the release) lies in no tensor's shape."""

    arch = "PoseFormer"
    telling_tensor = "Spatial_pos_embed"
    aliases: ClassVar[Mapping[str, str]] = {
        "EMBED_DIM_RATIO": "JOINT_DIM",
        "DEPTH": "LAYERS",
        "NUM_FRAME": "FRAMES",
    }

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return {self.telling_tensor, "Temporal_pos_embed"} <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        tensors, source = checkpoint.tensors, checkpoint.source
        hidden = f"{_SPATIAL}0.mlp.fc1.weight"
        if hidden not in tensors:
            raise Pose3DError(f"{source} lacks {hidden}, which a {self.arch} checkpoint holds")
        joints, width = tensors[self.telling_tensor].shape[1:]
        frames, frame_width = tensors["Temporal_pos_embed"].shape[1:]
        if joints not in _LAYOUTS or frame_width != joints * width:
            raise Pose3DError(
                f"{source}: {joints} joints of width {width} and frames of width {frame_width}, expected "
                f"{', '.join(map(str, _LAYOUTS))} joints and frames of their product"
            )
        depths = [count_numbered(checkpoint, part, ".mlp.fc1.weight") for part in (_SPATIAL, _TEMPORAL)]
        if depths[0] != depths[1]:
            raise Pose3DError(
                f"{source}: {depths[0]} spatial and {depths[1]} temporal blocks, expected equal"
            )
        return {
            "FRAMES": frames,
            "SKELETON": _LAYOUTS[joints],
            "JOINT_DIM": width,
            "LAYERS": depths[0],
            "MLP_RATIO": tensors[hidden].shape[0] / width,
            "QKV_BIAS": f"{_SPATIAL}0.attn.qkv.bias" in tensors,
        }

    def notes(self, checkpoint: Checkpoint, config: PoseFormerConfig, given: Collection[str]) -> list[str]:
        held = {"NUM_HEADS": f"attention heads, {config.NUM_HEADS} of them"}
        return [
            f"{checkpoint.source}: its tensors do not tell {key}: {text}, as in the release; --set {key}=... "
            "says otherwise"
            for key, text in held.items()
            if key not in given
        ]

    def assignments(self, model: PoseFormer, config: PoseFormerConfig) -> Iterator[Assignment]:
        embedding, mean = model.joint_embedding, model.frame_mean
        yield from dense_assignments(embedding.kernel, embedding.bias, "Spatial_patch_to_embedding")
        yield Assignment(model.joint_position.embedding, ("Spatial_pos_embed",), lambda array: array[0])
        yield Assignment(model.frame_position.embedding, ("Temporal_pos_embed",), lambda array: array[0])
        for index, block in enumerate(model.spatial_blocks):
            yield from block_assignments(block, f"{_SPATIAL}{index}.")
        for index, block in enumerate(model.temporal_blocks):
            yield from block_assignments(block, f"{_TEMPORAL}{index}.")
        yield from layer_norm_assignments(model.spatial_norm, "Spatial_norm")
        yield from layer_norm_assignments(model.temporal_norm, "Temporal_norm")
        yield Assignment(mean.kernel, ("weighted_mean.weight",), lambda array: array[0, :, 0])
        yield Assignment(mean.bias, ("weighted_mean.bias",), lambda array: array[0])
        yield from layer_norm_assignments(model.head_norm, "head.0")
        yield from dense_assignments(model.head.kernel, model.head.bias, "head.1")
