"""The exact GELU of a sum with a bias, compiled where that serves (see `tf_pose3d.ops.dispatch`)."""

from __future__ import annotations

from keras import ops

from tf_pose3d.ops.bias_gelu import compiled
from tf_pose3d.types import Tensor


def bias_gelu(x: Tensor, bias: Tensor) -> Tensor:
    """The exact GELU of `x + bias`: `z * Phi(z)`, Phi being the normal distribution's cumulative function.

    Hendrycks and Gimpel, "Gaussian error linear units", 2016.

    Args:
        x: `(..., C)`.
        bias: `(C,)`.

    Returns:
        `(..., C)`.
    """
    x, bias = map(ops.convert_to_tensor, (x, bias))
    if compiled.OPERATION.serves(x, bias):
        return compiled.bias_gelu(x, bias)
    return ops.gelu(ops.add(x, bias), approximate=False)
