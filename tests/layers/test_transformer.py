"""Transformer layers against plain NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tf_pose3d.layers.attention import MultiHeadAttention
from tf_pose3d.layers.drop_path import DropPath, drop_path_rates
from tf_pose3d.layers.strided_length import strided_length
from tf_pose3d.layers.transformer import StridedTransformerBlock, TransformerBlock

RANDOM = np.random.default_rng(0)


def normal(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def softmax(x):
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def layer_norm(x, layer):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + layer.epsilon) * np.asarray(layer.gamma) + np.asarray(layer.beta)


def dense(x, layer):
    return x @ np.asarray(layer.kernel) + np.asarray(layer.bias)


def attention_by_hand(layer, tokens, queries, key_mask=None):
    depth = layer.dim // layer.num_heads
    query, key, value = dense(queries, layer.query), dense(tokens, layer.key), dense(tokens, layer.value)
    output = np.empty_like(query)
    for head in range(layer.num_heads):
        part = slice(head * depth, (head + 1) * depth)
        logits = query[..., part] @ key[..., part].swapaxes(-1, -2) / np.sqrt(depth)
        if key_mask is not None:
            logits = np.where(key_mask[:, None, :], -1e9, logits)
        output[..., part] = softmax(logits) @ value[..., part]
    return dense(output, layer.projection)


def randomise(layer):
    for weight in layer.weights:
        weight.assign(normal(*weight.shape) * 0.3)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("length", "dim", "heads"), [(17, 32, 8), (71, 48, 2), (1, 8, 1)])
def test_attention(length, dim, heads, masked):
    layer = MultiHeadAttention(dim, heads)
    layer.build()
    randomise(layer)
    tokens, queries = normal(3, length, dim), normal(3, 5, dim)
    key_mask = np.zeros((3, length), bool)
    if masked:
        key_mask[:, 1::2] = True
    got = layer(tokens, queries=queries, key_mask=key_mask if masked else None)
    np.testing.assert_allclose(got, attention_by_hand(layer, tokens, queries, key_mask), atol=1e-4)
    own = layer(tokens, key_mask=key_mask if masked else None)
    np.testing.assert_allclose(own, attention_by_hand(layer, tokens, tokens, key_mask), atol=1e-4)


def test_attention_refuses_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="not a multiple of 3 heads"):
        MultiHeadAttention(8, 3)


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_block(activation):
    from math import erf, sqrt

    block = TransformerBlock(16, 4, activation=activation)
    block.build()
    randomise(block)
    tokens = normal(2, 6, 16)
    x = tokens + attention_by_hand(block.attention, *[layer_norm(tokens, block.norm1)] * 2)
    hidden = dense(layer_norm(x, block.norm2), block.mlp.expand)
    if activation == "gelu":
        hidden = hidden * 0.5 * (1 + np.vectorize(erf)(hidden / sqrt(2)))
    else:
        hidden = np.maximum(hidden, 0)
    expected = x + dense(hidden, block.mlp.contract)
    np.testing.assert_allclose(block(tokens), expected, atol=1e-4)
    # In training bias and GELU are one operation.
    np.testing.assert_allclose(block(tokens, training=True), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("length", "stride", "padding"),
    [(9, 3, (0, 0)), (23, 10, (0, 0)), (9, 3, (1, 1)), (41, 4, (1, 1)), (7, 1, (1, 1)), (8, 2, (0, 1))],
)
def test_strided_block(length, stride, padding):
    block = StridedTransformerBlock(8, length, stride, padding, num_heads=2, activation="relu")
    block.build()
    randomise(block)
    tokens = normal(2, length, 8)
    # All tokens, zero padding and a plain strided convolution, as the release writes it.
    x = tokens + attention_by_hand(block.attention, *[layer_norm(tokens, block.norm1)] * 2)
    mlp = block.mlp
    hidden = layer_norm(x, block.norm2) @ np.asarray(mlp.expand_kernel)[0] + np.asarray(mlp.expand_bias)
    hidden = np.pad(np.maximum(hidden, 0), ((0, 0), padding, (0, 0)))
    count = strided_length(length, stride, padding)
    kernel = np.asarray(mlp.contract_kernel)
    shortened = np.stack(
        [np.einsum("btc,tcd->bd", hidden[:, i * stride : i * stride + 3], kernel) for i in range(count)], 1
    ) + np.asarray(mlp.contract_bias)
    residual = x[:, 0 if padding[0] else 1 : length if padding[1] else length - 1][:, ::stride][:, :count]
    got = block(tokens)
    assert got.shape == (2, count, 8)
    np.testing.assert_allclose(got, residual + shortened, atol=1e-4)


def test_drop_path_keeps_the_mean_and_whole_samples():
    layer = DropPath(0.25, seed=0)
    ones = np.ones((4000, 3, 2), np.float32)
    np.testing.assert_array_equal(layer(ones, training=False), ones)
    kept = np.asarray(layer(ones, training=True))
    per_sample = kept.reshape(4000, -1)
    assert set(np.unique(per_sample.round(5))) == {0.0, np.float32(1 / 0.75).round(5)}
    assert np.all(per_sample == per_sample[:, :1])
    assert kept.mean() == pytest.approx(1, abs=0.03)


def test_drop_path_rates_are_linear():
    assert drop_path_rates(0.3, 4) == pytest.approx([0, 0.1, 0.2, 0.3])
    assert drop_path_rates(0.3, 1) == [0.0]
    assert drop_path_rates(0.3, 0) == []
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        DropPath(1.0)


@pytest.mark.parametrize(
    "layer",
    [
        TransformerBlock(8, 2, drop_path=0.1, dropout=0.2, activation="relu"),
        StridedTransformerBlock(8, 9, 3, (0, 0), num_heads=2),
        MultiHeadAttention(8, 2, qkv_bias=False, attention_dropout=0.1),
        DropPath(0.1),
    ],
)
def test_layers_are_rebuilt_from_their_config(layer):
    again = type(layer).from_config(layer.get_config())
    config = again.get_config()
    assert {k: v for k, v in config.items() if k != "name"} == {
        k: v for k, v in layer.get_config().items() if k != "name"
    }
    shape = layer.compute_output_shape((2, 9, 8))
    assert tuple(layer(keras.KerasTensor((2, 9, 8))).shape) == tuple(shape)
