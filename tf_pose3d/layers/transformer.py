"""Pre-norm transformer blocks: the usual one, and one that shortens its sequence."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from tf_pose3d.layers.attention import MultiHeadAttention
from tf_pose3d.layers.drop_path import DropPath
from tf_pose3d.layers.initial_weights import linear, linear_initializers
from tf_pose3d.layers.layer_normalization import LayerNormalization, UnbiasedLayerNormalization
from tf_pose3d.layers.products import dense_rows, product, rows_of_one
from tf_pose3d.layers.strided_length import CONVOLUTION_TAPS, strided_length
from tf_pose3d.ops.bias_gelu import bias_gelu

__all__ = ["MLP", "StridedMLP", "StridedTransformerBlock", "TransformerBlock"]


def _activate(inputs: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """GELU is the exact one, as in the releases."""
    return ops.gelu(inputs, approximate=False) if name == "gelu" else keras.activations.get(name)(inputs)


@keras.saving.register_keras_serializable(package="tf_pose3d")
class MLP(keras.layers.Layer):
    """Dense - activation - dropout - Dense - dropout on every token.

    Args:
        dim: Width C of input and output.
        hidden_dim: Width in between.
        activation: `"gelu"` (exact) or `"relu"`.
        dropout: Rate after the second Dense.
        inner_dropout: Rate after the activation.
        initial: How weights are drawn, see `tf_pose3d.layers.initial_weights`.

    Call arguments:
        inputs: `(B, N, C)`.
        scale: `(C,)`, what the second Dense's outputs are multiplied with; or None.

    Output: `(B, N, C)`.
    """

    # See `narrow_products`.
    product_dtype: str | None = None

    def __init__(
        self,
        dim: int,
        hidden_dim: int,
        activation: str = "gelu",
        dropout: float = 0.0,
        inner_dropout: float = 0.0,
        initial: str = "keras",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.dim = dim
        self.hidden_dim = hidden_dim
        self.activation_name = activation
        self.dropout_rate = dropout
        self.inner_dropout_rate = inner_dropout
        self.initial = initial
        self.expand = linear(hidden_dim, dim, initial, dtype=self.dtype_policy, name="expand")
        self.contract = linear(dim, hidden_dim, initial, dtype=self.dtype_policy, name="contract")
        self.dropout = keras.layers.Dropout(dropout) if dropout else None
        self.inner_dropout = keras.layers.Dropout(inner_dropout) if inner_dropout else None

    def build(self, input_shape: tuple | None = None) -> None:
        self.expand.build((None, self.dim))
        self.contract.build((None, self.hidden_dim))
        self.built = True

    def call(
        self,
        inputs: keras.KerasTensor,
        scale: keras.KerasTensor | None = None,
        training: bool | None = None,
    ) -> keras.KerasTensor:
        rows = ops.reshape(inputs, (-1, self.dim))
        group = rows_of_one(inputs.shape, training)
        kernel, bias = ops.convert_to_tensor(self.expand.kernel), ops.convert_to_tensor(self.expand.bias)
        if training and self.activation_name == "gelu":
            hidden = bias_gelu(product(rows, kernel, self.product_dtype, group), bias)
        else:
            # TensorFlow's product takes bias and GELU along, where no gradient asks for what enters it.
            hidden = _activate(product(rows, kernel, self.product_dtype, group, bias), self.activation_name)
        if self.inner_dropout is not None:
            hidden = self.inner_dropout(hidden, training=training)
        output = dense_rows(self.contract, hidden, self.product_dtype, group, scale)
        output = ops.reshape(output, (-1, *inputs.shape[1:]))
        return output if self.dropout is None else self.dropout(output, training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "dim": self.dim,
            "hidden_dim": self.hidden_dim,
            "activation": self.activation_name,
            "dropout": self.dropout_rate,
            "inner_dropout": self.inner_dropout_rate,
            "initial": self.initial,
        }


class _BlockBase(keras.layers.Layer):
    """What both blocks share: two norms, attention, and their settings."""

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        mlp_ratio: float = 2.0,
        qkv_bias: bool = True,
        activation: str = "gelu",
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
        inner_dropout: float = 0.0,
        drop_path: float = 0.0,
        epsilon: float = 1e-5,
        unbiased_norm: bool = False,
        initial: str = "keras",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.dim = dim
        self.settings = {
            "dim": dim,
            "num_heads": num_heads,
            "mlp_ratio": mlp_ratio,
            "qkv_bias": qkv_bias,
            "activation": activation,
            "attention_dropout": attention_dropout,
            "dropout": dropout,
            "inner_dropout": inner_dropout,
            "drop_path": drop_path,
            "epsilon": epsilon,
            "unbiased_norm": unbiased_norm,
            "initial": initial,
        }
        self.mlp_settings = {
            "hidden_dim": int(dim * mlp_ratio + 1e-6),
            "activation": activation,
            "dropout": dropout,
            "inner_dropout": inner_dropout,
            "initial": initial,
            "dtype": self.dtype_policy,
        }
        norm = UnbiasedLayerNormalization if unbiased_norm else LayerNormalization
        self.norm1 = norm(epsilon=epsilon, dtype=self.dtype_policy, name="norm1")
        self.attention = MultiHeadAttention(
            dim, num_heads, qkv_bias, attention_dropout, dropout, initial, dtype=self.dtype_policy, name="mha"
        )
        self.norm2 = norm(epsilon=epsilon, dtype=self.dtype_policy, name="norm2")
        self.drop_path = DropPath(drop_path, dtype=self.dtype_policy) if drop_path else None

    def build(self, input_shape: tuple | None = None) -> None:
        self.norm1.build((None, None, self.dim))
        self.attention.build()
        self.norm2.build((None, None, self.dim))
        self.mlp.build()
        self.built = True

    def _drop(self, branch: keras.KerasTensor, training: bool | None) -> keras.KerasTensor:
        return branch if self.drop_path is None else self.drop_path(branch, training=training)

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}


@keras.saving.register_keras_serializable(package="tf_pose3d")
class TransformerBlock(_BlockBase):
    """Pre-norm block: x + attention(norm(x)), then x + MLP(norm(x)).

    Dosovitskiy et al., "An image is worth 16x16 words", 2021.

    Args:
        dim: Token width C.
        num_heads: Attention heads.
        mlp_ratio: Hidden width of the MLP over C.
        qkv_bias: Bias in query, key and value projections.
        activation: `"gelu"` (exact) or `"relu"`.
        attention_dropout, dropout, inner_dropout: Rates on attention weights, on both branches'
            outputs, and inside the MLP.
        drop_path: Stochastic depth rate of both branches.
        epsilon: Of both layer norms.
        unbiased_norm: Layer norms by the unbiased deviation, see `UnbiasedLayerNormalization`.
        initial: How weights are drawn, see `tf_pose3d.layers.initial_weights`.

    Call arguments: tokens `(B, N, C)`; `key_mask (B, N)` bool, True where nobody may attend.
    Output: `(B, N, C)`.
    """

    def __init__(self, dim: int, num_heads: int = 8, **kwargs: Any) -> None:
        super().__init__(dim, num_heads, **kwargs)
        self.mlp = MLP(dim, name="mlp", **self.mlp_settings)

    def call(
        self,
        tokens: keras.KerasTensor,
        key_mask: keras.KerasTensor | None = None,
        training: bool | None = None,
    ) -> keras.KerasTensor:
        mixed = self.attention(self.norm1(tokens), key_mask=key_mask, training=training)
        tokens = tokens + self._drop(mixed, training)
        return tokens + self._drop(self.mlp(self.norm2(tokens), training=training), training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


@keras.saving.register_keras_serializable(package="tf_pose3d")
class StridedMLP(keras.layers.Layer):
    """Conv1D(1) - activation - zero padding - Conv1D(3, stride): an MLP that shortens the sequence.

    Li et al., "Exploiting temporal contexts with strided transformer", 2022.

    Args:
        dim: Width C of input and output.
        hidden_dim: Width in between.
        length: Number of tokens N that enter the block.
        stride: Stride of the second convolution.
        padding: Zeros put before and after the hidden sequence, each 0 or 1.
        activation, dropout, inner_dropout, initial: As in `MLP`.

    Input: the tokens at `positions` only, `(B, len(positions), C)`: those the strided convolution
    reads. Output: `(B, M, C)` with M = `strided_length(N, stride, padding)`.
    """

    # See `narrow_products`.
    product_dtype: str | None = None

    def __init__(
        self,
        dim: int,
        hidden_dim: int,
        length: int,
        stride: int = 3,
        padding: tuple[int, int] = (1, 1),
        activation: str = "gelu",
        dropout: float = 0.0,
        inner_dropout: float = 0.0,
        initial: str = "keras",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.initial = initial
        self.dim = dim
        self.hidden_dim = hidden_dim
        self.length = length
        self.stride = stride
        self.padding = (padding[0], padding[1])
        self.activation_name = activation
        self.dropout_rate = dropout
        self.inner_dropout_rate = inner_dropout
        self.dropout = keras.layers.Dropout(dropout) if dropout else None
        self.inner_dropout = keras.layers.Dropout(inner_dropout) if inner_dropout else None
        self.output_length = strided_length(length, stride, self.padding)
        taps = np.arange(self.output_length)[:, None] * stride + np.arange(CONVOLUTION_TAPS)
        taps = taps - self.padding[0]
        inside = (taps >= 0) & (taps < length)
        self.positions = np.unique(taps[inside])
        # Taps that fall on padding read one row of zeros put behind the hidden tokens.
        rows = np.searchsorted(self.positions, taps)
        self.tap_rows = np.where(inside, rows, len(self.positions)).reshape(-1)
        self.has_padding_taps = not inside.all()

    def build(self, input_shape: tuple | None = None) -> None:
        # Shapes and order are those of the two Conv1D layers in the released checkpoints.
        first = linear_initializers(self.dim, self.initial)
        second = linear_initializers(CONVOLUTION_TAPS * self.hidden_dim, self.initial)
        for name, shape, initializer in (
            ("expand_kernel", (1, self.dim, self.hidden_dim), first["kernel_initializer"]),
            ("expand_bias", (self.hidden_dim,), first["bias_initializer"]),
            ("contract_kernel", (CONVOLUTION_TAPS, self.hidden_dim, self.dim), second["kernel_initializer"]),
            ("contract_bias", (self.dim,), second["bias_initializer"]),
        ):
            setattr(self, name, self.add_weight(name=name, shape=shape, initializer=initializer))
        self.built = True

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        kept, hidden_dim = len(self.positions), self.hidden_dim
        rows = ops.reshape(inputs, (-1, self.dim))
        group = rows_of_one(inputs.shape, training)
        bias = ops.convert_to_tensor(self.expand_bias)
        hidden = _activate(
            product(rows, self.expand_kernel[0], self.product_dtype, group, bias), self.activation_name
        )
        if self.inner_dropout is not None:
            hidden = self.inner_dropout(hidden, training=training)
        hidden = ops.reshape(hidden, (-1, kept, hidden_dim))
        if self.has_padding_taps:
            hidden = ops.pad(hidden, ((0, 0), (0, 1), (0, 0)))
        if not np.array_equal(self.tap_rows, np.arange(kept)):
            hidden = ops.take(hidden, self.tap_rows, axis=1)
        taps = ops.reshape(hidden, (-1, CONVOLUTION_TAPS * hidden_dim))
        kernel = ops.reshape(self.contract_kernel, (CONVOLUTION_TAPS * hidden_dim, self.dim))
        group = rows_of_one((None, self.output_length, self.dim), training)
        bias = ops.convert_to_tensor(self.contract_bias)
        output = product(taps, kernel, self.product_dtype, group, bias)
        output = ops.reshape(output, (-1, self.output_length, self.dim))
        return output if self.dropout is None else self.dropout(output, training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.output_length, self.dim)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "dim": self.dim,
            "hidden_dim": self.hidden_dim,
            "length": self.length,
            "stride": self.stride,
            "padding": self.padding,
            "activation": self.activation_name,
            "dropout": self.dropout_rate,
            "inner_dropout": self.inner_dropout_rate,
            "initial": self.initial,
        }


@keras.saving.register_keras_serializable(package="tf_pose3d")
class StridedTransformerBlock(_BlockBase):
    """Pre-norm block whose MLP is strided, so that fewer tokens leave than enter.

    Li et al., "Exploiting temporal contexts with strided transformer", 2022. The residual is the input
    at each output's centre tap. Tokens that no output reads are keys and values only: their queries and
    hidden layers are never computed.

    Args:
        length: Tokens N that enter.
        stride: Stride over tokens.
        padding: Zeros before and after the sequence in the MLP, each 0 or 1.
        others: As in `TransformerBlock`.

    Call arguments: tokens `(B, N, C)`; `key_mask (B, N)` bool, True where nobody may attend.
    Output: `(B, M, C)` with M = `strided_length(N, stride, padding)`.
    """

    def __init__(
        self,
        dim: int,
        length: int,
        stride: int = 3,
        padding: tuple[int, int] = (1, 1),
        num_heads: int = 8,
        **kwargs: Any,
    ) -> None:
        super().__init__(dim, num_heads, **kwargs)
        self.length = length
        self.stride = stride
        self.padding = (padding[0], padding[1])
        self.mlp = StridedMLP(
            dim, length=length, stride=stride, padding=padding, name="strided_mlp", **self.mlp_settings
        )
        positions = self.mlp.positions
        self.positions = None if len(positions) == length else positions
        centres = np.arange(self.mlp.output_length) * stride + 1 - self.padding[0]
        self.centre_rows = np.searchsorted(positions, centres)

    def call(
        self,
        tokens: keras.KerasTensor,
        key_mask: keras.KerasTensor | None = None,
        training: bool | None = None,
    ) -> keras.KerasTensor:
        normed = self.norm1(tokens)
        queries = normed
        if self.positions is not None:
            queries = ops.take(normed, self.positions, axis=1)
            tokens = ops.take(tokens, self.positions, axis=1)
        mixed = self.attention(normed, queries=queries, key_mask=key_mask, training=training)
        tokens = tokens + self._drop(mixed, training)
        shortened = self.mlp(self.norm2(tokens), training=training)
        return ops.take(tokens, self.centre_rows, axis=1) + self._drop(shortened, training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], self.mlp.output_length, self.dim)

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "length": self.length,
            "stride": self.stride,
            "padding": self.padding,
        }
