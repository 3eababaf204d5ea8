"""Multi-head attention over short token sequences."""

from __future__ import annotations

import keras
from keras import ops

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

    Call arguments:
        tokens: `(B, N, C)`, keys and values, and queries too unless those are given.
        queries: `(B, Q, C)` or None.
        key_mask: `(B, N)` bool, True on tokens that nobody may attend to; or None.

    Output: `(B, Q, C)`.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int = 8,
        qkv_bias: bool = True,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
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
        self.query = keras.layers.Dense(dim, use_bias=qkv_bias, dtype=self.dtype_policy, name="query")
        self.key = keras.layers.Dense(dim, use_bias=qkv_bias, dtype=self.dtype_policy, name="key")
        self.value = keras.layers.Dense(dim, use_bias=qkv_bias, dtype=self.dtype_policy, name="value")
        self.projection = keras.layers.Dense(dim, dtype=self.dtype_policy, name="projection")
        self.attention_dropout = keras.layers.Dropout(attention_dropout) if attention_dropout else None
        self.dropout = keras.layers.Dropout(dropout) if dropout else None

    def build(self, input_shape: tuple | None = None) -> None:
        for dense in (self.query, self.key, self.value, self.projection):
            dense.build((None, self.dim))
        self.built = True

    def _heads(self, projection: keras.layers.Layer, tokens: keras.KerasTensor) -> keras.KerasTensor:
        """`(B, N, C)` -> `(B, heads, N, C / heads)`."""
        length = tokens.shape[1]
        # A matrix product over folded rows is several times faster on a CPU than a batched one.
        rows = projection(ops.reshape(tokens, (-1, self.dim)))
        split = ops.reshape(rows, (-1, length, self.num_heads, self.dim // self.num_heads))
        return ops.transpose(split, (0, 2, 1, 3))

    def call(
        self,
        tokens: keras.KerasTensor,
        queries: keras.KerasTensor | None = None,
        key_mask: keras.KerasTensor | None = None,
        training: bool | None = None,
    ) -> keras.KerasTensor:
        queries = tokens if queries is None else queries
        scale = (self.dim // self.num_heads) ** -0.5
        query = self._heads(self.query, queries) * scale
        key = self._heads(self.key, tokens)
        value = self._heads(self.value, tokens)
        logits = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        if key_mask is not None:
            penalty = -1e9 if keras.backend.standardize_dtype(logits.dtype) != "float16" else -6e4
            logits = logits + ops.cast(key_mask, logits.dtype)[:, None, None, :] * penalty
        weights = ops.softmax(logits, axis=-1)
        if self.attention_dropout is not None:
            weights = self.attention_dropout(weights, training=training)
        mixed = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
        output = self.projection(ops.reshape(mixed, (-1, self.dim)))
        output = ops.reshape(output, (-1, queries.shape[1], self.dim))
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
        }
