"""The compiled normalised activation as a TensorFlow function, with its gradient."""

from __future__ import annotations

import functools
from typing import Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import loader, transformer_kernels

_ATTRIBUTES = ("epsilon", "slope", "rate")


def available(*tensors: Any) -> bool:
    """Whether the compiled operation serves these tensors: as `transformer_kernels.available` says."""
    return transformer_kernels.available(*tensors) and _library() is not None


def normed_activation(
    x: Any, bias: Any, gamma: Any, beta: Any, seed: Any, epsilon: float, slope: float, rate: float
) -> tuple[Any, Any, Any]:
    """The compiled counterpart of `normed_activation.normed_activation`; `seed` is two whole numbers."""
    import tensorflow as tf

    result = _library().tf_pose3d_normed_activation(
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


@functools.cache
def _library() -> Any | None:
    library = loader.load()
    if library is None:
        return None
    import tensorflow as tf

    @tf.RegisterGradient("TfPose3dNormedActivation")
    def gradient(op: Any, grad_y: Any, *_: Any) -> list[Any]:
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

    @tf.RegisterGradient("TfPose3dNormedActivationGrad")
    def no_second_derivative(op: Any, *_: Any) -> None:
        raise Pose3DError(
            f"{op.type}: the compiled operations have no second derivatives; TF_POSE3D_OPS=reference has them"
        )

    return library
