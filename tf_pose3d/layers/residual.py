"""Convolutions with batch normalisation, and the residual blocks of ResNets, padded as in PyTorch."""

from __future__ import annotations

import keras
from keras import ops

from tf_pose3d.layers.batch_normalization import UnbiasedBatchNormalization
from tf_pose3d.layers.convolution import convolve
from tf_pose3d.types import Tensor

__all__ = ["BasicBlock", "BottleneckBlock", "NormedConvolution"]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class NormedConvolution(keras.layers.Layer):
    """Convolution without bias, batch normalisation, and a ReLU unless told otherwise.

    Args:
        filters: Output channels.
        kernel_size: Odd; zeros of half its size lie round the input on every side. Keras's `same` puts
            fewer on the first side when it strides.
        strides: Pixels from one output to the next.
        activation: Whether a ReLU follows.
        kernel_initializer: Of the convolution.

    Input: `(B, H, W, C)`. Output: `(B, H / strides, W / strides, filters)`, sizes rounded up.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        strides: int = 1,
        activation: bool = True,
        kernel_initializer: object = "he_normal",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.activation = activation
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        policy = self.dtype_policy
        self.convolution = keras.layers.Conv2D(
            filters,
            kernel_size,
            strides,
            padding="same" if strides == 1 else "valid",
            data_format="channels_last",
            use_bias=False,
            kernel_initializer=self.kernel_initializer,
            dtype=policy,
            name="convolution",
        )
        self.norm = UnbiasedBatchNormalization(momentum=0.9, epsilon=1e-5, dtype=policy, name="norm")

    def build(self, input_shape: tuple) -> None:
        self.convolution.build((None, None, None, input_shape[-1]))
        self.norm.build((None, None, None, self.filters))

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        side = self.kernel_size // 2
        if self.strides > 1 and side:
            inputs = ops.pad(inputs, ((0, 0), (side, side), (side, side), (0, 0)))
        features = self.norm(convolve(self.convolution, inputs), training=training)
        return ops.relu(features) if self.activation else features

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, *sizes, _ = input_shape
        return (batch, *(None if size is None else -(-size // self.strides) for size in sizes), self.filters)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "activation": self.activation,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


class _ResidualBlock(keras.layers.Layer):
    """What the two kinds of blocks share: convolutions in a chain beside a shortcut."""

    # Output channels per channel inside.
    expansion = 1

    def __init__(
        self,
        filters: int,
        strides: int = 1,
        project: bool = False,
        kernel_initializer: object = "he_normal",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.project = project
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.chain = self._make_chain()
        self.shortcut = None
        if project:
            self.shortcut = self._convolution(filters * self.expansion, 1, strides, False, "shortcut")

    def _convolution(
        self, filters: int, kernel_size: int, strides: int, activation: bool, name: str
    ) -> NormedConvolution:
        return NormedConvolution(
            filters,
            kernel_size,
            strides,
            activation,
            self.kernel_initializer.clone(),
            dtype=self.dtype_policy,
            name=name,
        )

    def _make_chain(self) -> list[NormedConvolution]:
        raise NotImplementedError

    def build(self, input_shape: tuple) -> None:
        channels = input_shape[-1]
        if self.shortcut is not None:
            self.shortcut.build((None, None, None, channels))
        for layer in self.chain:
            layer.build((None, None, None, channels))
            channels = layer.filters

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        features = inputs
        for layer in self.chain:
            features = layer(features, training=training)
        if self.shortcut is not None:
            inputs = self.shortcut(inputs, training=training)
        return ops.relu(features + inputs)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, *sizes, _ = input_shape
        strided = (None if size is None else -(-size // self.strides) for size in sizes)
        return (batch, *strided, self.filters * self.expansion)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "filters": self.filters,
            "strides": self.strides,
            "project": self.project,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable(package="tf_pose3d")
class BasicBlock(_ResidualBlock):
    """Two 3x3 convolutions and a shortcut (He et al., CVPR 2016).

    Args:
        filters: Channels inside and out.
        strides: Of the first convolution.
        project: Whether the shortcut is a 1x1 convolution; else the input itself.
        kernel_initializer: Of all convolutions.

    Input: `(B, H, W, C)`. Output: `(B, H / strides, W / strides, filters)`.
    """

    def _make_chain(self) -> list[NormedConvolution]:
        return [
            self._convolution(self.filters, 3, self.strides, True, "convolution_1"),
            self._convolution(self.filters, 3, 1, False, "convolution_2"),
        ]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class BottleneckBlock(_ResidualBlock):
    """Convolutions 1x1, 3x3 (which strides) and 1x1 to four times the channels, and a shortcut.

    Arguments are those of `BasicBlock`. Output: `(B, H / strides, W / strides, 4 * filters)`.
    """

    expansion = 4

    def _make_chain(self) -> list[NormedConvolution]:
        return [
            self._convolution(self.filters, 1, 1, True, "convolution_1"),
            self._convolution(self.filters, 3, self.strides, True, "convolution_2"),
            self._convolution(self.filters * self.expansion, 1, 1, False, "convolution_3"),
        ]
