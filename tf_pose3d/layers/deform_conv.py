"""Deformable convolution layers, version 1 (offsets) and version 2 (offsets and a mask)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import deform_conv2d
from tf_pose3d.ops.arguments import positive_int, positive_pair
from tf_pose3d.ops.deform_conv.options import ConvOptions, check_conv_shapes
from tf_pose3d.types import Parsed, Tensor

__all__ = ["DeformConv2D", "ModulatedDeformConv2D"]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class DeformConv2D(keras.layers.Layer):
    """2D convolution whose kernel taps are moved, at every output pixel, by offsets (Dai et al., ICCV 2017).

    Called as `layer(x, offset)`, or as `layer(x)` with `predict_offset=True`, where the layer predicts the
    offsets from x by a convolution of its own with the same geometry, which starts at zero: a new layer is an
    ordinary convolution.

    Args:
        filters: output channels F.
        kernel_size, strides, dilation_rate: one number, or (height, width).
        padding: "same", "valid", a number, (height, width) or ((top, bottom), (left, right)).
        groups: parts into which channels are split, each with a kernel of its own.
        deformable_groups: parts of the input channels with offsets of their own.
        predict_offset: whether the layer predicts its offsets.
        use_bias: whether a bias is added.
        data_format: "channels_last", "channels_first" or None for Keras's default.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint,
            bias_constraint, activation: as in `keras.layers.Conv2D`.

    Input shapes (channels last): x (B, H, W, C); offset (B, Ho, Wo, 2 * deformable_groups * Kh * Kw), in
    pixels, ordered by deformable group, kernel tap, (dy, dx). Output: (B, Ho, Wo, F). Weights: `kernel`
    (Kh, Kw, C / groups, F), `bias` (F,).

    Raises:
        Pose3DError: an argument or a shape is wrong; the message names it.
    """

    _maps_per_tap = 2  # channels of offset_conv for each tap of each deformable group

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str | int | Sequence[Any] = "valid",
        dilation_rate: int | Sequence[int] = 1,
        groups: int = 1,
        deformable_groups: int = 1,
        predict_offset: bool = False,
        use_bias: bool = True,
        data_format: str | None = None,
        kernel_initializer: object = "glorot_uniform",
        bias_initializer: object = "zeros",
        kernel_regularizer: object = None,
        bias_regularizer: object = None,
        kernel_constraint: object = None,
        bias_constraint: object = None,
        activation: object = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # TensorFlow has no XLA kernel: with jit_compile="auto" Keras then compiles without XLA.
        self.supports_jit = keras.backend.backend() != "tensorflow"
        self.filters = positive_int("filters", filters)
        self.kernel_size = positive_pair("kernel_size", kernel_size)
        self.options = ConvOptions.make(
            strides,
            padding,
            dilation_rate,
            groups,
            deformable_groups,
            data_format or keras.config.image_data_format(),
        )
        self.predict_offset = predict_offset
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.activation = keras.activations.get(activation)
        self.offset_conv = self._make_offset_conv() if predict_offset else None

    def _make_offset_conv(self) -> keras.layers.Layer:
        options = self.options
        taps = options.deformable_groups * self.kernel_size[0] * self.kernel_size[1]
        # Keras has no convolution with both strides and dilation: then it is dilated only, and _predict
        # takes every stride-th result.
        self._subsample = max(options.strides) > 1 and max(options.dilation) > 1
        self._conv_pads = options.padding == "same" and not self._subsample
        return keras.layers.Conv2D(
            self._maps_per_tap * taps,
            self.kernel_size,
            1 if self._subsample else options.strides,
            "same" if self._conv_pads else "valid",
            # TensorFlow convolves channels first on GPUs only.
            data_format="channels_last",
            dilation_rate=options.dilation,
            kernel_initializer="zeros",
            dtype=self.dtype_policy,
            name="offset_conv",
        )

    def build(self, x_shape: Tensor, *_: Any) -> None:
        channels = x_shape[self._channel_axis]
        if channels is None:
            raise Pose3DError(f"{self.name}: expected a known number of channels, got shape {tuple(x_shape)}")
        if channels % self.options.groups:
            raise Pose3DError(
                f"{self.name}: groups: {self.options.groups} does not divide the {channels} input channels"
            )
        self.kernel = self.add_weight(
            shape=(*self.kernel_size, channels // self.options.groups, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        if self.offset_conv is not None:
            self.offset_conv.build((None, None, None, channels))

    def call(self, x: Tensor, offset: Tensor = None) -> Tensor:
        if self.offset_conv is not None:
            self._refuse("offset", offset)
            offset = self._predict(x)
        else:
            self._require("offset", offset)
        return self._convolve(x, offset, None)

    def __call__(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """The output for x and, unless the layer predicts them, its offsets.

        Raises:
            Pose3DError: x is a list, offsets are missing or given in vain, or a shape is wrong.
        """
        if isinstance(x, (list, tuple)):
            raise Pose3DError(
                f"{self.name}: x is a list of {len(x)}, expected a tensor; what the layer reads is given as "
                f"arguments of their own, as in {self.name}({', '.join(self._reads())})"
            )
        return super().__call__(x, *args, **kwargs)

    def _reads(self) -> tuple[str, ...]:
        """Names of the arguments of a call."""
        return ("x",) if self.predict_offset else ("x", "offset")

    def compute_output_spec(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """As in Keras; a symbolic call says what it lacks when the model is made, not when it runs."""
        names = ("offset", "mask")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        for name in names:
            if name in self._reads():
                self._require(name, given.get(name))
            elif self.predict_offset:
                self._refuse(name, given.get(name))
        return super().compute_output_spec(x, *args, **kwargs)

    def compute_output_shape(self, x_shape: Tensor, *_: Any, **__: Any) -> tuple[int | None, ...]:
        free = (None, None, None, None)
        weight = (*self.kernel_size, x_shape[self._channel_axis] // self.options.groups, self.filters)
        return check_conv_shapes(self.options, tuple(x_shape), free, weight, None, None)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.options.strides,
            "padding": self.options.padding,
            "dilation_rate": self.options.dilation,
            "groups": self.options.groups,
            "deformable_groups": self.options.deformable_groups,
            "predict_offset": self.predict_offset,
            "use_bias": self.use_bias,
            "data_format": self.options.data_format,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
            "activation": keras.activations.serialize(self.activation),
        }

    @property
    def _channel_axis(self) -> int:
        return 1 if self.options.data_format == "channels_first" else 3

    def _convolve(self, x: Tensor, offset: Tensor, mask: Tensor | None) -> Tensor:
        options = self.options
        output = deform_conv2d(
            x,
            offset,
            keras.ops.cast(self.kernel, self.compute_dtype),
            mask,
            None if self.bias is None else keras.ops.cast(self.bias, self.compute_dtype),
            strides=options.strides,
            padding=options.padding,
            dilation=options.dilation,
            groups=options.groups,
            deformable_groups=options.deformable_groups,
            data_format=options.data_format,
        )
        return self.activation(output)

    def _predict(self, x: Tensor) -> Tensor:
        first = self._channel_axis == 1
        if first:
            x = keras.ops.transpose(x, (0, 2, 3, 1))
        if not self._conv_pads:
            size = keras.ops.shape(x)[1:3]
            pads = (self.options.pads(size[axis], self.kernel_size[axis], axis) for axis in (0, 1))
            x = keras.ops.pad(x, ((0, 0), *pads, (0, 0)))
        assert self.offset_conv is not None
        maps = self.offset_conv(x)
        if self._subsample:
            maps = maps[:, :: self.options.strides[0], :: self.options.strides[1]]
        return keras.ops.transpose(maps, (0, 3, 1, 2)) if first else maps

    def _require(self, name: str, value: Parsed) -> None:
        if value is None:
            raise Pose3DError(
                f"{self.name}: {name} is missing: pass it, or make the layer with predict_offset=True"
            )

    def _refuse(self, name: str, value: Parsed) -> None:
        if value is not None:
            raise Pose3DError(f"{self.name}: {name} is given but the layer predicts it (predict_offset=True)")


@keras.saving.register_keras_serializable(package="tf_pose3d")
class ModulatedDeformConv2D(DeformConv2D):
    """Deformable convolution whose taps are also weighted by a mask (Zhu et al., CVPR 2019).

    Called as `layer(x, offset, mask)`, or as `layer(x)` with `predict_offset=True`: then one convolution
    predicts the offsets (its first two thirds of channels) and, through a sigmoid, the mask (the last third).

    Arguments, weights and errors are those of `DeformConv2D`. The mask has shape
    (B, Ho, Wo, deformable_groups * Kh * Kw) in channels last.
    """

    _maps_per_tap = 3

    def _reads(self) -> tuple[str, ...]:
        return ("x",) if self.predict_offset else ("x", "offset", "mask")

    def call(self, x: Tensor, offset: Tensor = None, mask: Tensor = None) -> Tensor:
        if self.offset_conv is not None:
            self._refuse("offset", offset)
            self._refuse("mask", mask)
            maps = self._predict(x)
            taps = maps.shape[self._channel_axis] // 3
            offset, mask = keras.ops.split(maps, [2 * taps], axis=self._channel_axis)
            mask = keras.ops.sigmoid(mask)
        else:
            self._require("offset", offset)
            self._require("mask", mask)
        return self._convolve(x, offset, mask)
