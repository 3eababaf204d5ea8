"""A linear map with batch normalisation, (leaky) ReLU and dropout: what temporal networks are made of."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import keras
from keras import ops

from tf_pose3d.layers.batch_normalization import SharedMomentum, UnbiasedBatchNormalization
from tf_pose3d.layers.products import product
from tf_pose3d.ops.normed_activation import normed_activation
from tf_pose3d.types import Tensor

__all__ = ["NormedLinear", "folded_weights", "uniform_initializer"]


def uniform_initializer(fan_in: int) -> keras.initializers.Initializer:
    """PyTorch's default for the weights and biases of linear layers and convolutions."""
    limit = 1 / math.sqrt(fan_in)
    return keras.initializers.RandomUniform(-limit, limit)


@keras.saving.register_keras_serializable(package="tf_pose3d")
class NormedLinear(keras.layers.Layer):
    """Matrix product, batch normalisation, LeakyReLU and dropout.

    Args:
        units: Output features D.
        use_bias: Whether a bias is added to the product.
        slope: Of LeakyReLU below 0; 0 is ReLU.
        dropout: Rate.
        momentum: Of the running statistics, see `UnbiasedBatchNormalization`.

    Input: rows `(R, C)`. Output: `(R, D)`.
    """

    # See `narrow_products`.
    product_dtype: str | None = None

    def __init__(
        self,
        units: int,
        use_bias: bool = False,
        slope: float = 0.0,
        dropout: float = 0.0,
        momentum: float | SharedMomentum = 0.9,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.use_bias = use_bias
        self.slope = float(slope)
        self.dropout = float(dropout)
        self.norm = UnbiasedBatchNormalization(momentum, dtype=self.dtype_policy, name="norm")
        self.seed_generator = keras.random.SeedGenerator()
        self._folded: tuple[Tensor, Tensor] | None = None

    def build(self, input_shape: tuple) -> None:
        width = input_shape[-1]
        self.kernel = self.add_weight(
            shape=(width, self.units), initializer=uniform_initializer(width), name="kernel"
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(self.units,), initializer=uniform_initializer(width), name="bias"
            )
        self.norm.build((None, self.units))

    @property
    def effective_kernel(self) -> Tensor:
        """`(C, D)` that rows are multiplied with: with the normalisation worked in while it is folded."""
        return ops.convert_to_tensor(self.kernel if self._folded is None else self._folded[0])

    def fold(self) -> None:
        """Works the running statistics into a copy of the weights, for inference until `unfold`."""
        scale, shift = self._scale_and_shift()
        self._folded = (ops.convert_to_tensor(self.kernel) * scale, shift)

    def unfold(self) -> None:
        """Returns to the weights themselves."""
        self._folded = None

    def _scale_and_shift(self) -> tuple[Tensor, Tensor]:
        norm = self.norm
        scale = ops.convert_to_tensor(norm.gamma) * ops.rsqrt(norm.moving_variance.value + norm.epsilon)
        shift = ops.convert_to_tensor(norm.beta) - norm.moving_mean.value * scale
        return scale, shift if self.bias is None else shift + ops.convert_to_tensor(self.bias) * scale

    def activate(self, product: Tensor, training: bool | None = None) -> Tensor:
        """The layer's output for rows `(R, D)` that are multiplied with `effective_kernel` already."""
        if training:
            bias = ops.zeros((self.units,), product.dtype) if self.bias is None else self.bias
            outputs, mean, variance = normed_activation(
                product,
                ops.cast(ops.convert_to_tensor(bias), product.dtype),
                ops.cast(self.norm.gamma, "float32"),
                ops.cast(self.norm.beta, "float32"),
                self.norm.epsilon,
                self.slope,
                self.dropout,
                self.seed_generator,
            )
            self.norm.update(mean, variance, ops.shape(product)[0])
            return ops.cast(outputs, product.dtype)
        if self._folded is None:
            scale, shift = (ops.cast(values, product.dtype) for values in self._scale_and_shift())
            product = product * scale + shift
        else:
            product = product + ops.cast(self._folded[1], product.dtype)
        return ops.leaky_relu(product, self.slope) if self.slope else ops.relu(product)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return self.activate(product(inputs, self.effective_kernel, self.product_dtype), training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            "slope": self.slope,
            "dropout": self.dropout,
            "momentum": self.norm.get_config()["momentum"],
        }


@contextlib.contextmanager
def folded_weights(model: keras.Layer) -> Iterator[None]:
    """A block in which inference multiplies with weights that hold the normalisations already.

    Graphs that are traced in the block keep these copies: trace them anew when the weights have changed.
    """
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, NormedLinear)]
    for layer in layers:
        layer.fold()
    try:
        yield
    finally:
        for layer in layers:
            layer.unfold()
