"""Checkpoints of MixSTE's release."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tf_pose3d.errors import Pose3DError
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.graph_layers import count_numbered, dense_assignments
from tf_pose3d.weights.converters.transformer_layers import block_assignments, layer_norm_assignments

if TYPE_CHECKING:
    from tf_pose3d.models.mixste.config import MixSTEConfig
    from tf_pose3d.models.mixste.model import MixSTE

__all__ = ["MixSTEConverter", "mixste_assignments", "mixste_sizes"]

_LAYOUTS = {15: "humaneva_15", 17: "h36m_17"}
_SPATIAL, _TEMPORAL = "STEblocks.", "TTEblocks."


def mixste_sizes(checkpoint: Checkpoint, arch: str, inputs: int) -> dict[str, Any]:
    """Config keys that the tensors of a network of MixSTE's kind decide.

    Args:
        checkpoint: With the network's own names.
        arch: For messages.
        inputs: Numbers of a joint that the network reads.

    Raises:
        Pose3DError: Sizes that the family cannot have.
    """
    tensors, source = checkpoint.tensors, checkpoint.source
    hidden = f"{_SPATIAL}0.mlp.fc1.weight"
    for name in ("Spatial_patch_to_embedding.weight", "Temporal_pos_embed", hidden):
        if name not in tensors:
            raise Pose3DError(f"{source} lacks {name}, which a {arch} checkpoint holds")
    joints, width = tensors["Spatial_pos_embed"].shape[1:]
    read = tensors["Spatial_patch_to_embedding.weight"].shape[1]
    if joints not in _LAYOUTS or read != inputs:
        raise Pose3DError(
            f"{source}: {joints} joints of {read} numbers, expected {' or '.join(map(str, _LAYOUTS))} joints "
            f"of {inputs}"
        )
    depths = [count_numbered(checkpoint, part, ".mlp.fc1.weight") for part in (_SPATIAL, _TEMPORAL)]
    if depths[0] != depths[1]:
        raise Pose3DError(f"{source}: {depths[0]} STEblocks and {depths[1]} TTEblocks, expected as many")
    return {
        "FRAMES": tensors["Temporal_pos_embed"].shape[1],
        "SKELETON": _LAYOUTS[joints],
        "CHANNELS": width,
        "LAYERS": depths[0],
        "MLP_RATIO": tensors[hidden].shape[0] / width,
        "QKV_BIAS": f"{_SPATIAL}0.attn.qkv.bias" in tensors,
    }


def mixste_assignments(model: MixSTE) -> Iterator[Assignment]:
    """Every weight of a network of MixSTE's kind, by the network's own names."""
    embedding = model.joint_embedding
    yield from dense_assignments(embedding.kernel, embedding.bias, "Spatial_patch_to_embedding")
    yield Assignment(model.joint_position.embedding, ("Spatial_pos_embed",), lambda array: array[0])
    yield Assignment(model.frame_position.embedding, ("Temporal_pos_embed",), lambda array: array[0])
    for blocks, name in ((model.spatial_blocks, _SPATIAL), (model.temporal_blocks, _TEMPORAL)):
        for index, block in enumerate(blocks):
            yield from block_assignments(block, f"{name}{index}.")
    yield from layer_norm_assignments(model.spatial_norm, "Spatial_norm")
    yield from layer_norm_assignments(model.temporal_norm, "Temporal_norm")
    yield from layer_norm_assignments(model.head_norm, "head.0")
    yield from dense_assignments(model.head.kernel, model.head.bias, "head.1")


class MixSTEConverter(Converter["MixSTEConfig"]):
    """Of MixSTE's release. The number of heads (8 in the release) lies in no tensor's shape."""

    arch = "MixSTE"
    telling_tensor = "TTEblocks.0.norm1.weight"
    aliases: ClassVar[Mapping[str, str]] = {
        "NUM_FRAME": "FRAMES",
        "EMBED_DIM_RATIO": "CHANNELS",
        "DEPTH": "LAYERS",
    }

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return {"Spatial_pos_embed", self.telling_tensor} <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        return mixste_sizes(checkpoint, self.arch, inputs=2)

    def notes(self, checkpoint: Checkpoint, config: MixSTEConfig, given: Collection[str]) -> list[str]:
        if "NUM_HEADS" in given:
            return []
        return [f"{config.NUM_HEADS} attention heads supposed, which no tensor tells (NUM_HEADS)"]

    def assignments(self, model: MixSTE, config: MixSTEConfig) -> Iterator[Assignment]:
        return mixste_assignments(model)
