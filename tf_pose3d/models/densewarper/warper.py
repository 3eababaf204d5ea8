"""The warper: moves the heat maps of one frame to another frame."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from tf_pose3d.layers.convolution import convolve
from tf_pose3d.layers.deform_conv import DeformConv2D
from tf_pose3d.layers.residual import BasicBlock
from tf_pose3d.types import Tensor

__all__ = ["Warper"]


_TAPS = 9


def _torch_uniform() -> keras.initializers.Initializer:
    """PyTorch's default for convolutions: uniform within 1 / sqrt(fan in)."""
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


@keras.saving.register_keras_serializable(package="tf_pose3d")
class _OwnMap(keras.initializers.Initializer):
    """A kernel whose middle tap hands every channel on and whose other taps are zero."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> Tensor:
        kernel = np.zeros(shape, "float32")
        kernel[shape[0] // 2, shape[1] // 2] = np.eye(shape[2], shape[3])
        return ops.convert_to_tensor(kernel, dtype=dtype)


@keras.saving.register_keras_serializable(package="tf_pose3d")
class Warper(keras.layers.Layer):
    """Deformable convolutions of a heat map, led by its difference to a first guess.

    Residual blocks read guess - map; for each dilation a convolution of their features gives offsets, one
    deformable group for each joint, and a deformable convolution of the map takes its taps there. The
    results are averaged.

    Args:
        channels: Of the residual blocks.
        blocks: Their number.
        dilations: Of the offset convolutions and the deformable convolutions.
        start: Initial weights: `"random"`, PyTorch's defaults as in the release; `"identity"`, no offsets
            and kernels that hand the map on unchanged.

    Called as `warper(map, guess)`, both `(B, h, w, J)`. Output: `(B, h, w, J)`.
    """

    def __init__(
        self,
        channels: int = 128,
        blocks: int = 20,
        dilations: Sequence[int] = (3, 6, 12, 18, 24),
        start: str = "random",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if start not in ("random", "identity"):
            raise ValueError(f"start is {start!r}, expected random or identity")
        # The deformable convolution has no XLA kernel.
        self.supports_jit = False
        self.channels = channels
        self.num_blocks = blocks
        self.dilations = list(dilations)
        self.start = start
        self.blocks = [
            BasicBlock(
                channels,
                project=index == 0,
                kernel_initializer=_torch_uniform(),
                dtype=self.dtype_policy,
                name=f"block_{index}",
            )
            for index in range(blocks)
        ]
        self.offsets: list[keras.layers.Conv2D] = []
        self.deformations: list[DeformConv2D] = []

    def build(self, map_shape: tuple, _: tuple | None = None) -> None:
        joints = map_shape[-1]
        channels = joints
        for block in self.blocks:
            block.build((None, None, None, channels))
            channels = self.channels
        identity = self.start == "identity"
        for dilation in self.dilations:
            offsets = keras.layers.Conv2D(
                2 * _TAPS * joints,
                3,
                padding="same",
                dilation_rate=dilation,
                data_format="channels_last",
                use_bias=False,
                kernel_initializer="zeros" if identity else _torch_uniform(),
                dtype=self.dtype_policy,
                name=f"offsets_{dilation}",
            )
            deformation = DeformConv2D(
                joints,
                3,
                padding=dilation,
                dilation_rate=dilation,
                deformable_groups=joints,
                use_bias=False,
                data_format="channels_last",
                kernel_initializer=_OwnMap() if identity else _torch_uniform(),
                dtype=self.dtype_policy,
                name=f"deformation_{dilation}",
            )
            offsets.build((None, None, None, self.channels))
            deformation.build((None, None, None, joints))
            self.offsets.append(offsets)
            self.deformations.append(deformation)

    def call(self, heatmaps: Tensor, guess: Tensor, training: bool | None = None) -> Tensor:
        features = guess - heatmaps
        for block in self.blocks:
            features = block(features, training=training)
        warped = [
            deformation(heatmaps, convolve(offsets, features))
            for offsets, deformation in zip(self.offsets, self.deformations, strict=True)
        ]
        return sum(warped[1:], start=warped[0]) / len(warped)

    def compute_output_shape(self, map_shape: tuple, _: tuple | None = None) -> tuple:
        return map_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "channels": self.channels,
            "blocks": self.num_blocks,
            "dilations": self.dilations,
            "start": self.start,
        }
