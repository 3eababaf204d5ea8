"""Large matrix products in half precision: near the plain ones, and nothing else changed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tf_pose3d.layers.folding import folded_weights
from tf_pose3d.layers.products import narrow_products, product
from tf_pose3d.models.loading import build_model
from tf_pose3d.models.uplift_upsample.config import UpliftUpsampleConfig
from tf_pose3d.models.videopose3d.config import VideoPose3DConfig

CONFIGS = {
    "videopose3d": VideoPose3DConfig(FILTER_WIDTHS=[3, 3], CHANNELS=256),
    "uplift": UpliftUpsampleConfig(
        SEQUENCE_LENGTH=9,
        SEQUENCE_STRIDE=5,
        MASK_STRIDE=[10],
        STRIDES=[3, 3],
        PADDINGS=[[1, 1], [0, 0]],
        SPATIAL_EMBED_DIM=8,
        TEMPORAL_EMBED_DIM=128,
        NUM_HEADS=2,
    ),
}


def make(name):
    keras.utils.set_random_seed(0)
    return build_model(CONFIGS[name])


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("dtype", [pytest.param("bfloat16", marks=pytest.mark.bfloat16), "float16"])
def test_poses_stay_and_gradients_flow(name, dtype):
    plain, narrow = make(name), make(name)
    assert narrow_products(narrow, dtype) > 0.5
    random = np.random.default_rng(0)
    batch = {
        "keypoints_2d": random.uniform(-0.5, 0.5, (4, 9, 17, 2)).astype(np.float32),
        "stride_mask": np.tile(np.arange(9) % 2 == 0, (4, 1)),
    }
    expected = np.asarray(plain(batch)["pose_3d"])
    found = narrow(batch)["pose_3d"]
    assert ops.dtype(found) == "float32"
    difference = np.abs(np.asarray(found) - expected)
    # Rounded, and no more: 2^-8 and 2^-11 of the values.
    assert 0 < difference.max() < 0.03 * np.abs(expected).max()
    with tf.GradientTape() as tape:
        loss = ops.sum(ops.square(narrow(batch, training=True)["pose_3d"]))
    gradients = tape.gradient(loss, [weight.value for weight in narrow.trainable_variables])
    assert all(
        gradient is None or np.isfinite(tf.convert_to_tensor(gradient)).all() for gradient in gradients
    )
    assert sum(gradient is not None for gradient in gradients) > len(gradients) / 2
    assert all(weight.dtype == "float32" for weight in narrow.weights if "float" in weight.dtype)


@pytest.mark.bfloat16
def test_folded_weights_are_narrowed_too():
    plain, narrow = make("videopose3d"), make("videopose3d")
    narrow_products(narrow, "bfloat16")
    keypoints = np.random.default_rng(1).uniform(-0.5, 0.5, (1, 30, 17, 2)).astype(np.float32)
    with folded_weights(plain), folded_weights(narrow):
        expected, found = (np.asarray(model.lift_sequence(keypoints)) for model in (plain, narrow))
    assert 0 < np.abs(found - expected).max() < 0.03 * np.abs(expected).max()


@pytest.mark.parametrize("dtype", [pytest.param("bfloat16", marks=pytest.mark.bfloat16), "float16"])
def test_what_rows_have_in_common_is_not_rounded(dtype):
    """Tokens that differ by a hundredth of what they share: rounded whole, they lose a third of it."""
    random = np.random.default_rng(0)
    rows = np.repeat(random.normal(size=(5, 1, 160)), 12, axis=1) + 0.01 * random.normal(size=(5, 12, 160))
    rows = rows.reshape(60, 160).astype(np.float32)
    kernel, bias = (random.normal(size=shape).astype(np.float32) for shape in ((160, 200), (200,)))
    expected = rows.astype(np.float64) @ kernel + bias

    def error(group):
        kernel_tensor = ops.convert_to_tensor(kernel)
        found = product(ops.convert_to_tensor(rows), kernel_tensor, dtype, group, ops.convert_to_tensor(bias))
        return np.abs(np.asarray(found) - expected).max()

    plain = np.abs(rows @ kernel + bias - expected).max()
    assert plain < error(12) < error(None) / 20
    # Of few rows the mean is as much work as the rows.
    assert error(6) < 3 * plain


@pytest.mark.bfloat16
def test_steps_of_training_round_whole_rows():
    narrow, plain = make("uplift"), make("uplift")
    narrow_products(narrow, "bfloat16")
    # As faces of different people: every window has tokens that have much in common.
    random = np.random.default_rng(0)
    keypoints = np.repeat(random.uniform(-0.5, 0.5, (4, 1, 17, 2)), 9, axis=1)
    keypoints = (keypoints + random.normal(0, 0.01, (4, 9, 17, 2))).astype(np.float32)
    batch = {"keypoints_2d": keypoints, "stride_mask": np.ones((4, 9), bool)}
    expected = np.asarray(plain(batch)["pose_3d"])
    lifting, training = (
        np.abs(np.asarray(narrow(batch, training=mode)["pose_3d"]) - expected).max() for mode in (False, True)
    )
    assert 0 < lifting < training / 3


def test_small_products_are_left_alone():
    rows = np.random.default_rng(0).normal(size=(5, 127)).astype(np.float32)
    kernel = ops.convert_to_tensor(np.random.default_rng(1).normal(size=(127, 200)).astype(np.float32))
    np.testing.assert_array_equal(product(rows, kernel, "bfloat16"), product(rows, kernel))
    assert narrow_products(build_model("semgcn"), "bfloat16") == 0


@pytest.mark.bfloat16
def test_narrowed_networks_agree_under_xla():
    model = make("videopose3d")
    narrow_products(model, "bfloat16")
    keypoints = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 9, 17, 2)).astype(np.float32)
    compiled = tf.function(lambda batch: model({"keypoints_2d": batch})["pose_3d"], jit_compile=True)
    expected = np.asarray(model({"keypoints_2d": keypoints})["pose_3d"])
    np.testing.assert_allclose(compiled(keypoints), expected, atol=0.02 * np.abs(expected).max())
