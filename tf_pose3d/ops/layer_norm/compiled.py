"""The compiled layer normalization as a TensorFlow function, with its gradient."""

from __future__ import annotations

from typing import Any

from tf_pose3d.ops.dispatch import CompiledOperation
from tf_pose3d.ops.loader import Library, Op
from tf_pose3d.types import Tensor


def layer_norm(x: Tensor, gain: Tensor, shift: Tensor, epsilon: float) -> Tensor:
    """The compiled counterpart of `operation.layer_norm`."""
    return OPERATION.library.tf_pose3d_layer_norm(x=x, gain=gain, shift=shift, epsilon=epsilon).y


def _gradient(library: Library, op: Op, grad_y: Tensor, *_: Any) -> list[Any]:
    x, gain, _ = op.inputs
    _, mean, scale = op.outputs
    return list(library.tf_pose3d_layer_norm_grad(x=x, gain=gain, mean=mean, scale=scale, grad_y=grad_y))


OPERATION = CompiledOperation("layer_norm", {"TfPose3dLayerNorm": _gradient})
