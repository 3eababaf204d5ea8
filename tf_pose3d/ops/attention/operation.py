"""Attention over token sequences, compiled where that serves (see `tf_pose3d.ops.dispatch`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops.attention import compiled
from tf_pose3d.types import Tensor

__all__ = ["masked_score", "self_attention", "token_attention"]


def masked_score(dtype: str) -> float:
    """What is added to the scores of masked keys: finite in `dtype`, so that a sample whose keys are all
    masked attends to all of them alike instead of giving NaN."""
    return -6e4 if dtype == "float16" else -1e9


def token_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    num_heads: int,
    key_mask: Tensor | None = None,
    dropout: Callable[[Any], Any] | None = None,
) -> Tensor:
    """Multi-head scaled dot-product attention: softmax(query key^T / sqrt(depth)) value in every head.

    Vaswani et al., "Attention is all you need", 2017.

    Args:
        query: `(B, Q, C)`; head h has channels `h * depth` to `(h + 1) * depth`, depth being C / num_heads.
        key, value: `(B, N, C)`.
        num_heads: Number of heads, a divisor of C.
        key_mask: `(B, N)` bool, True on keys that nobody may attend to; or None. Where a sample's keys are
            all masked, their weights are equal.
        dropout: Applied to the attention weights `(B, num_heads, Q, N)`; None for none.

    Returns:
        `(B, Q, C)`.

    Raises:
        Pose3DError: num_heads does not divide C.
    """
    _check_heads(query.shape[-1], num_heads)
    if dropout is None and compiled.OPERATION.serves(query, key, value):
        return compiled.token_attention([query, key, value], num_heads, _as_bool(key_mask))
    return _attention_by_products(query, key, value, num_heads, key_mask, dropout)


def self_attention(
    projections: Tensor,
    num_heads: int,
    key_mask: Tensor | None = None,
    dropout: Callable[[Any], Any] | None = None,
) -> Tensor:
    """`token_attention` of tokens whose query, key and value come out of one matrix product.

    Args:
        projections: `(B, N, 3 C)`: query, key and value side by side.
        num_heads, key_mask, dropout: As in `token_attention`.

    Returns:
        `(B, N, C)`.

    Raises:
        Pose3DError: The channels are no multiple of 3 num_heads.
    """
    if projections.shape[-1] % 3:
        raise Pose3DError(f"projections: expected 3 C channels, got {projections.shape[-1]}")
    width = projections.shape[-1] // 3
    _check_heads(width, num_heads)
    if dropout is None and compiled.OPERATION.serves(projections):
        return compiled.token_attention([projections], num_heads, _as_bool(key_mask))
    # All heads of all three in one copy; a split into three would be one more of each.
    split = ops.reshape(projections, (-1, projections.shape[1], 3, num_heads, width // num_heads))
    query, key, value = ops.unstack(ops.transpose(split, (2, 0, 3, 1, 4)), 3, axis=0)
    return _attention_of_heads(query, key, value, key_mask, dropout)


def _check_heads(width: int, num_heads: int) -> None:
    if num_heads < 1 or width % num_heads:
        raise Pose3DError(f"width {width} is not a multiple of {num_heads} heads")


def _as_bool(key_mask: Tensor | None) -> Tensor | None:
    return None if key_mask is None else ops.cast(key_mask, "bool")


def _heads(tokens: Tensor, num_heads: int) -> Tensor:
    """`(B, N, C)` -> `(B, heads, N, depth)`."""
    split = ops.reshape(tokens, (-1, tokens.shape[1], num_heads, tokens.shape[-1] // num_heads))
    return ops.transpose(split, (0, 2, 1, 3))


def _attention_by_products(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    num_heads: int,
    key_mask: Tensor | None,
    dropout: Callable[[Any], Any] | None,
) -> Tensor:
    query, key, value = (_heads(one, num_heads) for one in (query, key, value))
    return _attention_of_heads(query, key, value, key_mask, dropout)


def _attention_of_heads(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_mask: Tensor | None,
    dropout: Callable[[Any], Any] | None,
) -> Tensor:
    """By matrix products: `(B, heads, Q, depth)` and two of `(B, heads, N, depth)` -> `(B, Q, C)`."""
    heads, queries, depth = query.shape[1:]
    logits = ops.matmul(query * depth**-0.5, ops.transpose(key, (0, 1, 3, 2)))
    if key_mask is not None:
        penalty = masked_score(keras.backend.standardize_dtype(logits.dtype))
        logits = logits + ops.cast(key_mask, logits.dtype)[:, None, None, :] * penalty
    weights = ops.softmax(logits, axis=-1)
    if dropout is not None:
        weights = dropout(weights)
    mixed = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
    return ops.reshape(mixed, (-1, queries, heads * depth))
