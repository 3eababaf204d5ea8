import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_pose3d.errors import Pose3DError
from tf_pose3d.geometry.heatmaps import gaussian_heatmaps
from tf_pose3d.layers.residual import BasicBlock, BottleneckBlock, NormedConvolution
from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import build_model, load_model, save_model
from tf_pose3d.models.pose_resnet.config import BLOCKS_PER_STAGE, PoseResNetConfig
from tf_pose3d.models.pose_resnet.losses import heatmap_loss
from tf_pose3d.weights.convert import convert

NARROW = {
    "NUM_LAYERS": 18,
    "STAGE_CHANNELS": [4, 6, 8, 10],
    "NUM_DECONV_FILTERS": [8, 8, 8],
    "IMAGE_SIZE": [64, 96],
    "HEATMAP_SIZE": [16, 24],
}


def images(batch=2, seed=0):
    return np.random.default_rng(seed).normal(size=(batch, 96, 64, 3)).astype("float32")


@pytest.mark.parametrize("depth", BLOCKS_PER_STAGE)
def test_every_depth_makes_heat_maps_of_a_quarter_of_the_size(depth):
    model = build_model(PoseResNetConfig.from_dict({**NARROW, "NUM_LAYERS": depth}))
    convolutions = 2 + sum(len(block.chain) for blocks in model.stages for block in blocks)
    assert convolutions == depth  # the classifier that ResNet counts is the deconvolutions here
    heatmaps = model({"image": images(1)}, training=False)["heatmaps"]
    assert heatmaps.shape == (1, 24, 16, 20)
    assert np.isfinite(heatmaps).all()


def test_heat_maps_equal_the_release(golden):
    folder = golden / "pose2d" / "h36m_small"
    model = convert(folder / "backbone.pth.tar", "pose2d", image_size=[64, 64], heatmap_size=[16, 16])
    with np.load(folder / "forward.npz") as arrays:
        image, expected = (np.moveaxis(arrays[name], 1, -1) for name in ("image", "heatmaps"))
    found = np.asarray(model({"image": image}, training=False)["heatmaps"])
    assert found.shape == expected.shape
    assert np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected))) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "millions"), [(50, 34.0), (101, 53.0), (152, 68.6)])
def test_parameters_of_the_published_sizes(depth, millions):
    model = build_model(PoseResNetConfig.from_dict({"NUM_LAYERS": depth, "JOINTS": "mpi_inf_3dhp_17"}))
    assert sum(w.shape.num_elements() for w in model.trainable_weights) / 1e6 == pytest.approx(
        millions, abs=0.05
    )


@pytest.mark.parametrize("values", [{"FINAL_CONV_KERNEL": 3}, {"DECONV_WITH_BIAS": True}])
def test_weights_are_saved_and_loaded(tmp_path, values):
    model = build_model(PoseResNetConfig.from_dict({**NARROW, **values}))
    batch = {"image": images()}
    model(batch, training=True)  # other running statistics than new ones
    save_model(model, tmp_path / "backbone.h5")
    again = load_model(tmp_path / "backbone.h5")
    expected = model(batch, training=False)["heatmaps"]
    np.testing.assert_array_equal(again(batch, training=False)["heatmaps"], expected)


@pytest.mark.parametrize(
    "policy", ["mixed_float16", pytest.param("mixed_bfloat16", marks=pytest.mark.bfloat16)]
)
def test_mixed_precision_gives_float32_heat_maps(policy):
    keras.utils.set_random_seed(1)
    exact = build_model(PoseResNetConfig.from_dict(NARROW))
    keras.config.set_dtype_policy(policy)
    try:
        half = build_model(PoseResNetConfig.from_dict(NARROW))
    finally:
        keras.config.set_dtype_policy("float32")
    # New deconvolutions give less than float16 holds.
    for layer in (*exact.deconvolutions, exact.final):
        layer.kernel.assign(50 * layer.kernel)
    half.set_weights(exact.get_weights())
    found = half({"image": images()}, training=False)["heatmaps"]
    expected = exact({"image": images()}, training=False)["heatmaps"]
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, expected, atol=0.05 * np.abs(expected).max())


def test_compiled_with_xla():
    model = build_model(PoseResNetConfig.from_dict(NARROW))
    run = tf.function(lambda image: model({"image": image}, training=False)["heatmaps"], jit_compile=True)
    expected = model({"image": images()}, training=False)["heatmaps"]
    np.testing.assert_allclose(run(tf.constant(images())), expected, atol=1e-5)


