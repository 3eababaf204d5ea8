"""Temporal convolutions over keypoints, in two forms with one set of weights.

The dilated form slides over a whole sequence and gives a result for every frame whose receptive field lies in
it; neighbouring frames share all work. The strided form gives the one result of a window that is as long as
the receptive field, and leaves out what does not lead there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
from keras import ops

from tf_pose3d.layers.batch_normalization import SharedMomentum, first_value
from tf_pose3d.layers.normed_linear import NormedLinear, uniform_initializer
from tf_pose3d.ops.exporting import is_exporting
from tf_pose3d.types import Tensor

__all__ = ["TemporalNetwork", "cut", "receptive_field", "unfold_dilated", "unfold_strided"]


def receptive_field(filter_widths: Sequence[int]) -> int:
    """Frames that one prediction is made of, for odd widths: their product."""
    return math.prod(filter_widths)


def unfold_strided(inputs: Tensor, width: int) -> Tensor:
    """`(B, T, C)` as `(B, T / width, width * C)`: neighbouring frames side by side, none twice."""
    frames, channels = inputs.shape[1:]
    return ops.reshape(inputs, (-1, frames // width, width * channels))


def unfold_dilated(inputs: Tensor, width: int, dilation: int) -> Tensor:
    """`(B, T, C)` as `(B, T - (width - 1) * dilation, width * C)`: each frame with those `dilation` later."""
    count = ops.shape(inputs)[1] - (width - 1) * dilation
    return ops.concatenate([cut(inputs, 1, k * dilation, count) for k in range(width)], axis=-1)


def cut(inputs: Tensor, axis: int, begin: int, count: int | Tensor) -> Tensor:
    """`count` entries of an axis from `begin` on; the gradient is a padding, indexing's a scatter."""
    if keras.backend.backend() != "tensorflow" or is_exporting():
        index = [slice(None)] * len(inputs.shape)
        index[axis] = slice(begin, begin + count)
        return inputs[tuple(index)]
    starts, sizes = [0] * len(inputs.shape), list(ops.shape(inputs))
    starts[axis], sizes[axis] = begin, count
    return ops.slice(inputs, starts, sizes)


