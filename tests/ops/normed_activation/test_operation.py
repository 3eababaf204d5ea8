"""Bias, batch normalization, LeakyReLU and dropout in one: compiled against keras.ops in float64."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import dispatch
from tf_pose3d.ops.normed_activation import normed_activation

EPSILON, SLOPE = 1e-3, 0.2


@pytest.fixture(autouse=True)
def _compiled(compiled):
    """All of these tests need the compiled library."""


def _inputs(samples, joints, width, seed=0):
    rng = np.random.default_rng(seed)
    shapes = ((samples, joints * width), (joints * width,), (width,), (width,))
    return [
        tf.constant(rng.normal(size=shape) + (0.5 if len(shape) == 1 else 0), "float32") for shape in shapes
    ]


def _value_and_gradients(inputs, rate=0.0):
    generator = keras.random.SeedGenerator(3)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y, mean, variance = normed_activation(*inputs, EPSILON, SLOPE, rate, generator)
        weights = tf.cast(tf.sin(tf.range(tf.size(y), dtype=tf.float32)), y.dtype)
        loss = tf.reduce_sum(y * tf.reshape(weights, y.shape))
    return [value.numpy() for value in (y, mean, variance, *tape.gradient(loss, inputs))]


@pytest.mark.parametrize(("samples", "joints", "width"), [(1, 2, 1), (3, 17, 5), (7, 3, 8), (200, 17, 64)])
def test_values_and_gradients_equal_those_of_keras_ops_in_float64(samples, joints, width):
    inputs = _inputs(samples, joints, width)
    found = _value_and_gradients(inputs)
    expected = _value_and_gradients([tf.cast(value, "float64") for value in inputs])
    for value, reference in zip(found, expected, strict=True):
        assert value.dtype == "float32"
        np.testing.assert_allclose(value, reference, rtol=0, atol=2e-5 * max(1, np.abs(reference).max()))


def test_the_compiled_operation_serves_float32():
    graph = tf.function(lambda *x: _outputs(*x)).get_concrete_function(*_inputs(4, 2, 8)).graph
    assert "TfPose3dNormedActivation" in {operation.type for operation in graph.get_operations()}


GENERATOR = keras.random.SeedGenerator(7)


def _outputs(*inputs):
    return normed_activation(*inputs, EPSILON, SLOPE, 0.25, GENERATOR)


@pytest.mark.parametrize("rate", [0.25, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    inputs = _inputs(400, 17, 24)
    whole = _value_and_gradients(inputs)[0]
    dropped = _value_and_gradients(inputs, rate)[0]
    kept = dropped != 0
    assert kept.mean() == pytest.approx(1 - rate, abs=0.005)
    np.testing.assert_allclose(dropped[kept], whole[kept] / (1 - rate), rtol=1e-5)
    for axis in (0, 1):  # no sample and no feature is favoured
        deviation = kept.mean(axis) - (1 - rate)
        count = kept.shape[axis]
        assert deviation.std() == pytest.approx((rate * (1 - rate) / count) ** 0.5, rel=0.15)
    neighbours = np.corrcoef(kept[:, :-1].ravel(), kept[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.01


def test_the_gradient_is_that_of_the_kept_features():
    inputs = _inputs(6, 3, 8)
    y = _value_and_gradients(inputs, 0.5)[0]

    def loss_of(x, mask):
        value, _, _ = normed_activation(
            tf.constant(x), *(tf.cast(v, "float64") for v in inputs[1:]), EPSILON, SLOPE, 0.0, GENERATOR
        )
        return float(tf.reduce_sum(value * mask * tf.reshape(tf.sin(tf.range(value.shape[0] * value.shape[1],
            dtype=tf.float64)), value.shape)))  # fmt: skip

    gradient = _value_and_gradients(inputs, 0.5)[3]
    x, mask = inputs[0].numpy().astype(np.float64), np.where(y != 0, 2.0, 0.0)
    for place in ((0, 0), (2, 5), (5, 23)):
        step = np.zeros_like(x)
        step[place] = 1e-5
        slope = (loss_of(x + step, mask) - loss_of(x - step, mask)) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=2e-4)


def test_seeds_say_what_is_dropped():
    inputs = _inputs(20, 17, 8)
    first, again = (_value_and_gradients(inputs, 0.5)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    generator = keras.random.SeedGenerator(3)
    steps = [normed_activation(*inputs, EPSILON, SLOPE, 0.5, generator)[0].numpy() != 0 for _ in range(2)]
    assert 0.4 < (steps[0] == steps[1]).mean() < 0.6


def test_shapes_that_do_not_fit_are_refused():
    x, bias, gamma, beta = _inputs(4, 2, 8)
    for inputs in ((x, bias[:-1], gamma, beta), (x, bias, gamma[:-1], beta), (x[:, :-1], bias, gamma, beta)):
        with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
            normed_activation(*inputs, EPSILON, SLOPE, 0.0, GENERATOR)


def test_second_derivatives_are_refused():
    inputs = _inputs(4, 2, 8)
    with tf.GradientTape() as outer:
        outer.watch(inputs[0])
        with tf.GradientTape() as inner:
            inner.watch(inputs[0])
            loss = tf.reduce_sum(tf.square(_outputs(*inputs)[0]))
        gradient = tf.reduce_sum(inner.gradient(loss, inputs[0]))
    with pytest.raises((Pose3DError, LookupError), match="second derivatives"):
        outer.gradient(gradient, inputs[0])


def test_the_reference_serves_elsewhere():
    inputs = _inputs(50, 17, 8)
    expected = _value_and_gradients(inputs)
    with dispatch.without_compiled("normed_activation"):
        values = _value_and_gradients(inputs)
        y, _, _ = normed_activation(*inputs, EPSILON, SLOPE, 0.25, keras.random.SeedGenerator(1))
    for value, reference in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, reference, rtol=1e-3, atol=1e-4)
    assert (y.numpy() == 0).mean() == pytest.approx(0.25, abs=0.02)