def test_a_few_steps_lower_the_loss():
    keras.utils.set_random_seed(0)
    config = PoseResNetConfig.from_dict(NARROW)
    model, loss = build_model(config), get_family("pose2d").loss(config)
    # Eager: tracing the graph would take longer than the steps.
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(2, 14, (4, 20, 2)).astype("float32")
    batch = {
        "image": images(4),
        "heatmaps": gaussian_heatmaps(keypoints, (16, 24), 2.0),
        "weights": np.ones((4, 20), "float32"),
    }
    optimizer = keras.optimizers.Adam(3e-3)

    def step():
        with tf.GradientTape() as tape:
            value = loss(model(batch, training=True), batch)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(value, [v.value for v in variables]), variables)
        return value

    first = float(step())
    for _ in range(15):
        last = float(step())
    assert last < 0.9 * first


def test_the_loss_leaves_out_joints_that_are_not_visible():
    rng = np.random.default_rng(0)
    found, wanted = rng.normal(size=(2, 3, 4, 5, 20)).astype("float32")
    weights = np.ones((3, 20), "float32")
    weights[:, 7] = 0
    batch = {"heatmaps": wanted, "weights": weights}
    by_joint = np.mean(np.square(found - wanted), axis=(0, 1, 2))
    config = PoseResNetConfig()
    family = get_family("pose2d")
    value = family.loss(config)({"heatmaps": found}, batch)
    assert float(value) == pytest.approx(by_joint.sum() - by_joint[7], rel=1e-5)
    every = family.loss(config.replace(USE_TARGET_WEIGHT=False))({"heatmaps": found}, batch)
    assert float(every) == pytest.approx(by_joint.sum(), rel=1e-5)
    assert float(heatmap_loss(found, found)) == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"IMAGE_SIZE": [100, 96]}, "expected multiples of 32"),
        ({"HEATMAP_SIZE": [16, 16]}, "a quarter of IMAGE_SIZE"),
        ({"STAGE_CHANNELS": [4, 8]}, "STAGE_CHANNELS is .* expected 4 whole numbers"),
        ({"NUM_DECONV_FILTERS": [4]}, "expected three whole numbers"),
        ({"SELECTED_CAMS": [1, 1]}, "different cameras"),
        ({"NUM_LAYERS": 51}, "NUM_LAYERS is 51 .*known: 101, 152, 18, 34, 50"),
        ({"MIX_MPII": True, "JOINTS": "mpi_inf_3dhp_17"}, "MIX_MPII needs JOINTS union_20"),
        ({"AUGM_FLIP_PROB": 0.5}, "expected at most 0"),
    ],
)
def test_bad_values_are_named(values, message):
    with pytest.raises(Pose3DError, match=message):
        PoseResNetConfig.from_dict({**NARROW, **values})


@pytest.mark.parametrize(
    "layer",
    [
        NormedConvolution(6, 3, 2, activation=False),
        BasicBlock(6, 2, project=True),
        BasicBlock(5),
        BottleneckBlock(3, 2, project=True),
    ],
)
def test_layers_build_from_shapes_and_from_their_config(layer):
    x = np.random.default_rng(0).normal(size=(2, 9, 7, 5)).astype("float32")
    again = type(layer).from_config(layer.get_config())
    layer.build((None, None, None, 5))
    again.build((None, None, None, 5))
    again.set_weights(layer.get_weights())
    y = layer(x)
    np.testing.assert_array_equal(again(x), y)
    assert tuple(y.shape) == layer.compute_output_shape((2, 9, 7, 5))


def test_strided_convolutions_have_zeros_on_both_sides_as_in_pytorch():
    layer = NormedConvolution(1, 3, 2, activation=False)
    layer.build((None, None, None, 1))
    layer.convolution.kernel.assign(np.arange(9.0).reshape(3, 3, 1, 1))
    x = np.arange(16.0, dtype="float32").reshape(1, 4, 4, 1)
    padded = np.pad(x[0, ..., 0], 1)
    kernel = np.arange(9.0).reshape(3, 3)
    expected = [[np.sum(padded[i : i + 3, j : j + 3] * kernel) for j in (0, 2)] for i in (0, 2)]
    np.testing.assert_allclose(layer(x)[0, ..., 0], np.array(expected) / np.sqrt(1 + 1e-5), rtol=1e-5)
