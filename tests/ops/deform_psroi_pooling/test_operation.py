"""deform_psroi_pooling against the published operator's definition, written out one sample at a time."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops.deform_psroi_pooling import deform_psroi_pooling, reference
from tf_pose3d.ops.deform_psroi_pooling.options import PsRoiOptions


def round_half_away(value):
    return np.sign(value) * np.floor(np.abs(value) + 0.5)


def defined(x, rois, trans, o):
    """The operator for channels-first float64 arrays, as Dai et al. released it."""
    _, channels, height, width = x.shape
    size, samples, groups = o.pooled_size, o.sample_per_part, o.group_size
    output_dim = channels // groups**2
    classes = 1 if trans is None else trans.shape[1] // 2
    y = np.zeros((len(rois), output_dim, size, size))
    for n, c, i, j in np.ndindex(*y.shape):
        x1, y1, x2, y2 = round_half_away(rois[n, 1:])
        left, top = x1 * o.spatial_scale - 0.5, y1 * o.spatial_scale - 0.5
        roi_width = max((x2 + 1) * o.spatial_scale - 0.5 - left, 0.1)
        roi_height = max((y2 + 1) * o.spatial_scale - 0.5 - top, 0.1)
        move_x = move_y = 0.0
        if trans is not None:
            k = c // (output_dim // classes)
            part = (int(np.floor(i / size * o.part_size)), int(np.floor(j / size * o.part_size)))
            move_x, move_y = trans[n, 2 * k : 2 * k + 2, part[0], part[1]] * o.trans_std
        start_x = j * roi_width / size + left + move_x * roi_width
        start_y = i * roi_height / size + top + move_y * roi_height
        channel = (c * groups + i * groups // size) * groups + j * groups // size
        values = []
        for a, b in np.ndindex(samples, samples):
            w = start_x + b * roi_width / size / samples
            h = start_y + a * roi_height / size / samples
            if w < -0.5 or w > width - 0.5 or h < -0.5 or h > height - 0.5 or np.isnan(w + h):
                continue
            w, h = min(max(w, 0), width - 1), min(max(h, 0), height - 1)
            w0, w1, h0, h1 = int(np.floor(w)), int(np.ceil(w)), int(np.floor(h)), int(np.ceil(h))
            image = x[int(rois[n, 0]), channel]
            upper = image[h0, w0] * (1 - (w - w0)) + image[h0, w1] * (w - w0)
            lower = image[h1, w0] * (1 - (w - w0)) + image[h1, w1] * (w - w0)
            values.append(upper * (1 - (h - h0)) + lower * (h - h0))
        y[n, c, i, j] = np.mean(values) if values else 0.0
    return y


def make_problem(
    *,
    batch=2,
    size=(9, 11),
    output_dim=4,
    group_size=1,
    pooled_size=3,
    part_size=None,
    sample_per_part=2,
    classes=1,
    regions=5,
    data_format="channels_last",
    dtype="float64",
    seed=0,
):
    rng = np.random.default_rng(seed)
    options = PsRoiOptions.make(0.25, group_size, pooled_size, part_size, sample_per_part, 0.1, data_format)
    x = rng.normal(size=(batch, output_dim * group_size**2, *size))
    corners = rng.uniform(-8, 4 * np.array([size[1], size[0]]), (2, regions, 2))
    rois = np.concatenate(
        [rng.integers(0, batch, (regions, 1)), corners.min(axis=0), corners.max(axis=0)], axis=1
    )
    part = options.part_size
    trans = rng.normal(size=(regions, 2 * classes, part, part)) * 2 if classes else None
    arrays = {"x": x, "rois": rois, "trans": trans}

    def tensor(name, array):
        if array is None:
            return None
        if array.ndim == 4 and data_format == "channels_last":
            array = array.transpose(0, 2, 3, 1)
        kind = "float64" if dtype == "float64" else "float32"
        return tf.constant(array, kind if name == "rois" else dtype)

    return arrays, {name: tensor(name, array) for name, array in arrays.items()}, options


def value_and_gradients(module, problem, options):
    watched = {name: problem[name] for name in ("x", "trans") if problem[name] is not None}
    with tf.GradientTape() as tape:
        tape.watch(watched)
        y = module.deform_psroi_pooling(watched["x"], problem["rois"], watched.get("trans"), options)
    factor = tf.constant(np.random.default_rng(1).normal(size=y.shape), y.dtype)
    grads = tape.gradient(y, watched, output_gradients=factor)
    return {"y": tf.cast(y, "float64").numpy()} | {k: tf.cast(v, "float64").numpy() for k, v in grads.items()}


CASES = [
    {},
    {"data_format": "channels_first"},
    {"classes": 0},
    {"group_size": 3, "output_dim": 2},
    {"group_size": 2, "pooled_size": 5, "part_size": 3, "classes": 2, "sample_per_part": 3},
    {"pooled_size": 2, "part_size": 4, "classes": 4, "data_format": "channels_first"},
    {"size": (1, 1), "regions": 2},
]


@pytest.mark.parametrize("changes", CASES, ids=str)
def test_values_are_as_defined(implementation, changes):
    arrays, problem, options = make_problem(**changes)
    y = implementation.deform_psroi_pooling(problem["x"], problem["rois"], problem["trans"], options).numpy()
    if options.data_format == "channels_last":
        y = y.transpose(0, 3, 1, 2)
    np.testing.assert_allclose(y, defined(**arrays, o=options), atol=1e-12)


@pytest.mark.parametrize("changes", CASES[:-1], ids=str)
def test_gradients_equal_numerical_ones(implementation, changes):
    _, problem, options = make_problem(**changes)
    grads = value_and_gradients(implementation, problem, options)
    factor = np.random.default_rng(1).normal(size=grads["y"].shape)
    rng = np.random.default_rng(2)
    step = 1e-7
    for name in ("x", "trans"):
        if problem[name] is None:
            continue
        direction = rng.normal(size=problem[name].shape)
        products = []
        for sign in (1, -1):
            moved = problem | {name: problem[name] + sign * step * direction}
            y = implementation.deform_psroi_pooling(moved["x"], moved["rois"], moved["trans"], options)
            products.append(np.sum(factor * y.numpy()))
        numerical = (products[0] - products[1]) / (2 * step)
        assert np.sum(grads[name] * direction) == pytest.approx(numerical, rel=1e-5, abs=1e-6)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    arguments=st.fixed_dictionaries(
        {
            "batch": st.integers(1, 3),
            "size": st.tuples(st.integers(1, 8), st.integers(1, 8)),
            "output_dim": st.sampled_from([1, 2, 4]),
            "group_size": st.integers(1, 3),
            "pooled_size": st.integers(1, 5),
            "part_size": st.integers(1, 5),
            "sample_per_part": st.integers(1, 3),
            "classes": st.sampled_from([0, 1]),
            "regions": st.integers(0, 4),
            "data_format": st.sampled_from(["channels_last", "channels_first"]),
            "seed": st.integers(0, 1000),
        }
    )
)
def test_kernels_agree_with_the_reference(compiled, arguments):
    _, problem, options = make_problem(**arguments)
    got = value_and_gradients(compiled, problem, options)
    expected = value_and_gradients(reference, problem, options)
    for name in expected:
        np.testing.assert_allclose(got[name], expected[name], atol=1e-10, err_msg=name)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float16", 4e-3), ("bfloat16", 3e-2)])
def test_half_types_accumulate_in_float32(compiled, dtype, tolerance):
    _, problem, options = make_problem(group_size=2, dtype=dtype)
    exact = {name: tf.cast(tensor, "float64") for name, tensor in problem.items()}
    got = value_and_gradients(compiled, problem, options)
    expected = value_and_gradients(reference, exact, options)
    for name in expected:
        scale = max(1.0, np.abs(expected[name]).max())
        np.testing.assert_allclose(got[name], expected[name], atol=tolerance * scale, rtol=0, err_msg=name)


def test_nan_offsets_give_zero(implementation):
    _, problem, options = make_problem()
    problem["trans"] = tf.fill(problem["trans"].shape, tf.constant(np.nan, "float64"))
    results = value_and_gradients(implementation, problem, options)
    assert not any(array.any() for array in results.values())


def test_public_function_checks_its_arguments(compiled):
    _, problem, _ = make_problem(output_dim=4, group_size=2, classes=2)
    x, rois, trans = problem["x"], problem["rois"], problem["trans"]
    options = {"group_size": 2, "pooled_size": 3, "trans_std": 0.1}
    assert deform_psroi_pooling(x, rois, trans, output_dim=4, **options).shape == (5, 3, 3, 4)
    for message, bad_x, bad_rois, bad_trans, changes in (
        ("output_dim", x, rois, trans, {"output_dim": 5}),
        ("group_size", x, rois, trans, {"group_size": 3}),
        ("rois", x, rois[:, :4], trans, {}),
        ("trans: expected 5 regions", x, rois, trans[:3], {}),
        ("trans: expected height 2", x, rois, trans, {"part_size": 2}),
        ("trans: expected 2 channels", x, rois, trans[..., :3], {}),
        ("trans: expected dtype", x, rois, tf.cast(trans, "float32"), {}),
        ("pooled_size", x, rois, trans, {"pooled_size": 0}),
        ("trans_std", x, rois, trans, {"trans_std": -1.0}),
        ("spatial_scale", x, rois, trans, {"spatial_scale": 0.0}),
        ("x: expected 4 axes", x[0], rois, trans, {}),
    ):
        with pytest.raises(Pose3DError, match=message):
            deform_psroi_pooling(bad_x, bad_rois, bad_trans, **options | changes)


def test_image_index_outside_the_batch_is_an_error(compiled):
    _, problem, options = make_problem(classes=0)
    for index in (-1.0, 2.0, np.nan):
        rois = problem["rois"].numpy()
        rois[1, 0] = index
        message = r"rois: image index .* of region 1"
        # GPUs give such a region zeros.
        with tf.device("CPU:0"), pytest.raises(tf.errors.InvalidArgumentError, match=message):
            compiled.deform_psroi_pooling(problem["x"], tf.constant(rois), None, options)
