"""Convolutions of one image at a time."""

from __future__ import annotations

import keras
from keras import ops

from tf_pose3d.types import Tensor

__all__ = ["convolve"]


def convolve(layer: keras.layers.Conv2D, inputs: Tensor) -> Tensor:
    """`layer(inputs)`, faster on CPUs where the batch is known to be one image.

    For one image with many channels oneDNN multiplies matrices on a single core; for the same image cut into
    two strips of rows it does not, and is three times as fast.

    Args:
        layer: Without bias and activation, channels last, built.
        inputs: `(B, H, W, C)`.
    """
    size, dilation = layer.kernel_size[0], layer.dilation_rate[0]
    strips_fit = inputs.shape[0] == 1 and inputs.shape[1] is not None and inputs.shape[1] % 2 == 0
    if not strips_fit or size == 1 or layer.strides != (1, 1) or layer.padding != "same":
        return layer(inputs)
    reach, half = dilation * (size // 2), inputs.shape[1] // 2
    inputs = ops.cast(inputs, layer.compute_dtype)
    padded = ops.pad(inputs, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    strips = ops.concatenate([padded[:, : half + 2 * reach], padded[:, half:]], axis=0)
    kernel = ops.cast(layer.kernel, layer.compute_dtype)
    rows = ops.conv(strips, kernel, 1, "valid", "channels_last", dilation)
    return ops.reshape(rows, (1, 2 * half, *rows.shape[2:]))