@keras.saving.register_keras_serializable(package="tf_pose3d")
class TemporalNetwork(keras.layers.Layer):
    """Residual network of temporal convolutions.

    Pavllo et al., "3D human pose estimation in video with temporal convolutions and semi-supervised
    training", CVPR 2019. RIE and EHFusion use it for each part of the body, with LeakyReLU.

    Args:
        outputs: Features D of the result.
        filter_widths: Odd kernel widths, one for the first layer and one for each residual block.
        channels: Features inside.
        dropout: Rate.
        slope: Of LeakyReLU below 0; 0 is ReLU.
        causal: Whether a result belongs to the last frame of its receptive field, not to the middle one.
        dense: Kernels that reach as far as the dilated ones and skip no frame. There is no strided form then.
        momentum: Of the running statistics, see `UnbiasedBatchNormalization`.

    Input: `(B, T, C)`, T at least the receptive field N. Output: `(B, T - N + 1, D)`. Windows of exactly N
    frames go through the strided form; in training its batch statistics are those of the frames that it
    computes.
    """

    def __init__(
        self,
        outputs: int,
        filter_widths: Sequence[int] = (3, 3, 3, 3, 3),
        channels: int = 1024,
        dropout: float = 0.25,
        slope: float = 0.0,
        causal: bool = False,
        dense: bool = False,
        momentum: float | SharedMomentum = 0.9,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if any(width < 1 or width % 2 == 0 for width in filter_widths):
            raise ValueError(f"filter widths are {list(filter_widths)}, expected odd numbers")
        self.settings = {
            "outputs": outputs,
            "filter_widths": list(filter_widths),
            "channels": channels,
            "dropout": dropout,
            "slope": slope,
            "causal": causal,
            "dense": dense,
        }
        self.momentum = momentum
        self.filter_widths = tuple(filter_widths)
        self.channels = channels
        self.causal = causal
        self.dense = dense
        self.receptive_field = receptive_field(filter_widths)

        def layer(name: str) -> NormedLinear:
            return NormedLinear(
                channels,
                slope=slope,
                dropout=dropout,
                momentum=momentum,
                dtype=self.dtype_policy,
                name=name,
            )

        self.expand = layer("expand")
        self.blocks = [
            (layer(f"block{number}_wide"), layer(f"block{number}_narrow"))
            for number in range(1, len(self.filter_widths))
        ]
        # Keras before 3.13 saves no layers of pairs in lists. By their name these come after the pairs, so
        # that later versions, which do, write the files that they always wrote.
        self.flat_blocks = [block for pair in self.blocks for block in pair]
        self.shrink = keras.layers.Dense(
            outputs,
            kernel_initializer=uniform_initializer(channels),
            bias_initializer=uniform_initializer(channels),
            dtype=self.dtype_policy,
            name="shrink",
        )

    def _dilations(self) -> list[int]:
        """Of each layer but the first: the product of the widths before it."""
        return [math.prod(self.filter_widths[:number]) for number in range(1, len(self.filter_widths))]

    def _kernel_widths(self) -> list[int]:
        """Of each layer but the first."""
        widths = self.filter_widths[1:]
        if not self.dense:
            return list(widths)
        return [(width - 1) * step + 1 for width, step in zip(widths, self._dilations(), strict=True)]

    def build(self, input_shape: tuple) -> None:
        self.expand.build((None, self.filter_widths[0] * input_shape[-1]))
        for (wide, narrow), width in zip(self.blocks, self._kernel_widths(), strict=True):
            wide.build((None, width * self.channels))
            narrow.build((None, self.channels))
        self.shrink.build((None, self.channels))

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        if inputs.shape[1] == self.receptive_field and not self.dense:
            rows = unfold_strided(inputs, self.filter_widths[0])
            expanded = _apply(self.expand, rows, training)
            return ops.expand_dims(self.window_result(expanded, training), 1)
        return self.sequence_results(inputs, training)

    def window_result(self, features: Tensor, training: bool | None = None) -> Tensor:
        """The strided form behind its first layer.

        Args:
            features: `(B, N / w, channels)`, what the first layer, of width w, makes of windows of N frames.

        Returns:
            `(B, D)`.
        """
        for (wide, narrow), width in zip(self.blocks, self.filter_widths[1:], strict=True):
            kept = width - 1 if self.causal else width // 2
            windows = unfold_strided(features, width)
            residual = cut(windows, -1, kept * self.channels, self.channels)
            features = residual + _apply(narrow, _apply(wide, windows, training), training)
        return self.shrink(ops.reshape(features, (-1, self.channels)))

    def sequence_results(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """The dilated form: `(B, T, C)` gives `(B, T - N + 1, D)`."""
        features = _apply(self.expand, unfold_dilated(inputs, self.filter_widths[0], 1), training)
        for (wide, narrow), width, dilation in zip(
            self.blocks, self.filter_widths[1:], self._dilations(), strict=True
        ):
            reach = (width - 1) * dilation
            begin = reach if self.causal else reach // 2
            count = ops.shape(features)[1] - reach
            residual = cut(features, 1, begin, count)
            if self.dense:
                hidden = self._dense_convolution(wide, features, reach + 1, training)
            else:
                hidden = _apply(wide, unfold_dilated(features, width, dilation), training)
            features = residual + _apply(narrow, hidden, training)
        rows = self.shrink(ops.reshape(features, (-1, self.channels)))
        return ops.reshape(rows, (-1, ops.shape(features)[1], self.settings["outputs"]))

    def _dense_convolution(
        self, layer: NormedLinear, features: Tensor, width: int, training: bool | None
    ) -> Tensor:
        kernel = ops.reshape(layer.effective_kernel, (width, self.channels, self.channels))
        product = ops.conv(features, ops.cast(kernel, features.dtype), padding="valid")
        rows = layer.activate(ops.reshape(product, (-1, self.channels)), training)
        return ops.reshape(rows, ops.shape(product))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        frames = None if input_shape[1] is None else input_shape[1] - self.receptive_field + 1
        return (input_shape[0], frames, self.settings["outputs"])

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings, "momentum": first_value(self.momentum)}


def _apply(layer: NormedLinear, inputs: Tensor, training: bool | None) -> Tensor:
    """A layer of rows on `(B, T, C)`."""
    rows = layer(ops.reshape(inputs, (-1, inputs.shape[-1])), training=training)
    return ops.reshape(rows, (-1, ops.shape(inputs)[1], layer.units))
