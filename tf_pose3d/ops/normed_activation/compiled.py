"""The compiled normalised activation as a TensorFlow function, with its gradient."""

from __future__ import annotations

from typing import Any

from tf_pose3d.ops.dispatch import CompiledOperation
from tf_pose3d.ops.loader import Library, Op
from tf_pose3d.types import Tensor

_ATTRIBUTES = ("epsilon", "slope", "rate")


def normed_activation(
    x: Tensor,
    bias: Tensor,
    gamma: Tensor,
    beta: Tensor,
    seed: Tensor,
    epsilon: float,
    slope: float,
    rate: float,
) -> tuple[Any, Any, Any]:
    """The compiled counterpart of `operation.normed_activation`; `seed` is two whole numbers."""
    import tensorflow as tf

    result = OPERATION.library.tf_pose3d_normed_activation(
        x=x,
        bias=bias,
        gamma=gamma,
        beta=beta,
        seed=tf.bitcast(tf.cast(seed, tf.uint32), tf.int32),
        epsilon=epsilon,
        slope=slope,
        rate=rate,
    )
    return result.y, result.mean, result.variance


def _gradient(library: Library, op: Op, grad_y: Tensor, *_: Any) -> list[Any]:
    x, bias, gamma, beta, seed = op.inputs
    _, mean, variance = op.outputs
    gradients = library.tf_pose3d_normed_activation_grad(
        x=x,
        bias=bias,
        gamma=gamma,
        beta=beta,
        seed=seed,
        mean=mean,
        variance=variance,
        grad_y=grad_y,
        **{name: op.get_attr(name) for name in _ATTRIBUTES},
    )
    return [*gradients, None]


OPERATION = CompiledOperation("normed_activation", {"TfPose3dNormedActivation": _gradient})
