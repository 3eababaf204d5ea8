"""Checkpoints of PoseFormer's release."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.graph_layers import count_numbered, dense_assignments

if TYPE_CHECKING:
    import keras

    from tf_pose3d.layers.layer_normalization import LayerNormalization
    from tf_pose3d.layers.transformer import TransformerBlock
    from tf_pose3d.models.poseformer.config import PoseFormerConfig
    from tf_pose3d.models.poseformer.model import PoseFormer

__all__ = ["PoseFormerConverter"]

_SPATIAL, _TEMPORAL = "Spatial_blocks.", "blocks."
_LAYOUTS = {15: "humaneva_15", 16: "h36m_16", 17: "h36m_17", 20: "humaneva_20"}


def _norm_assignments(norm: LayerNormalization, prefix: str) -> Iterator[Assignment]:
    """Of `torch.nn.LayerNorm`."""
    yield Assignment(norm.gamma, (f"{prefix}.weight",))
    yield Assignment(norm.beta, (f"{prefix}.bias",))


def _part(kernel: keras.Variable, name: str, index: int) -> Assignment:
    """One of query, key and value, which lie one below the other in one tensor, `(3 D, ...)`."""
    return Assignment(kernel, (name,), lambda array: np.split(array, 3)[index].T)


def _block_assignments(block: TransformerBlock, prefix: str) -> Iterator[Assignment]:
    yield from _norm_assignments(block.norm1, f"{prefix}.norm1")
    attention = block.attention
    for index, dense in enumerate((attention.query, attention.key, attention.value)):
        yield _part(dense.kernel, f"{prefix}.attn.qkv.weight", index)
        if attention.qkv_bias:
            yield _part(dense.bias, f"{prefix}.attn.qkv.bias", index)
    yield from dense_assignments(
        attention.projection.kernel, attention.projection.bias, f"{prefix}.attn.proj"
    )
    yield from _norm_assignments(block.norm2, f"{prefix}.norm2")
    yield from dense_assignments(block.mlp.expand.kernel, block.mlp.expand.bias, f"{prefix}.mlp.fc1")
    yield from dense_assignments(block.mlp.contract.kernel, block.mlp.contract.bias, f"{prefix}.mlp.fc2")


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
            yield from _block_assignments(block, f"{_SPATIAL}{index}")
        for index, block in enumerate(model.temporal_blocks):
            yield from _block_assignments(block, f"{_TEMPORAL}{index}")
        yield from _norm_assignments(model.spatial_norm, "Spatial_norm")
        yield from _norm_assignments(model.temporal_norm, "Temporal_norm")
        yield Assignment(mean.kernel, ("weighted_mean.weight",), lambda array: array[0, :, 0])
        yield Assignment(mean.bias, ("weighted_mean.bias",), lambda array: array[0])
        yield from _norm_assignments(model.head_norm, "head.0")
        yield from dense_assignments(model.head.kernel, model.head.bias, "head.1")
