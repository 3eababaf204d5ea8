"""The compiled operations of transformers as TensorFlow functions, with their gradients."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import keras

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import loader

_GRADIENTS = ("TfPose3dTokenAttentionGrad", "TfPose3dLayerNormGrad", "TfPose3dBiasGeluGrad")


def available(*tensors: Any) -> bool:
    """Whether the compiled operations serve these tensors.

    They do on CPUs, under TensorFlow, outside XLA, in float32, where there is a library. XLA and GPUs have
    good code of their own for what these operations do, so that nothing is said where they are not used.
    """
    if keras.backend.backend() != "tensorflow":
        return False
    if any(keras.backend.standardize_dtype(tensor.dtype) != "float32" for tensor in tensors):
        return False
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util

    if control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()):
        return False
    return not tf.config.get_visible_devices("GPU") and _library() is not None


def token_attention(projections: Sequence[Any], num_heads: int, key_mask: Any | None) -> Any:
    """Attention of query, key and value, three tensors or one with `(B, N, 3 C)`."""
    return _library().tf_pose3d_token_attention(
        projections=list(projections),
        key_mask=[] if key_mask is None else [key_mask],
        num_heads=num_heads,
    )


def layer_norm(x: Any, gain: Any, shift: Any, epsilon: float) -> Any:
    """The compiled counterpart of `transformer.layer_norm`."""
    return _library().tf_pose3d_layer_norm(x=x, gain=gain, shift=shift, epsilon=epsilon).y


def bias_gelu(x: Any, bias: Any) -> Any:
    """The compiled counterpart of `transformer.bias_gelu`."""
    return _library().tf_pose3d_bias_gelu(x=x, bias=bias)


@functools.cache
def _library() -> Any | None:
    library = loader.load()
    if library is None:
        return None
    import tensorflow as tf

    @tf.RegisterGradient("TfPose3dTokenAttention")
    def attention_gradient(op: Any, grad_y: Any) -> list[Any]:
        count = op.get_attr("num_projections")
        grads = library.tf_pose3d_token_attention_grad(
            projections=list(op.inputs[:count]),
            key_mask=list(op.inputs[count:]),
            grad_y=grad_y,
            num_heads=op.get_attr("num_heads"),
        )
        return [*grads, *(None for _ in op.inputs[count:])]

    @tf.RegisterGradient("TfPose3dLayerNorm")
    def layer_norm_gradient(op: Any, grad_y: Any, *_: Any) -> list[Any]:
        x, gain, _ = op.inputs
        _, mean, scale = op.outputs
        return list(library.tf_pose3d_layer_norm_grad(x=x, gain=gain, mean=mean, scale=scale, grad_y=grad_y))

    @tf.RegisterGradient("TfPose3dBiasGelu")
    def bias_gelu_gradient(op: Any, grad_y: Any) -> list[Any]:
        return list(library.tf_pose3d_bias_gelu_grad(x=op.inputs[0], bias=op.inputs[1], grad_y=grad_y))

    for name in _GRADIENTS:
        tf.RegisterGradient(name)(_no_second_derivative)
    return library


def _no_second_derivative(op: Any, *_: Any) -> None:
    raise Pose3DError(
        f"{op.type}: the compiled operations have no second derivatives; TF_POSE3D_OPS=reference has them"
    )
