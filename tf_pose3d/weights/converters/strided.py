"""Checkpoints of Strided Transformer's release: the network's file, and one of the refine module."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Tensor
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.converters.converter import Assignment, Converter
from tf_pose3d.weights.converters.graph_layers import count_numbered, dense_assignments, norm_assignments

if TYPE_CHECKING:
    from tf_pose3d.layers.attention import MultiHeadAttention
    from tf_pose3d.layers.layer_normalization import UnbiasedLayerNormalization
    from tf_pose3d.layers.transformer import StridedTransformerBlock, TransformerBlock
    from tf_pose3d.models.strided.config import StridedTransformerConfig
    from tf_pose3d.models.strided.model import StridedTransformer
    from tf_pose3d.models.strided.refinement import PoseRefinement, RefinedStridedTransformer

__all__ = ["StridedTransformerConverter", "refinement_assignments"]

_REFINEMENT = "post_refine.0.weight"
_LAYOUTS = {15: "humaneva_15", 16: "h36m_16", 17: "h36m_17", 20: "humaneva_20"}


def _layer_norm_assignments(norm: UnbiasedLayerNormalization, prefix: str) -> Iterator[Assignment]:
    yield Assignment(norm.gamma, (f"{prefix}.a_2",))
    yield Assignment(norm.beta, (f"{prefix}.b_2",))


def _convolution_assignments(kernel: Tensor, bias: Tensor, prefix: str) -> Iterator[Assignment]:
    """Of `torch.nn.Conv1d`: `(D, C, K)` into `(K, C, D)`."""
    yield Assignment(kernel, (f"{prefix}.weight",), lambda array: array.transpose(2, 1, 0))
    yield Assignment(bias, (f"{prefix}.bias",))


def _attention_assignments(attention: MultiHeadAttention, prefix: str) -> Iterator[Assignment]:
    projections = (attention.query, attention.key, attention.value, attention.projection)
    for index, dense in enumerate(projections):
        yield from dense_assignments(dense.kernel, dense.bias, f"{prefix}.linears.{index}")


def _block_assignments(
    block: TransformerBlock | StridedTransformerBlock, prefix: str
) -> Iterator[Assignment]:
    yield from _attention_assignments(block.attention, f"{prefix}.self_attn")
    yield from _layer_norm_assignments(block.norm1, f"{prefix}.sublayer.0.norm")
    yield from _layer_norm_assignments(block.norm2, f"{prefix}.sublayer.1.norm")
    mlp, first, second = block.mlp, f"{prefix}.feed_forward.w_1", f"{prefix}.feed_forward.w_2"
    if hasattr(mlp, "expand_kernel"):
        yield from _convolution_assignments(mlp.expand_kernel, mlp.expand_bias, first)
        yield from _convolution_assignments(mlp.contract_kernel, mlp.contract_bias, second)
    else:
        yield from dense_assignments(mlp.expand.kernel, mlp.expand.bias, first)
        yield from dense_assignments(mlp.contract.kernel, mlp.contract.bias, second)


def refinement_assignments(module: PoseRefinement) -> Iterator[Assignment]:
    """Of the refine module's own file."""
    yield from dense_assignments(module.expand.kernel, module.expand.bias, "post_refine.0")
    yield from dense_assignments(module.weigh.kernel, module.weigh.bias, "post_refine.3")


class StridedTransformerConverter(Converter["StridedTransformerConfig"]):
    """Of Strided Transformer's release.

    The number of heads (8 in the release) and the strides lie in no tensor's shape: the published strides
    are taken for the frames found, others are given as `strides`.
    """

    arch = "StridedTransformer"
    telling_tensor = "Transformer_reduce.model.pos_embedding_1"
    aliases: ClassVar[Mapping[str, str]] = {"STRIDE_NUM": "STRIDES", "CHANNEL": "CHANNELS", "D_HID": "HIDDEN"}

    def recognises(self, checkpoint: Checkpoint) -> bool:
        return self.telling_tensor in checkpoint.tensors or _REFINEMENT in checkpoint.tensors

    def config_values(self, checkpoint: Checkpoint) -> dict[str, Any]:
        tensors, source = checkpoint.tensors, checkpoint.source
        if self.telling_tensor not in tensors:
            raise Pose3DError(
                f"{source} holds the refine module alone; give the network's file (no_refine_*.pth) with it"
            )
        needed = ["encoder.0.weight", "Transformer.model.layers.0.feed_forward.w_1.weight"]
        for name in needed:
            if name not in tensors:
                raise Pose3DError(f"{source} lacks {name}, which a {self.arch} checkpoint holds")
        channels, inputs = tensors[needed[0]].shape[:2]
        frames = tensors[self.telling_tensor].shape[1]
        joints = inputs // 2
        if joints not in _LAYOUTS or inputs % 2:
            known = ", ".join(f"{2 * number}" for number in _LAYOUTS)
            raise Pose3DError(f"{source}: {inputs} inputs, expected two for each joint: {known}")
        values = {
            "FRAMES": frames,
            "SKELETON": _LAYOUTS[joints],
            "CHANNELS": channels,
            "HIDDEN": tensors[needed[1]].shape[0],
            "LAYERS": count_numbered(checkpoint, "Transformer.model.layers.", ".feed_forward.w_1.weight"),
            "REFINE": _REFINEMENT in tensors,
        }
        blocks = count_numbered(checkpoint, "Transformer_reduce.model.layers.", ".feed_forward.w_1.weight")
        if blocks != 3:
            raise Pose3DError(f"{source} has {blocks} strided blocks, expected 3")
        return values

    def notes(
        self, checkpoint: Checkpoint, config: StridedTransformerConfig, given: Collection[str]
    ) -> list[str]:
        held = {
            "NUM_HEADS": f"attention heads, {config.NUM_HEADS} of them",
            "STRIDES": f"strides {config.strides}",
        }
        return [
            f"{checkpoint.source}: its tensors do not tell {key}: {text}, as in the release; --set {key}=... "
            "says otherwise"
            for key, text in held.items()
            if key not in given
        ]

    def assignments(
        self, model: StridedTransformer | RefinedStridedTransformer, config: StridedTransformerConfig
    ) -> Iterator[Assignment]:
        if config.REFINE:
            yield from refinement_assignments(model.refinement)
            model = model.lifter
        yield from dense_assignments(model.encoder.kernel, model.encoder.bias, "encoder.0")
        yield from norm_assignments(model.encoder_norm, "encoder.1")
        first = functools.partial(np.squeeze, axis=0)
        yield Assignment(model.position.embedding, ("Transformer.pos_embedding",), first)
        for index, block in enumerate(model.blocks):
            yield from _block_assignments(block, f"Transformer.model.layers.{index}")
        yield from _layer_norm_assignments(model.idle_norm, "Transformer.model.norm")
        reduce = "Transformer_reduce.model"
        for index, (position, block) in enumerate(
            zip(model.strided_positions, model.strided_blocks, strict=True)
        ):
            yield Assignment(position.embedding, (f"{reduce}.pos_embedding_{index + 1}",), first)
            yield from _block_assignments(block, f"{reduce}.layers.{index}")
        yield from _layer_norm_assignments(model.idle_strided_norm, f"{reduce}.norm")
        for norm, head, prefix in (
            (model.centre_norm, model.centre_head, "fcn"),
            (model.sequence_norm, model.sequence_head, "fcn_1"),
        ):
            yield from norm_assignments(norm, f"{prefix}.0")
            yield from dense_assignments(head.kernel, head.bias, f"{prefix}.1")
