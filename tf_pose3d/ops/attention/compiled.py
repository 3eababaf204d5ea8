"""The compiled attention as a TensorFlow function, with its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tf_pose3d.ops.dispatch import CompiledOperation
from tf_pose3d.ops.loader import Library, Op
from tf_pose3d.types import Tensor


def token_attention(projections: Sequence[Any], num_heads: int, key_mask: Tensor | None) -> Tensor:
    """Attention of query, key and value, three tensors or one with `(B, N, 3 C)`."""
    return OPERATION.library.tf_pose3d_token_attention(
        projections=list(projections),
        key_mask=[] if key_mask is None else [key_mask],
        num_heads=num_heads,
    )


def _gradient(library: Library, op: Op, grad_y: Tensor) -> list[Any]:
    count = op.get_attr("num_projections")
    grads = library.tf_pose3d_token_attention_grad(
        projections=list(op.inputs[:count]),
        key_mask=list(op.inputs[count:]),
        grad_y=grad_y,
        num_heads=op.get_attr("num_heads"),
    )
    return [*grads, *(None for _ in op.inputs[count:])]


OPERATION = CompiledOperation("attention", {"TfPose3dTokenAttention": _gradient})
