"""deform_conv2d: values and gradients against golden data, numerical derivatives and the definition."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import deform_conv2d, dispatch
from tf_pose3d.ops.deform_conv import reference
from tf_pose3d.ops.deform_conv.options import ConvOptions

GOLDEN_CASES = [
    "v1_kernel5x1",
    "v1_large_offsets",
    "v1_stride2_groups",
    "v1_warper_dilation3",
    "v2_modulated",
]
INPUTS = ("x", "offset", "weight", "mask", "bias")


def make_problem(
    *,
    batch=2,
    size=(7, 6),
    channels=4,
    filters=6,
    kernel=(3, 3),
    strides=(1, 1),
    padding="valid",
    dilation=(1, 1),
    groups=1,
    deformable_groups=1,
    data_format="channels_last",
    mask=True,
    bias=True,
    dtype="float64",
    seed=0,
):
    """Random inputs of one convolution by name, and its options.

    Fractions of the offsets keep away from 0 and 1, where the output has no derivative.
    """
    options = ConvOptions.make(strides, padding, dilation, groups, deformable_groups, data_format)
    rng = np.random.default_rng(seed)
    out = tuple(options.output_size(size[axis], kernel[axis], axis) for axis in (0, 1))
    taps = deformable_groups * kernel[0] * kernel[1]

    def laid_out(array):
        return array if data_format == "channels_last" else array.transpose(0, 3, 1, 2)

    offset_shape = (batch, *out, 2 * taps)
    problem = {
        "x": laid_out(rng.normal(size=(batch, *size, channels))),
        "offset": laid_out(rng.integers(-3, 3, offset_shape) + rng.uniform(0.2, 0.8, offset_shape)),
        "weight": rng.normal(size=(*kernel, channels // groups, filters)) * 0.3,
        "mask": laid_out(rng.normal(size=(batch, *out, taps))) if mask else None,
        "bias": rng.normal(size=filters) if bias else None,
    }
    return {k: None if v is None else tf.constant(v, dtype) for k, v in problem.items()}, options


def value_and_gradients(module, problem, options, seed=1):
    """Output and the gradients of its product with a fixed random tensor, as float64 arrays."""
    given_inputs = {k: v for k, v in problem.items() if v is not None}
    with tf.GradientTape() as tape:
        tape.watch(given_inputs)
        y = module.deform_conv2d(*(given_inputs.get(name) for name in INPUTS), options)
    factor = tf.constant(np.random.default_rng(seed).normal(size=y.shape), y.dtype)
    grads = tape.gradient(y, given_inputs, output_gradients=factor)
    return {"y": tf.cast(y, "float64").numpy()} | {
        f"grad_{k}": tf.cast(v, "float64").numpy() for k, v in grads.items()
    }


def assert_same(got, expected, tolerance):
    assert got.keys() == expected.keys()
    for name in expected:
        scale = max(1.0, np.abs(expected[name]).max(initial=0.0))
        np.testing.assert_allclose(got[name], expected[name], atol=tolerance * scale, rtol=0, err_msg=name)


@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
@pytest.mark.parametrize("case", GOLDEN_CASES)
def test_golden_values_and_gradients(golden, implementation, case, data_format):
    with np.load(golden / "deform_conv" / f"{case}.npz") as data:
        arrays = {name: data[name] for name in data.files}

    def laid_out(name, array):
        if name.endswith("weight"):
            return array.transpose(2, 3, 1, 0)
        return array.transpose(0, 2, 3, 1) if array.ndim == 4 and data_format == "channels_last" else array

    options = ConvOptions.make(
        *(arrays[name].tolist() for name in ("stride", "padding", "dilation", "groups", "deformable_groups")),
        data_format,
    )
    inputs = {name: tf.constant(laid_out(name, arrays[name])) for name in INPUTS if name in arrays}
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = implementation.deform_conv2d(*(inputs.get(name) for name in INPUTS), options)
    grads = tape.gradient(y, inputs, output_gradients=tf.constant(laid_out("grad_y", arrays["grad_y"])))
    results = {"y": y} | {f"grad_{name}": grad for name, grad in grads.items()}
    for name, got in results.items():
        expected = laid_out(name, arrays[name])
        assert np.all(np.abs(got.numpy() - expected) <= 1e-4 * np.maximum(1, np.abs(expected))), name


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data_format": "channels_first"},
        {"mask": False, "bias": False},
        {"strides": (2, 1), "padding": "same"},
        {"strides": (1, 3), "padding": ((2, 0), (1, 3)), "size": (5, 8)},
        {"kernel": (1, 4), "dilation": (3, 2), "padding": (0, 3)},
        {"kernel": (2, 3), "groups": 2, "deformable_groups": 4},
        {"groups": 4, "filters": 4, "deformable_groups": 1},
        {"channels": 16, "filters": 9, "kernel": (2, 2), "data_format": "channels_first"},
        {"channels": 32, "filters": 10, "kernel": (2, 2), "groups": 2, "deformable_groups": 2, "batch": 1},
        {"channels": 40, "filters": 3, "kernel": (2, 1), "batch": 1, "size": (4, 5)},
    ],
    ids=str,
)
def test_gradients_equal_numerical_ones(compiled, changes):
    problem, options = make_problem(**changes)
    grads = value_and_gradients(compiled, problem, options)
    factor = np.random.default_rng(1).normal(size=grads["y"].shape)
    rng = np.random.default_rng(2)
    step = 1e-5
    for name in [k for k, v in problem.items() if v is not None]:
        for _ in range(3):
            direction = rng.normal(size=problem[name].shape)
            products = []
            for sign in (1, -1):
                moved = problem | {name: problem[name] + sign * step * direction}
                y = compiled.deform_conv2d(*(moved[k] for k in INPUTS), options)
                products.append(np.sum(factor * y.numpy()))
            numerical = (products[0] - products[1]) / (2 * step)
            assert np.sum(grads[f"grad_{name}"] * direction) == pytest.approx(numerical, rel=1e-6, abs=1e-7)


def test_zero_offset_is_an_ordinary_convolution(implementation):
    problem, options = make_problem(mask=False, bias=False, padding="same", dilation=(2, 1), strides=(1, 1))
    problem["offset"] = tf.zeros_like(problem["offset"])
    y = implementation.deform_conv2d(*(problem[name] for name in INPUTS), options)
    expected = tf.nn.conv2d(problem["x"], problem["weight"], 1, "SAME", dilations=(2, 1))
    np.testing.assert_allclose(y, expected, atol=1e-12)


@st.composite
def conv_arguments(draw):
    """Arguments of make_problem whose output is not empty."""
    small = st.integers(1, 3)
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    per_group = draw(st.sampled_from([1, 2, 3, 8, 11, 16]))
    channels = groups * per_group
    divisors = [n for n in range(1, channels + 1) if channels % n == 0]
    kernel = draw(st.tuples(small, small))
    dilation = draw(st.tuples(small, small))
    pads = draw(st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2))
    size = tuple(
        draw(st.integers(max(1, dilation[a] * (kernel[a] - 1) + 1 - sum(pads[a])), 9)) for a in (0, 1)
    )
    return {
        "batch": draw(st.integers(0, 3)),
        "size": size,
        "channels": channels,
        "filters": groups * draw(st.sampled_from([1, 3, 8, 17])),
        "kernel": kernel,
        "strides": draw(st.tuples(small, small)),
        "padding": pads,
        "dilation": dilation,
        "groups": groups,
        "deformable_groups": draw(st.sampled_from(divisors)),
        "data_format": draw(st.sampled_from(["channels_last", "channels_first"])),
        "mask": draw(st.booleans()),
        "bias": draw(st.booleans()),
        "seed": draw(st.integers(0, 1000)),
    }


@settings(max_examples=40, deadline=None, derandomize=True)
@given(arguments=conv_arguments(), dtype=st.sampled_from(["float32", "float64"]))
def test_kernels_agree_with_the_reference(compiled, arguments, dtype):
    problem, options = make_problem(**arguments, dtype=dtype)
    assert_same(
        value_and_gradients(compiled, problem, options),
        value_and_gradients(reference, problem, options),
        1e-11 if dtype == "float64" else 3e-5,
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 2e-3), ("bfloat16", 1.6e-2)])
@pytest.mark.parametrize("deformable_groups", [1, 16])
def test_half_types_accumulate_in_float32(compiled, dtype, tolerance, deformable_groups):
    problem, options = make_problem(
        channels=16, filters=5, deformable_groups=deformable_groups, padding=1, dtype=dtype, size=(12, 12)
    )
    exact = {k: tf.cast(v, "float64") for k, v in problem.items()}
    got = value_and_gradients(compiled, problem, options)
    # The factor of the gradients is rounded too, hence the margin over one rounding of the result.
    assert_same(got, value_and_gradients(reference, exact, options), tolerance)
    y = compiled.deform_conv2d(*(problem[name] for name in INPUTS), options)
    assert y.dtype == dtype


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30])
@pytest.mark.parametrize("deformable_groups", [1, 8])
def test_offsets_that_are_no_numbers_contribute_nothing(implementation, value, deformable_groups):
    problem, options = make_problem(channels=8, deformable_groups=deformable_groups, padding=1)
    offset = problem["offset"].numpy()
    bad = np.random.default_rng(3).random((*offset.shape[:3], offset.shape[3] // 2)) < 0.3
    component = np.random.default_rng(4).integers(0, 2, bad.shape)
    pairs = offset.reshape(*bad.shape, 2)
    pairs[..., 0][bad & (component == 0)] = value
    pairs[..., 1][bad & (component == 1)] = value
    dropped = np.where(bad, 0.0, problem["mask"].numpy())
    harmless = np.where(bad[..., None], 0.5, pairs).reshape(offset.shape)
    got = value_and_gradients(implementation, problem | {"offset": tf.constant(offset)}, options)
    expected = value_and_gradients(
        implementation, problem | {"offset": tf.constant(harmless), "mask": tf.constant(dropped)}, options
    )
    expected["grad_offset"][np.repeat(bad, 2, axis=-1)] = 0.0
    expected["grad_mask"][bad] = 0.0
    assert_same(got, expected, 1e-12)


def test_samples_at_the_border_are_half_outside(implementation):
    options = ConvOptions.make(1, "valid", 1, 1, 1, "channels_last")
    x = tf.ones((1, 2, 2, 1))
    weight = tf.ones((1, 1, 1, 1))
    for dy, expected in ((-0.5, 0.5), (-0.999, 0.001), (-1.0, 0.0), (1.5, 0.5), (2.0, 0.0)):
        offset = tf.concat([tf.fill((1, 2, 2, 1), dy), tf.zeros((1, 2, 2, 1))], axis=-1)
        y = implementation.deform_conv2d(x, offset, weight, None, None, options)
        assert float(y[0, 0, 0, 0]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("channels", [4, 16])
def test_empty_batch(implementation, channels):
    problem, options = make_problem(batch=0, channels=channels)
    results = value_and_gradients(implementation, problem, options)
    assert results["y"].shape == (0, 5, 4, 6)
    assert not results["grad_weight"].any()
    assert not results["grad_bias"].any()


def test_results_are_the_same_from_run_to_run(compiled):
    for changes in ({"channels": 20, "deformable_groups": 20}, {"channels": 64, "filters": 32}, {"batch": 1}):
        # On GPUs grad_x is a sum of atomic additions.
        with tf.device("CPU:0"):
            problem, options = make_problem(
                **{"size": (24, 24), "padding": 1, "batch": 5, "dtype": "float32"} | changes
            )
            first = value_and_gradients(compiled, problem, options)
            for _ in range(3):
                assert_same(value_and_gradients(compiled, problem, options), first, 0.0)


def test_public_function_takes_arrays_and_every_padding(compiled):
    problem, _ = make_problem(mask=False, bias=False, padding=1, dtype="float32")
    arrays = [problem[name].numpy() for name in ("x", "offset", "weight")]
    results = [
        deform_conv2d(*arrays, padding=padding).numpy()
        for padding in (1, (1, 1), ((1, 1), (1, 1)), "same", "SAME")
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_tf_function_is_used_twice_with_unknown_sizes(compiled):
    traces = []

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, None, 4)),
            tf.TensorSpec((None, None, None, 18)),
            tf.TensorSpec((3, 3, 4, 6)),
        ]
    )
    def gradient(x, offset, weight):
        traces.append(1)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = deform_conv2d(x, offset, weight, strides=2, padding="same")
        return y, tape.gradient(y, x)

    for size in ((7, 6), (9, 12)):
        problem, options = make_problem(
            size=size, strides=2, padding="same", mask=False, bias=False, dtype="float32"
        )
        y, grad = gradient(problem["x"], problem["offset"], problem["weight"])
        expected = reference.deform_conv2d(*(problem[name] for name in INPUTS), options)
        np.testing.assert_allclose(y, expected, atol=1e-5)
        assert grad.shape == problem["x"].shape
    assert len(traces) == 1


def test_inside_xla_the_reference_computes(compiled, caplog):
    dispatch._say_xla_once.cache_clear()
    problem, options = make_problem(mask=False, bias=False, dtype="float32")
    inputs = [problem[name] for name in ("x", "offset", "weight")]

    @tf.function(jit_compile=True)
    def inside(x, offset, weight):
        with tf.GradientTape() as tape:
            tape.watch(offset)
            y = deform_conv2d(x, offset, weight)
        return y, tape.gradient(y, offset)

    y, grad = inside(*inputs)
    outside = value_and_gradients(compiled, problem, options)
    np.testing.assert_allclose(y, outside["y"], atol=1e-5)
    assert np.all(np.isfinite(grad))
    assert "jit_compile=True" in caplog.text
    operations = {
        op.type for op in tf.function(deform_conv2d).get_concrete_function(*inputs).graph.get_operations()
    }
    assert "TfPose3dDeformConv2d" in operations


def test_second_derivatives_are_refused(compiled):
    problem, _ = make_problem(mask=False, bias=False)
    x = problem["x"]
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = deform_conv2d(x, problem["offset"], problem["weight"])
        grad = inner.gradient(y, x)
    with pytest.raises(Pose3DError, match="second derivatives"):
        outer.gradient(grad, x)
