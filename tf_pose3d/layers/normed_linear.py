"""A linear map with batch normalisation, (leaky) ReLU and dropout: what many networks are made of."""

from __future__ import annotations

import math

import keras
from keras import ops

from tf_pose3d.layers.batch_normalization import SharedMomentum, UnbiasedBatchNormalization
from tf_pose3d.layers.folding import Foldable, scale_and_shift
from tf_pose3d.layers.normed_relu import normed_relu
from tf_pose3d.layers.products import product
from tf_pose3d.types import Tensor

__all__ = ["NormedLinear", "NormedRows", "uniform_initializer"]


def uniform_initializer(fan_in: int) -> keras.initializers.Initializer:
    """PyTorch's default for the weights and biases of linear layers and convolutions."""
    limit = 1 / math.sqrt(fan_in)
    return keras.initializers.RandomUniform(-limit, limit)


class NormedRows(Foldable, keras.layers.Layer):
    """A matrix product, batch normalisation, (leaky) ReLU and dropout of rows; for inference as one product.

    Layers of this kind have `kernel` `(C, D)`, `bias` `(D,)` or None, `norm`, `seed_generator`, `slope` and
    `dropout`.

    Input: rows `(R, C)`. Output: `(R, D)`.
    """

    # See `narrow_products`.
    product_dtype: str | None = None

    units: int
    slope: float = 0.0
    dropout: float = 0.0
    _folded: tuple[Tensor, Tensor] | None = None

    @property
    def effective_kernel(self) -> Tensor:
        """`(C, D)` that rows are multiplied with: with the normalisation worked in while it is folded."""
        return ops.convert_to_tensor(self.kernel if self._folded is None else self._folded[0])

    def fold(self) -> None:
        scale, shift = scale_and_shift(self.norm, self.bias)
        self._folded = (ops.convert_to_tensor(self.kernel) * scale, shift)

    def unfold(self) -> None:
        self._folded = None

    def activate(self, product: Tensor, training: bool | None = None) -> Tensor:
        """The layer's output for rows `(R, D)` that are multiplied with `effective_kernel` already."""
        if self._folded is None:
            return normed_relu(
                product, self.bias, self.norm, self.dropout, self.seed_generator, training, self.slope
            )
        self._refuse(training)
        product = product + ops.cast(self._folded[1], product.dtype)
        return ops.leaky_relu(product, self.slope) if self.slope else ops.relu(product)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        return self.activate(product(inputs, self.effective_kernel, self.product_dtype), training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], self.units)


@keras.saving.register_keras_serializable(package="tf_pose3d")
class NormedLinear(NormedRows):
    """Matrix product, batch normalisation, LeakyReLU and dropout.

    Args:
        units: Output features D.
        use_bias: Whether a bias is added to the product.
        slope: Of LeakyReLU below 0; 0 is ReLU.
        dropout: Rate.
        momentum: Of the running statistics, see `UnbiasedBatchNormalization`.

    Input: rows `(R, C)`. Output: `(R, D)`.
    """

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

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            "slope": self.slope,
            "dropout": self.dropout,
            "momentum": self.norm.get_config()["momentum"],
        }
