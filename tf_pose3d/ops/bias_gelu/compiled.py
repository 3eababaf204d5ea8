"""The compiled GELU of a sum with a bias as a TensorFlow function, with its gradient."""

from __future__ import annotations

from typing import Any

from tf_pose3d.ops.dispatch import CompiledOperation
from tf_pose3d.ops.loader import Library, Op
from tf_pose3d.types import Tensor


def bias_gelu(x: Tensor, bias: Tensor) -> Tensor:
    """The compiled counterpart of `operation.bias_gelu`."""
    return OPERATION.library.tf_pose3d_bias_gelu(x=x, bias=bias)


def _gradient(library: Library, op: Op, grad_y: Tensor) -> list[Any]:
    x, bias = op.inputs
    return list(library.tf_pose3d_bias_gelu_grad(x=x, bias=bias, grad_y=grad_y))


OPERATION = CompiledOperation("bias_gelu", {"TfPose3dBiasGelu": _gradient})
