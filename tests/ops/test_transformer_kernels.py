"""Attention, layer normalization and GELU: compiled against the same in float64 and against keras.ops."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops.attention import compiled as compiled_attention
from tf_pose3d.ops.attention import operation as attention
from tf_pose3d.ops.bias_gelu import bias_gelu
from tf_pose3d.ops.bias_gelu import compiled as compiled_gelu
from tf_pose3d.ops.layer_norm import compiled as compiled_norm
from tf_pose3d.ops.layer_norm import layer_norm

REPOSITORY = Path(__file__).resolve().parents[2]
SIZES = st.integers(1, 20)


def random(rng, *shape, scale=1.0):
    return tf.constant(scale * rng.normal(size=shape), "float32")


def value_and_gradients(function, inputs):
    """Output and gradients of a weighted sum of it, as arrays."""
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = function(*inputs)
    weights = np.random.default_rng(9).normal(size=y.shape)
    gradients = tape.gradient(y, inputs, tf.constant(weights, y.dtype))
    return [array.numpy() for array in (y, *gradients)]


def assert_same_as_float64(function, inputs, tolerance=1e-5):
    """Float32, which the kernels serve, against float64, which keras.ops does."""
    got = value_and_gradients(function, inputs)
    expected = value_and_gradients(function, [tf.cast(x, "float64") for x in inputs])
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == "float32"
        assert b.dtype == "float64"
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1, np.abs(b).max(initial=0)))


def operations(function, *inputs):
    graph = tf.function(function).get_concrete_function(*inputs).graph
    return {operation.type for operation in graph.get_operations()}


@pytest.fixture(autouse=True)
def _compiled(compiled):
    """All of these tests need the compiled library."""


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1")
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    batch=SIZES,
    queries=SIZES,
    keys=st.integers(1, 32),
    heads=st.integers(1, 4),
    depth=st.integers(1, 16),
    masked=st.sampled_from([None, 0.0, 0.5, 1.0]),
    seed=st.integers(0, 99),
)
def test_token_attention(batch, queries, keys, heads, depth, masked, seed):
    rng = np.random.default_rng(seed)
    width = heads * depth
    inputs = [random(rng, batch, count, width, scale=2) for count in (queries, keys, keys)]
    mask = None if masked is None else tf.constant(rng.uniform(size=(batch, keys)) < masked)
    if masked == 1.0:
        # Scores of masked keys are rounded to multiples of 64 in float32; float64 would keep their digits.
        inputs[0] *= 0.01

    def attend(query, key, value):
        return attention.token_attention(query, key, value, heads, mask)

    if masked in (None, 0.0):
        assert_same_as_float64(attend, inputs)
    else:
        got = value_and_gradients(attend, inputs)
        expected = value_and_gradients(
            lambda query, key, value: attention._attention_by_products(query, key, value, heads, mask, None),
            inputs,
        )
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(1, np.abs(b).max()))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    batch=SIZES, keys=st.integers(1, 40), heads=st.integers(1, 8), depth=st.sampled_from([1, 2, 3, 4, 8, 16])
)
def test_self_attention_is_token_attention(batch, keys, heads, depth):
    rng = np.random.default_rng(0)
    projections = random(rng, batch, keys, 3 * heads * depth)
    mask = tf.constant(rng.uniform(size=(batch, keys)) < 0.3)
    got = value_and_gradients(lambda p: attention.self_attention(p, heads, mask), [projections])
    expected = value_and_gradients(
        lambda *parts: attention.token_attention(*parts, heads, mask), tf.split(projections, 3, axis=-1)
    )
    np.testing.assert_array_equal(got[0], expected[0])
    np.testing.assert_array_equal(got[1], np.concatenate(expected[1:], axis=-1))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    shape=st.sampled_from([(7,), (1, 5), (3, 4, 1), (130, 8), (2, 3, 5, 32), (300, 33), (650, 96), (9, 384)]),
    offset=st.sampled_from([0.0, 5.0]),
    seed=st.integers(0, 99),
)
def test_layer_norm(shape, offset, seed):
    rng = np.random.default_rng(seed)
    inputs = [random(rng, *shape) + offset, random(rng, shape[-1]), random(rng, shape[-1])]
    assert_same_as_float64(lambda *given: layer_norm(*given, 1e-5), inputs, tolerance=5e-5)


@pytest.mark.parametrize("width", [7, 16, 32, 96, 97])
def test_rows_normed_together_are_each_as_alone(width):
    rng = np.random.default_rng(0)
    # Some rows are left over from those taken together, and some blocks from those of one task.
    x, upstream = random(rng, 333, width), random(rng, 333, width)
    vectors = [random(rng, width), random(rng, width)]

    def value_and_gradient(rows):
        part = tf.constant(x.numpy()[rows])
        with tf.GradientTape() as tape:
            tape.watch(part)
            y = layer_norm(part, *vectors, 1e-5)
        return y.numpy(), tape.gradient(y, part, upstream.numpy()[rows]).numpy()

    together = value_and_gradient(slice(None))
    for row in (0, 5, 63, 64, 70, 255, 331, 332):
        for alone, all_rows in zip(value_and_gradient(slice(row, row + 1)), together, strict=True):
            np.testing.assert_array_equal(alone[0], all_rows[row])


@settings(max_examples=30, deadline=None, derandomize=True)
@given(shape=st.sampled_from([(7,), (1, 5), (130, 8), (2, 3, 64), (300, 33)]), seed=st.integers(0, 99))
def test_bias_gelu(shape, seed):
    rng = np.random.default_rng(seed)
    inputs = [random(rng, *shape, scale=3), random(rng, shape[-1])]
    assert_same_as_float64(bias_gelu, inputs, tolerance=2e-6)


def test_gelu_over_its_whole_range():
    x = np.concatenate([np.linspace(-14, 14, 40001), [-1e30, 1e30, -3e38, 3e38, np.inf]])
    x = tf.constant(x[:, None], "float32")
    zero = tf.zeros(1)
    y, slope, _ = value_and_gradients(lambda x, b: bias_gelu(x, b), [x, zero])
    exact = x.numpy().astype("float64")[:, 0]
    finite = np.abs(exact) < 15
    expected = tf.nn.gelu(tf.constant(exact), approximate=False).numpy()
    np.testing.assert_allclose(y[finite, 0], expected[finite], rtol=7e-7, atol=1e-10)
    np.testing.assert_array_equal(y[~finite, 0], np.maximum(x.numpy()[~finite, 0], 0))
    assert np.all(np.isfinite(slope[finite]))


def test_empty_batches():
    width = 8
    p = tf.zeros((0, 5, 3 * width))
    assert [a.shape for a in value_and_gradients(lambda p: attention.self_attention(p, 2), [p])] == [
        (0, 5, width),
        (0, 5, 3 * width),
    ]
    x, c = tf.zeros((0, width)), tf.ones(width)
    for y, dx, *rest in (
        value_and_gradients(lambda *given: layer_norm(*given, 1e-5), [x, c, c]),
        value_and_gradients(bias_gelu, [x, c]),
    ):
        assert y.shape == dx.shape == (0, width)
        for grad in rest:
            np.testing.assert_array_equal(grad, np.zeros(width))


def test_large_scores_do_not_overflow():
    p = random(np.random.default_rng(0), 3, 17, 24, scale=30)
    assert_same_as_float64(lambda p: attention.self_attention(p, 2), [p])


def test_nan_stays_in_its_sample():
    p = np.random.default_rng(0).normal(size=(11, 5, 24)).astype("float32")
    clean, clean_grad = value_and_gradients(lambda p: attention.self_attention(p, 2), [tf.constant(p)])
    p[3, 2, 0] = np.nan  # a query of head 0
    p[9, 1, 8:16] = np.nan  # a key of both heads
    got, grad = value_and_gradients(lambda p: attention.self_attention(p, 2), [tf.constant(p)])
    assert np.all(np.isnan(got[3, 2, :4]))
    assert np.all(np.isnan(got[9]))
    others = [i for i in range(11) if i not in (3, 9)]
    np.testing.assert_array_equal(got[others], clean[others])
    np.testing.assert_array_equal(grad[others], clean_grad[others])
    x = tf.constant([[1.0, np.nan], [3.0, 4.0]])
    normed = layer_norm(x, tf.ones(2), tf.zeros(2), 1e-5).numpy()
    np.testing.assert_array_equal(np.isnan(normed), [[True, True], [False, False]])
    np.testing.assert_array_equal(np.isnan(bias_gelu(x, tf.zeros(2))), np.isnan(x))


def test_runs_repeat_bit_for_bit_whatever_the_threads(tmp_path):
    code = """
