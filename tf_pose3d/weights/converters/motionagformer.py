"""Checkpoints of MotionAGFormer's release."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tf_pose3d.errors import Pose3DError
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.graph_layers import count_numbered, dense_assignments, norm_assignments
from tf_pose3d.weights.converters.transformer_layers import (
    attention_assignments,
    layer_norm_assignments,
    mlp_assignments,
)

if TYPE_CHECKING:
    from tf_pose3d.models.motionagformer.config import MotionAGFormerConfig
    from tf_pose3d.models.motionagformer.mixers import TemporalConvolutions
    from tf_pose3d.models.motionagformer.model import MixerBlock, MotionAGFormer

__all__ = ["MotionAGFormerConverter"]

_PARTS = ("att_spatial", "att_temporal", "graph_spatial", "graph_temporal")
_FIRST = "layers.0."
# Metres of one unit of poses for MPI-INF-3DHP: millimetres were divided by 1024, half of the images' width.
_METRES_3DHP = 1.024


class MotionAGFormerConverter(Converter["MotionAGFormerConfig"]):
    """Of MotionAGFormer's release.

    No tensor's shape tells the number of heads (8 in the release) and, of a graph by likeness, the number of
    neighbours (2); nothing tells a graph of frames that follow from one of likeness; and of a network of
    convolutions the number of frames is unknown.
    """

    arch = "MotionAGFormer"
    telling_tensor = "layers.0.att_spatial.norm1.weight"
    aliases: ClassVar[Mapping[str, str]] = {
        "N_FRAMES": "FRAMES",
        "DIM_FEAT": "CHANNELS",
        "DIM_REP": "REPRESENTATION",
        "N_LAYERS": "LAYERS",
        "USE_ADAPTIVE_FUSION": "ADAPTIVE_FUSION",
        "NEIGHBOUR_NUM": "NEIGHBOURS",
        "TEMPORAL_CONNECTION_LEN": "CHAIN_REACH",
        "ROOT_REL": "ROOT_RELATIVE",
    }

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return {"joints_embed.weight", self.telling_tensor} <= checkpoint.tensors.keys()

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        tensors, source = checkpoint.tensors, checkpoint.source
        needed = (
            "rep_logit.fc.weight",
            f"{_FIRST}att_spatial.mlp.fc1.weight",
            f"{_FIRST}graph_spatial.mixer.U.weight",
        )
        for name in needed:
            if name not in tensors:
                raise Pose3DError(f"{source} lacks {name}, which a {self.arch} checkpoint holds")
        width = tensors["joints_embed.weight"].shape[0]
        dim = tensors[self.telling_tensor].shape[0]
        if width not in (dim, 2 * dim):
            raise Pose3DError(
                f"{source}: tokens of {width} numbers and layers of {dim}, expected as many, or half of them"
            )
        hidden = tensors[f"{_FIRST}att_spatial.mlp.fc1.weight"].shape[0]
        values = {
            "CHANNELS": width,
            "REPRESENTATION": tensors["rep_logit.fc.weight"].shape[0],
            "LAYERS": count_numbered(checkpoint, "layers.", ".att_spatial.norm1.weight"),
            "MLP_RATIO": hidden / dim,
            "QKV_BIAS": f"{_FIRST}att_spatial.mixer.qkv.bias" in tensors,
            "ADAPTIVE_FUSION": f"{_FIRST}fusion.weight" in tensors,
            "HIERARCHICAL": width != dim,
        }
        nodes = tensors.get(f"{_FIRST}graph_temporal.mixer.batch_norm.weight")
        if nodes is None:
            values["TEMPORAL_GRAPH"] = "convolutions"
        else:
            values["FRAMES"] = nodes.shape[0]
        if f"{_FIRST}att_spatial.layer_scale_1" not in tensors:
            values["LAYER_SCALE"] = None
        return values

    def suggested_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        if _is_of_3dhp(checkpoint):
            return {"JOINT_ORDER": "mpi_inf_3dhp", "SPACE": "metric", "DATASET": "mpi_inf_3dhp"}
        return {}

    def check_config(self, checkpoint: Checkpoint, config: MotionAGFormerConfig) -> None:
        held = f"{_FIRST}graph_temporal.mixer.batch_norm.weight" in checkpoint.tensors
        if held == (config.TEMPORAL_GRAPH == "convolutions"):
            raise Pose3DError(
                f"{checkpoint.source} holds a graph over frames, not TEMPORAL_GRAPH {config.TEMPORAL_GRAPH}"
            )

    def key_of(self, name: str) -> str:
        if name.upper() in ("USE_TCN", "USE_TEMPORAL_SIMILARITY"):
            raise Pose3DError(
                f"{name.upper()}: here TEMPORAL_GRAPH is similar, chain (use_temporal_similarity false) or "
                "convolutions (use_tcn)"
            )
        return super().key_of(name)

    def notes(
        self, checkpoint: Checkpoint, config: MotionAGFormerConfig, given: Collection[str]
    ) -> list[str]:
        supposed = [f"{config.NUM_HEADS} attention heads (NUM_HEADS)"] if "NUM_HEADS" not in given else []
        if config.TEMPORAL_GRAPH == "convolutions" and "FRAMES" not in given:
            supposed.append(f"{config.FRAMES} frames (FRAMES)")
        if config.TEMPORAL_GRAPH == "similar" and "NEIGHBOURS" not in given:
            supposed.append(
                f"frames connected with the {config.NEIGHBOURS} most alike (TEMPORAL_GRAPH, NEIGHBOURS)"
            )
        if _is_of_3dhp(checkpoint) is None and "JOINT_ORDER" not in given:
            supposed.append(
                "joints in Human3.6M's order (for MPI-INF-3DHP: JOINT_ORDER mpi_inf_3dhp, SPACE metric)"
            )
        lines = [f"supposed, as no tensor tells: {'; '.join(supposed)}"] if supposed else []
        if config.JOINT_ORDER == "mpi_inf_3dhp":
            lines.append(
                f"{checkpoint.source}: taken as of MPI-INF-3DHP, by how it was trained: joints in that data "
                "set's order (JOINT_ORDER), poses turned from halves of 2048 pixels to metres"
            )
        return lines

    def assignments(self, model: MotionAGFormer, config: MotionAGFormerConfig) -> Iterator[Assignment]:
        embedding, dense = model.joint_embedding, model.representation
        yield from dense_assignments(embedding.kernel, embedding.bias, "joints_embed")
        yield Assignment(model.joint_position.embedding, ("pos_embed",), lambda array: array[0])
        for index, branch in enumerate(model.branches):
            for block, part in zip(branch, _PARTS, strict=True):
                yield from _block_assignments(block, f"layers.{index}.{part}.")
        for index, fusion in enumerate(model.fusions):
            yield from dense_assignments(fusion.kernel, fusion.bias, f"layers.{index}.fusion")
        yield from layer_norm_assignments(model.norm, "norm")
        yield from dense_assignments(dense.kernel, dense.bias, "rep_logit.fc")
        unit = _METRES_3DHP if config.JOINT_ORDER == "mpi_inf_3dhp" else 1.0
        yield Assignment(model.head.kernel, ("head.weight",), lambda array: unit * array.T)
        yield Assignment(model.head.bias, ("head.bias",), lambda array: unit * array)


def _is_of_3dhp(checkpoint: Checkpoint) -> bool | None:
    """Whether a checkpoint is one of the release's for MPI-INF-3DHP; None: it does not tell.

    These are trained with Adam's amsgrad, those for Human3.6M with AdamW; and the wide ones have 81 frames,
    not 243.
    """
    amsgrad = checkpoint.entries.get("optimizer.amsgrad")
    if amsgrad is not None:
        return bool(amsgrad)
    nodes = checkpoint.tensors.get(f"{_FIRST}graph_temporal.mixer.batch_norm.weight")
    width = checkpoint.tensors["joints_embed.weight"].shape[0]
    if nodes is None or width != 128 or nodes.shape[0] not in (81, 243):
        return None
    return nodes.shape[0] == 81


def _block_assignments(block: MixerBlock, prefix: str) -> Iterator[Assignment]:
    kind, mixer = block.settings["mixer"], block.mixer
    yield from layer_norm_assignments(block.norm1, f"{prefix}norm1")
    if kind == "attention":
        yield from attention_assignments(mixer, f"{prefix}mixer")
    elif kind == "convolutions":
        yield from _convolution_assignments(mixer, f"{prefix}mixer.branches.")
    else:
        yield from dense_assignments(mixer.own.kernel, mixer.own.bias, f"{prefix}mixer.U")
        yield from dense_assignments(mixer.others.kernel, mixer.others.bias, f"{prefix}mixer.V")
        yield from norm_assignments(mixer.norm, f"{prefix}mixer.batch_norm")
    yield from layer_norm_assignments(block.norm2, f"{prefix}norm2")
    yield from mlp_assignments(block.mlp, f"{prefix}mlp")
    if block.layer_scale is not None:
        yield Assignment(block.scale1, (f"{prefix}layer_scale_1",))
        yield Assignment(block.scale2, (f"{prefix}layer_scale_2",))


def _convolution_assignments(mixer: TemporalConvolutions, prefix: str) -> Iterator[Assignment]:
    for index, (entry, norm) in enumerate(zip(mixer.entries, mixer.entry_norms, strict=True)):
        name = f"{prefix}{index}"
        yield Assignment(entry.kernel, (f"{name}.0.weight",), lambda array: array[:, :, 0, 0].T)
        yield Assignment(entry.bias, (f"{name}.0.bias",))
        yield from norm_assignments(norm, f"{name}.1")
        if index < len(mixer.convolutions):
            convolution = mixer.convolutions[index]
            yield Assignment(
                convolution.kernel,
                (f"{name}.3.conv.weight",),
                lambda array: array[:, :, :, 0].transpose(2, 1, 0),
            )
            yield Assignment(convolution.bias, (f"{name}.3.conv.bias",))
            yield from norm_assignments(mixer.last_norms[index], f"{name}.3.bn")
        elif index < len(mixer.last_norms):
            yield from norm_assignments(mixer.last_norms[index], f"{name}.4")
