"""Layer normalization over the last axis, compiled where that serves (see `tf_pose3d.ops.dispatch`)."""

from __future__ import annotations

from keras import ops

from tf_pose3d.ops.layer_norm import compiled
from tf_pose3d.types import Tensor


def layer_norm(x: Tensor, gain: Tensor, shift: Tensor, epsilon: float) -> Tensor:
    """`(x - mean) / sqrt(variance + epsilon) * gain + shift` over the last axis.

    Ba, Kiros and Hinton, "Layer normalization", 2016.

    Args:
        x: `(..., C)`.
        gain, shift: `(C,)`.
        epsilon: Added to the variance.

    Returns:
        `(..., C)`.
    """
    x, gain, shift = map(ops.convert_to_tensor, (x, gain, shift))
    if compiled.OPERATION.serves(x, gain, shift):
        return compiled.layer_norm(x, gain, shift, epsilon)
    return ops.layer_normalization(x, gain, shift, axis=-1, epsilon=epsilon)
