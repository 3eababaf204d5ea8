"""Maxima along lines: compiled and keras.ops against the plain definition."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.ops import dispatch
from tf_pose3d.ops.line_maximum import compiled as compiled_module
from tf_pose3d.ops.line_maximum import line_maximum


@pytest.fixture(params=["compiled", "reference"])
def implementation(request):
    """Each of the two ways of computing."""
    if request.param == "compiled":
        request.getfixturevalue("compiled")
        yield
    else:
        with dispatch.without_compiled("line_maximum"):
            yield


def straightforward(image, line):
    """Samples at all integer x and all integer y; outside is zero."""
    height, width, _ = image.shape
    x0, y0, x1, y1 = line.astype(np.float32)
    with np.errstate(all="ignore"):
        slope = (y1 - y0) / (x1 - x0)
        x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
        samples = [*zip(x, slope * (x - x0) + y0, strict=True), *zip((y - y0) / slope + x0, y, strict=True)]
    values = []
    for x, y in samples:
        column, row = np.rint(x), np.rint(y)
        inside = 0 <= column < width and 0 <= row < height
        values.append(image[int(row), int(column)] if inside else np.zeros(image.shape[-1]))
    return np.max(values, axis=0)


@pytest.mark.parametrize("shape", [(1, 1, 7, 9, 1), (2, 3, 12, 8, 5), (1, 2, 10, 10, 20), (1, 1, 9, 9, 8)])
def test_equal_to_the_definition(implementation, shape):
    rng = np.random.default_rng(sum(shape))
    batch, views, height, width, _ = shape
    images = rng.normal(size=shape).astype("float32")  # negative values: zeros outside matter
    sources = [views - 1, 0]
    lines = rng.uniform(-8, max(height, width) + 8, (batch, 2, 60, 4)).astype("float32")
    lines[:, :, :5, 3] = lines[:, :, :5, 1]  # horizontal
    lines[:, :, 5:10, 2] = lines[:, :, 5:10, 0]  # vertical
    lines[:, :, 10] = [0.25, 0.25, width - 0.75, height - 0.75]
    lines[:, :, 11] = [-1e4, 3, 1e4, 3.2]
    found = np.asarray(line_maximum(images, lines, sources))
    assert found.shape == (batch, 2, 60, shape[-1])
    for sample in range(batch):
        for place, source in enumerate(sources):
            for number in range(60):
                expected = straightforward(images[sample, source], lines[sample, place, number])
                np.testing.assert_allclose(found[sample, place, number], expected, atol=1e-6)


def test_what_is_no_line_gives_zero(implementation):
    images = np.ones((1, 1, 6, 6, 3), "float32")
    broken = [[2, 2, 2, 2], [np.nan, 0, 1, 1], [0, 0, np.inf, 1], [0, 0, 1, -np.inf], [1e7, 0, 2e7, 1]]
    lines = np.array([[broken]], "float32")
    assert not np.any(line_maximum(images, lines, [0]))


def test_gradients_flow_to_the_brightest_pixels(implementation):
    images = np.zeros((1, 1, 5, 6, 2), "float32")
    images[0, 0, 2, 4] = [3, 1]
    images[0, 0, 2, 1] = [2, 5]
    lines = tf.constant([[[[0.0, 2, 5, 2], [0, 0, 5, 0]]]])
    variable = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        found = line_maximum(variable, lines, [0])
        loss = tf.reduce_sum(found * tf.constant([10.0, 100]))
    np.testing.assert_array_equal(found, [[[[3, 5], [0, 0]]]])
    expected = np.zeros_like(images)
    expected[0, 0, 2, 4, 0], expected[0, 0, 2, 1, 1] = 10, 100
    np.testing.assert_array_equal(tf.convert_to_tensor(tape.gradient(loss, variable)), expected)


def test_the_compiled_operation_serves_graphs_of_any_batch(compiled):
    graph = tf.function(lambda images, lines: line_maximum(images, lines, [0, 1]))
    spec = tf.TensorSpec((None, 2, 6, 6, 3)), tf.TensorSpec((None, 2, 10, 4))
    concrete = graph.get_concrete_function(*spec)
    assert "TfPose3dBrightestPixel" in {operation.type for operation in concrete.graph.get_operations()}
    rng = np.random.default_rng(0)
    for batch in (1, 3):
        images = rng.normal(size=(batch, 2, 6, 6, 3)).astype("float32")
        lines = rng.uniform(0, 6, (batch, 2, 10, 4)).astype("float32")
        found = concrete(tf.constant(images), tf.constant(lines))
        np.testing.assert_array_equal(found, line_maximum(images, lines, [0, 1]))


def test_inside_xla_and_in_half_precision_keras_ops_serve(compiled):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(1, 2, 6, 6, 3)).astype("float32")
    lines = rng.uniform(0, 6, (1, 2, 10, 4)).astype("float32")
    expected = line_maximum(images, lines, [1, 0])
    inside = tf.function(lambda a, b: line_maximum(a, b, [1, 0]), jit_compile=True)
    np.testing.assert_allclose(inside(tf.constant(images), tf.constant(lines)), expected, atol=1e-6)
    half = line_maximum(tf.cast(images, tf.float16), lines, [1, 0])
    assert half.dtype == "float16"
    np.testing.assert_allclose(half, expected, atol=2e-3)


def test_shapes_that_do_not_fit_are_refused(compiled):
    images, lines = np.zeros((2, 2, 4, 4, 1), "float32"), np.zeros((1, 1, 3, 4), "float32")
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected batch 2, got 1"):
        compiled_module.brightest_pixel(images, lines, [0], 1e-3, 1e6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="sources: 2 is none of 2 images"):
        compiled_module.brightest_pixel(images[:1], lines, [2], 1e-3, 1e6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="expected 2 sets, got 1"):
        compiled_module.brightest_pixel(images[:1], lines, [0, 1], 1e-3, 1e6)
