"""Assignments for the transformer layers that several releases' checkpoints have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tf_pose3d.weights.converters.converter import Assignment
from tf_pose3d.weights.converters.graph_layers import dense_assignments

if TYPE_CHECKING:
    import keras

    from tf_pose3d.layers.attention import MultiHeadAttention
    from tf_pose3d.layers.layer_normalization import LayerNormalization
    from tf_pose3d.layers.transformer import MLP, TransformerBlock

__all__ = [
    "attention_assignments",
    "block_assignments",
    "layer_norm_assignments",
    "mlp_assignments",
]


def layer_norm_assignments(norm: LayerNormalization, prefix: str) -> Iterator[Assignment]:
    """Of `torch.nn.LayerNorm`."""
    yield Assignment(norm.gamma, (f"{prefix}.weight",))
    yield Assignment(norm.beta, (f"{prefix}.bias",))


def _part(kernel: keras.Variable, name: str, index: int) -> Assignment:
    """One of query, key and value, which lie one below the other in one tensor, `(3 D, ...)`."""
    return Assignment(kernel, (name,), lambda array: np.split(array, 3)[index].T)


def attention_assignments(attention: MultiHeadAttention, prefix: str) -> Iterator[Assignment]:
    """Of attention with `qkv` in one layer and `proj`."""
    for index, dense in enumerate((attention.query, attention.key, attention.value)):
        yield _part(dense.kernel, f"{prefix}.qkv.weight", index)
        if attention.qkv_bias:
            yield _part(dense.bias, f"{prefix}.qkv.bias", index)
    yield from dense_assignments(attention.projection.kernel, attention.projection.bias, f"{prefix}.proj")


def mlp_assignments(mlp: MLP, prefix: str) -> Iterator[Assignment]:
    """Of `fc1` and `fc2`."""
    yield from dense_assignments(mlp.expand.kernel, mlp.expand.bias, f"{prefix}.fc1")
    yield from dense_assignments(mlp.contract.kernel, mlp.contract.bias, f"{prefix}.fc2")


def block_assignments(block: TransformerBlock, prefix: str, suffix: str = "") -> Iterator[Assignment]:
    """Of a pre-norm block: norm1, attn, norm2, mlp.

    Args:
        block: Ours.
        prefix: Its name in the checkpoint, with the dot.
        suffix: Behind each of the four names, e.g. `"_s"`.
    """
    yield from layer_norm_assignments(block.norm1, f"{prefix}norm1{suffix}")
    yield from attention_assignments(block.attention, f"{prefix}attn{suffix}")
    yield from layer_norm_assignments(block.norm2, f"{prefix}norm2{suffix}")
    yield from mlp_assignments(block.mlp, f"{prefix}mlp{suffix}")