import sys
import numpy as np
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
from tf_pose3d.ops.attention import self_attention
from tf_pose3d.ops.bias_gelu import bias_gelu
from tf_pose3d.ops.layer_norm import layer_norm
rng = np.random.default_rng(0)
x, gain, shift, dy = (tf.constant(rng.normal(size=s), "float32") for s in ((3001, 96), 96, 96, (3001, 96)))
p = tf.reshape(x[:3000], (-1, 6, 96))
long = tf.reshape(x[:3000], (-1, 60, 96))
results = []
for _ in range(2):
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, gain, shift, p, long])
        normed = layer_norm(x, gain, shift, 1e-5)
        gelu = bias_gelu(x, shift)
        attended = self_attention(p, 4)
        far = self_attention(long, 2)
    grads = [
        tape.gradient(normed, [x, gain, shift], dy),
        tape.gradient(gelu, [x, shift], dy),
        tape.gradient(attended, p),
        tape.gradient(far, long),
    ]
    results.append([t.numpy() for t in tf.nest.flatten([normed, gelu, attended, far, grads])])
for a, b in zip(*results):
    np.testing.assert_array_equal(a, b)
np.savez(sys.argv[2], *results[0])
"""
    results = []
    for threads in (1, 3):
        run_python(code, threads, tmp_path / f"{threads}.npz", TF_POSE3D_OPS="require")
        results.append(np.load(tmp_path / f"{threads}.npz"))
    assert results[0].files
    for name in results[0].files:
        np.testing.assert_array_equal(results[0][name], results[1][name])


def test_every_instruction_set_gives_the_same(tmp_path):
    code = """
