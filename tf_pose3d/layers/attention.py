"""Multi-head attention over short token sequences."""

from __future__ import annotations

import functools

import keras
from keras import ops

from tf_pose3d.layers.initial_weights import linear
from tf_pose3d.layers.products import dense_rows, product, rows_of_one
from tf_pose3d.ops.attention import self_attention, token_attention

__all__ = ["MultiHeadAttention"]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class MultiHeadAttention(keras.layers.Layer):
    """Scaled dot-product attention with separate query, key, value and output projections.

    Vaswani et al., "Attention is all you need", 2017. The four projections are the layer's weights in
    that order, as in the released checkpoints of this field's transformers.

    Args:
        dim: Width C of tokens and output; a multiple of `num_heads`.
        num_heads: Number of heads.
        qkv_bias: Whether query, key and value projections have a bias.
        attention_dropout: Dropout rate on the attention weights.
        dropout: Dropout rate on the output.
        initial: How weights are drawn, see `tf_pose3d.layers.initial_weights`.

    Call arguments:
        tokens: `(B, N, C)`, keys and values, and queries too unless those are given.
        queries: `(B, Q, C)` or None.
        key_mask: `(B, N)` bool, True on tokens that nobody may attend to; or None.
        scale: `(C,)`, what the output projection's outputs are multiplied with; or None.

    Output: `(B, Q, C)`.
    """

    # See `narrow_products`.
    product_dtype: str | None = None

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        qkv_bias: bool = True,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
        initial: str = "keras",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if dim % num_heads:
            raise ValueError(f"width {dim} is not a multiple of {num_heads} heads")
        self.dim = dim
        self.num_heads = num_heads
        self.qkv_bias = qkv_bias
        self.attention_dropout_rate = attention_dropout
        self.dropout_rate = dropout
        self.initial = initial

        def projection(name: str, use_bias: bool = True) -> keras.layers.Dense:
            return linear(dim, dim, initial, use_bias=use_bias, dtype=self.dtype_policy, name=name)

        self.query = projection("query", qkv_bias)
        self.key = projection("key", qkv_bias)
        self.value = projection("value", qkv_bias)
        self.projection = projection("projection")
        self.attention_dropout = keras.layers.Dropout(attention_dropout) if attention_dropout else None
        self.dropout = keras.layers.Dropout(dropout) if dropout else None

    def build(self, input_shape: tuple | None = None) -> None:
        for dense in (self.query, self.key, self.value, self.projection):
            dense.build((None, self.dim))
        self.built = True

    def _project(
        self, tokens: keras.KerasTensor, training: bool | None, *projections: keras.layers.Dense
    ) -> keras.KerasTensor:
        """`(B, N, C)` -> the outputs of several projections side by side, out of one matrix product."""
        rows = ops.reshape(tokens, (-1, self.dim))
        kernels = [ops.convert_to_tensor(projection.kernel) for projection in projections]
        # A matrix product over folded rows is several times faster on a CPU than a batched one.
        bias = None
        if self.qkv_bias:
            biases = [ops.convert_to_tensor(projection.bias) for projection in projections]
            bias = ops.concatenate(biases, axis=0)
        group = rows_of_one(tokens.shape, training)
        rows = product(rows, ops.concatenate(kernels, axis=1), self.product_dtype, group, bias)
        return ops.reshape(rows, (-1, tokens.shape[1], len(projections) * self.dim))

    def call(
        self,
        tokens: keras.KerasTensor,
        queries: keras.KerasTensor | None = None,
        key_mask: keras.KerasTensor | None = None,
        scale: keras.KerasTensor | None = None,
        training: bool | None = None,
    ) -> keras.KerasTensor:
        dropout = None
        if training and self.attention_dropout is not None:
            dropout = functools.partial(self.attention_dropout, training=True)
        if queries is None:
            projections = self._project(tokens, training, self.query, self.key, self.value)
            mixed = self_attention(projections, self.num_heads, key_mask, dropout)
        else:
            query = self._project(queries, training, self.query)
            key, value = ops.split(self._project(tokens, training, self.key, self.value), 2, axis=-1)
            mixed = token_attention(query, key, value, self.num_heads, key_mask, dropout)
        rows, group = ops.reshape(mixed, (-1, self.dim)), rows_of_one(mixed.shape, training)
        output = dense_rows(self.projection, rows, self.product_dtype, group, scale)
        output = ops.reshape(output, (-1, mixed.shape[1], self.dim))
        if self.dropout is not None:
            output = self.dropout(output, training=training)
        return output

    def compute_output_shape(self, tokens_shape: tuple, queries_shape: tuple | None = None) -> tuple:
        return queries_shape or tokens_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "dim": self.dim,
            "num_heads": self.num_heads,
            "qkv_bias": self.qkv_bias,
            "attention_dropout": self.attention_dropout_rate,
            "dropout": self.dropout_rate,
            "initial": self.initial,
        }
