"""The compiled layer normalization as a TensorFlow function, with its gradient."""

from __future__ import annotations

from typing import Any

from tf_pose3d.ops.dispatch import CompiledOperation


def layer_norm(x: Any, gain: Any, shift: Any, epsilon: float) -> Any:
    """The compiled counterpart of `operation.layer_norm`."""
    return OPERATION.library.tf_pose3d_layer_norm(x=x, gain=gain, shift=shift, epsilon=epsilon).y


def _gradient(library: Any, op: Any, grad_y: Any, *_: Any) -> list[Any]:
    x, gain, _ = op.inputs
    _, mean, scale = op.outputs
    return list(library.tf_pose3d_layer_norm_grad(x=x, gain=gain, mean=mean, scale=scale, grad_y=grad_y))


OPERATION = CompiledOperation("layer_norm", {"TfPose3dLayerNorm": _gradient})