import sys
import numpy as np
import tensorflow as tf
from tf_pose3d.ops.attention import self_attention
from tf_pose3d.ops.bias_gelu import bias_gelu
from tf_pose3d.ops.layer_norm import layer_norm
rng = np.random.default_rng(0)
results = []
for width in (6, 64, 100):
    x, gain, shift = (tf.constant(rng.normal(size=s), "float32") for s in ((35, width), width, width))
    with tf.GradientTape() as tape:
        tape.watch([x, gain, shift])
        y = [layer_norm(x, gain, shift, 1e-5), bias_gelu(x, shift)]
    results += [y, tape.gradient(y, [x, gain, shift])]
shapes = ((19, 17, 24, 2), (33, 9, 64, 8), (5, 17, 128, 8), (3, 70, 60, 2), (2, 81, 64, 1))
for batch, tokens, width, heads in shapes:
    p = tf.constant(rng.normal(size=(batch, tokens, 3 * width)), "float32")
    masked = tf.constant(rng.random((batch, tokens)) < 0.3)
    with tf.GradientTape() as tape:
        tape.watch(p)
        y = [self_attention(p, heads), self_attention(p, heads, masked)]
    results += [y, tape.gradient(y, p)]
np.savez(sys.argv[1], *(t.numpy() for t in tf.nest.flatten(results)))
"""
    results = []
    for most in ("SSE41", "AVX2", "DEFAULT"):
        path = tmp_path / f"{most}.npz"
        run_python(code, path, TF_POSE3D_OPS="require", ONEDNN_MAX_CPU_ISA=most)
        results.append(np.load(path))
    assert results[0].files
    for wider in results[1:]:
        for name in results[0].files:
            np.testing.assert_allclose(wider[name], results[0][name], rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    "dtype", ["float16", pytest.param("bfloat16", marks=pytest.mark.bfloat16), "float64"]
)
def test_other_types_are_computed_by_keras(dtype):
    p = random(np.random.default_rng(0), 3, 5, 24)
    for function in (
        lambda p: attention.self_attention(p, 2, tf.zeros((3, 5), "bool")),
        lambda p: layer_norm(p, tf.ones(24, p.dtype), tf.ones(24, p.dtype), 1e-5),
        lambda p: bias_gelu(p, tf.ones(24, p.dtype)),
    ):
        typed = tf.cast(p, dtype)
        assert not any(name.startswith("TfPose3d") for name in operations(function, typed))
        y = function(typed)
        assert y.dtype == dtype
        tolerance = {"float64": 1e-5, "float16": 1e-2, "bfloat16": 1e-1}[dtype]
        np.testing.assert_allclose(tf.cast(y, "float32"), function(p), atol=tolerance)


# Heads of 48 and 68, more keys than one panel or one block of queries has, and neither.
@pytest.mark.parametrize(
    ("batch", "queries", "keys", "heads", "depth"),
    [(2, 17, 17, 2, 64), (1, 243, 243, 2, 16), (2, 40, 700, 1, 3), (3, 5, 33, 2, 17), (1, 3, 3, 1, 68)],
)
@pytest.mark.parametrize("masked", [False, True])
def test_wide_heads_and_long_sequences(batch, queries, keys, heads, depth, masked):
    rng = np.random.default_rng(0)
    inputs = [random(rng, batch, count, heads * depth) for count in (queries, keys, keys)]
    mask = tf.constant(rng.uniform(size=(batch, keys)) < 0.5) if masked else None

    def attend(query, key, value):
        return attention.token_attention(query, key, value, heads, mask)

    assert "TfPose3dTokenAttention" in operations(attend, *inputs)
    assert_same_as_float64(attend, inputs, tolerance=2e-6)


def test_a_long_sample_whose_keys_are_all_masked_attends_to_all_alike():
    rng = np.random.default_rng(0)
    inputs = [0.01 * random(rng, 2, 50, 2 * 20) for _ in range(3)]
    mask = tf.constant(np.stack([np.ones(50, bool), np.zeros(50, bool)]))
    got = attention.token_attention(*inputs, 2, mask)
    np.testing.assert_allclose(got[0], np.broadcast_to(inputs[2][0].numpy().mean(0), (50, 40)), atol=1e-7)


def test_sizes_may_be_unknown_while_tracing():
    p = random(np.random.default_rng(0), 4, 5, 24)
    traced = tf.function(
        lambda p: attention.self_attention(p, 2), input_signature=[tf.TensorSpec((None, 5, 24))]
    )
    np.testing.assert_array_equal(traced(p), attention.self_attention(p, 2))
    np.testing.assert_array_equal(traced(p[:1]), attention.self_attention(p[:1], 2))


def test_inside_xla_keras_computes():
    p = random(np.random.default_rng(0), 4, 5, 24)
    vector = tf.ones(24)

    def everything(p):
        with tf.GradientTape() as tape:
            tape.watch(p)
            y = layer_norm(p, vector, vector, 1e-5)
            y = attention.self_attention(bias_gelu(y, vector), 2)
        return y, tape.gradient(y, p)

    assert {
        "TfPose3dTokenAttention",
        "TfPose3dTokenAttentionGrad",
        "TfPose3dLayerNorm",
        "TfPose3dLayerNormGrad",
        "TfPose3dBiasGelu",
        "TfPose3dBiasGeluGrad",
    } <= operations(everything, p)
    for got, expected in zip(tf.function(everything, jit_compile=True)(p), everything(p), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_wrong_shapes_are_refused():
    with pytest.raises(Pose3DError, match="width 10 is not a multiple of 4 heads"):
        attention.token_attention(*[tf.zeros((1, 2, 10))] * 3, 4)
    with pytest.raises(Pose3DError, match="expected 3 C channels, got 10"):
        attention.self_attention(tf.zeros((1, 2, 10)), 2)
    query, key = tf.zeros((2, 3, 8)), tf.zeros((3, 3, 8))
    with pytest.raises(tf.errors.InvalidArgumentError, match="projections: expected batch 2, got 3"):
        compiled_attention.token_attention([query, key, key], 2, None)
    with pytest.raises(tf.errors.InvalidArgumentError, match="key_mask: expected keys 3, got 4"):
        compiled_attention.token_attention([query] * 3, 2, tf.zeros((2, 4), "bool"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="gain: expected 8 channels"):
        compiled_norm.layer_norm(query, tf.ones(7), tf.ones(8), 1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="bias: expected 8 channels"):
        compiled_gelu.bias_gelu(query, tf.ones(1))


def test_second_derivatives_are_refused():
    x = tf.ones((2, 8))
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = bias_gelu(x, tf.zeros(8))
        grad = inner.gradient(y, x)
    with pytest.raises(Pose3DError, match="no second derivatives"):
        outer.gradient(grad, x)


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="no PyTorch for a second backend")
def test_other_backends_import_no_tensorflow():
    code = """
import sys
import numpy as np
from keras import ops
from tf_pose3d.ops.attention import self_attention
from tf_pose3d.ops.bias_gelu import bias_gelu
from tf_pose3d.ops.layer_norm import layer_norm
p = ops.convert_to_tensor(np.ones((2, 5, 24), "float32"))
c = ops.ones(24)
y = self_attention(bias_gelu(layer_norm(p, c, c, 1e-5), c), 2)
# Norm 0, shift 1, bias 1: GELU of 2.
np.testing.assert_allclose(ops.convert_to_numpy(y), 1.9544997, atol=1e-6)
print("tensorflow" in sys.modules)
"""
    result = run_python(code, KERAS_BACKEND="torch", TF_POSE3D_OPS="require")
    assert result.stdout.split() == ["False"]


def run_python(code, *arguments, **environment):
    """Run code in a fresh interpreter, which must succeed."""
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=variables,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result
