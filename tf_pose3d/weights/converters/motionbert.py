"""Checkpoints of MotionBERT's release."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tf_pose3d.errors import Pose3DError
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.graph_layers import count_numbered, dense_assignments
from tf_pose3d.weights.converters.transformer_layers import block_assignments, layer_norm_assignments

if TYPE_CHECKING:
    from tf_pose3d.models.motionbert.config import MotionBERTConfig
    from tf_pose3d.models.motionbert.model import MotionBERT

__all__ = ["MotionBERTConverter"]

_JOINTS, _COORDINATES = 17, 3


class MotionBERTConverter(Converter["MotionBERTConfig"]):
    """Of MotionBERT's pose networks, pre-trained or fine-tuned.

    The number of heads (8 in the release) lies in no tensor's shape.
    """

    arch = "MotionBERT"
    telling_tensor = "temp_embed"
    aliases: ClassVar[Mapping[str, str]] = {
        "MAXLEN": "FRAMES",
        "DIM_FEAT": "CHANNELS",
        "DIM_REP": "REPRESENTATION",
        "DEPTH": "LAYERS",
        "ATT_FUSE": "ADAPTIVE_FUSION",
        "ROOTREL": "ROOT_RELATIVE",
        "CLIP_LEN": "CLIP_FRAMES",
    }

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return {"temp_embed", "pos_embed", "blocks_st.0.norm1_s.weight"} <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        tensors, source = checkpoint.tensors, checkpoint.source
        for name in ("pre_logits.fc.weight", "head.weight", "blocks_st.0.mlp_s.fc1.weight"):
            if name not in tensors:
                raise Pose3DError(f"{source} lacks {name}, which a {self.arch} checkpoint of poses holds")
        _, frames, _, width = tensors["temp_embed"].shape
        joints = tensors["pos_embed"].shape[1]
        if joints != _JOINTS or tensors["head.weight"].shape[0] != _COORDINATES:
            raise Pose3DError(
                f"{source}: {joints} joints and {tensors['head.weight'].shape[0]} numbers of each, expected "
                f"{_JOINTS} joints and {_COORDINATES} coordinates"
            )
        depths = [count_numbered(checkpoint, f"blocks_{part}.", ".norm1_s.weight") for part in ("st", "ts")]
        if depths[0] != depths[1]:
            raise Pose3DError(f"{source}: {depths[0]} blocks_st and {depths[1]} blocks_ts, expected as many")
        return {
            "FRAMES": frames,
            "CHANNELS": width,
            "REPRESENTATION": tensors["pre_logits.fc.weight"].shape[0],
            "LAYERS": depths[0],
            "MLP_RATIO": tensors["blocks_st.0.mlp_s.fc1.weight"].shape[0] / width,
            "QKV_BIAS": "blocks_st.0.attn_s.qkv.bias" in tensors,
            "ADAPTIVE_FUSION": "ts_attn.0.weight" in tensors,
        }

    def notes(self, checkpoint: Checkpoint, config: MotionBERTConfig, given: Collection[str]) -> list[str]:
        lines = []
        if "NUM_HEADS" not in given:
            lines.append(f"{config.NUM_HEADS} attention heads supposed, which no tensor tells (NUM_HEADS)")
        if "ROOT_RELATIVE" not in given:
            lines.append(
                "poses relative to the root supposed; for networks trained with rootrel false "
                "(MB_ft_h36m_global) give ROOT_RELATIVE=false"
            )
        return lines

    def assignments(self, model: MotionBERT, config: MotionBERTConfig) -> Iterator[Assignment]:
        embedding, dense = model.joint_embedding, model.representation
        yield from dense_assignments(embedding.kernel, embedding.bias, "joints_embed")
        yield Assignment(model.joint_position.embedding, ("pos_embed",), lambda array: array[0])
        yield Assignment(model.frame_position.embedding, ("temp_embed",), lambda array: array[0, :, 0])
        for index, branch in enumerate(model.branches):
            for blocks, name in ((branch[:2], "blocks_st"), (branch[2:], "blocks_ts")):
                for block, suffix in zip(blocks, ("_s", "_t"), strict=True):
                    yield from block_assignments(block, f"{name}.{index}.", suffix)
        for index, fusion in enumerate(model.fusions):
            yield from dense_assignments(fusion.kernel, fusion.bias, f"ts_attn.{index}")
        yield from layer_norm_assignments(model.norm, "norm")
        yield from dense_assignments(dense.kernel, dense.bias, "pre_logits.fc")
        yield from dense_assignments(model.head.kernel, model.head.bias, "head")
