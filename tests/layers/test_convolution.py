"""Convolutions of one image in strips."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.layers.convolution import convolve


def make_layer(size=3, dilation=1, **values):
    layer = keras.layers.Conv2D(
        5, size, padding="same", dilation_rate=dilation, use_bias=False, data_format="channels_last", **values
    )
    layer.build((None, None, None, 4))
    return layer


@pytest.mark.parametrize("shape", [(1, 8, 9, 4), (1, 7, 6, 4), (1, 2, 3, 4), (3, 8, 6, 4)])
@pytest.mark.parametrize(("size", "dilation"), [(1, 1), (3, 1), (3, 4), (5, 2), (3, 24)])
def test_equal_to_the_layer(shape, size, dilation):
    layer = make_layer(size, dilation)
    images = tf.constant(np.random.default_rng(0).normal(size=shape), tf.float32)

    def value_and_gradients(apply):
        with tf.GradientTape() as tape:
            tape.watch(images)
            value = apply(images)
            loss = tf.reduce_sum(tf.sin(value))
        return value, *tape.gradient(loss, [images, layer.kernel.value])

    expected = value_and_gradients(layer)
    for found in (
        value_and_gradients(lambda images: convolve(layer, images)),
        value_and_gradients(tf.function(lambda images: convolve(layer, images))),
    ):
        for one, other in zip(found, expected, strict=True):
            assert one.shape == other.shape
            np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.bfloat16
def test_one_image_goes_in_strips(monkeypatch):
    layer = make_layer(dtype="mixed_bfloat16")
    monkeypatch.setattr(type(layer), "call", lambda *_: pytest.fail("in one piece"))
    assert convolve(layer, tf.zeros((1, 8, 6, 4))).dtype == tf.bfloat16
    with pytest.raises(BaseException, match="in one piece"):
        convolve(layer, tf.zeros((2, 8, 6, 4)))
