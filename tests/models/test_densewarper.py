import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_pose3d
from tf_pose3d.errors import Pose3DError
from tf_pose3d.geometry import views
from tf_pose3d.models.densewarper.config import DenseWarperConfig
from tf_pose3d.models.densewarper.losses import joint_loss, released_targets, views_that_see
from tf_pose3d.models.densewarper.model import DenseWarper
from tf_pose3d.models.densewarper.warper import Warper
from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import build_model, load_model, save_model
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weight_files.pytorch import read_pytorch_checkpoint
from tf_pose3d.weights.converters.densewarper import DenseWarperConverter

CASES = ("h36m_small", "3dhp_small")
SMALL = {
    "NUM_LAYERS": 18,
    "STAGE_CHANNELS": [4, 4, 8, 8],
    "NUM_DECONV_FILTERS": [8, 8, 8],
    "IMAGE_SIZE": [64, 64],
    "HEATMAP_SIZE": [16, 16],
    "WARPER_CHANNELS": 6,
    "WARPER_BLOCKS": 1,
    "DILATIONS": [1, 3],
    "SIGMA": 2.0,
}


def assert_close(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.max(np.abs(actual - expected) / np.maximum(1, np.abs(expected))) < 1e-4


def assert_points_close(actual, expected):
    """Triangulated points, mm: rounding moves a point along its rays, whatever its single coordinates are."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    moved, distance = (np.linalg.norm(value, axis=-1) for value in (actual - expected, expected))
    # The farther a point, the more parallel its rays: the share by which rounding moves it grows as its
    # distance does. Random weights give points kilometres away; those within 100 m are held to 1e-4.
    assert np.max(moved / np.maximum(1, distance) / np.maximum(1, distance / 1e5)) < 1e-4


def channels_last(array):
    return np.moveaxis(array, -3, -1)


def cameras(arrays):
    """The release's cameras as batch keys."""
    matrix = arrays["K"]
    intrinsics = np.stack([matrix[..., 0, 0], matrix[..., 1, 1], matrix[..., 0, 2], matrix[..., 1, 2]], -1)
    return {
        "intrinsics": intrinsics,
        "rotation": arrays["R"],
        "translation": arrays["T"][..., 0],
        "crop": 4 * arrays["affine"][..., :2, :],
    }


# As released: every view counts, whatever its heat map shows.
RELEASED = {"image_size": [64, 64], "heatmap_size": [16, 16], "min_confidence": 0}


@pytest.fixture(scope="module")
def alike(golden):
    """(our model, arrays, cameras) of a released case of whose warpers the first stands for all."""
    folder = golden / "densewarper" / "h36m_small"
    with np.load(folder / "forward.npz") as file:
        arrays = dict(file)
    tensors = read_pytorch_checkpoint(golden / "pose2d" / "h36m_small" / "backbone.pth.tar").tensors
    warper = read_pytorch_checkpoint(folder / "warper_0.pth.tar").tensors
    for number in range(16):
        tensors.update({name.replace("warp.0.", f"warp.{number}."): value for name, value in warper.items()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DenseWarperConverter, "read", lambda self, path: Checkpoint(str(path), tensors, {}))
        model = tf_pose3d.convert(folder, "densewarper", **RELEASED)
    return model, arrays, cameras(arrays)


@pytest.fixture(scope="module", params=("alike", *CASES))
def released(request):
    """(our model with the released case's weights, arrays, cameras); whole files lie beside the checkout."""
    if request.param == "alike":
        return request.getfixturevalue("alike")
    folder = request.getfixturevalue("shared") / "golden" / "densewarper" / request.param
    with np.load(folder / "forward.npz") as file:
        arrays = dict(file)
    model = tf_pose3d.convert(folder / "warper.pth.tar", "densewarper", **RELEASED)
    return model, arrays, cameras(arrays)


@pytest.fixture(scope="module")
def group(golden):
    """A batch of two groups with real cameras, joints of one and random images."""
    with np.load(golden / "densewarper" / "h36m_small" / "forward.npz") as file:
        arrays = dict(file)
    batch = {name: np.repeat(value, 2, 0).astype("float32") for name, value in cameras(arrays).items()}
    projection = views.projection_matrix(batch["intrinsics"], batch["rotation"], batch["translation"])
    poses = np.repeat(arrays["joints_gt"], 2, 0)
    pixels = views.project_points(poses[:, :, None], np.asarray(projection)[:, None])
    heatmap = views.image_points(pixels, np.asarray(views.heatmap_affine(batch["crop"]))[:, None])
    return {
        **batch,
        "image": np.random.default_rng(0).normal(size=(2, 4, 64, 64, 3)).astype("float32"),
        "keypoints_2d": np.asarray(heatmap),
        "visible": np.ones((2, 4, 4, 17), "float32"),
        "pose_3d": poses,
    }


def of_views(batch, chosen):
    """The batch with some of its views."""
    per_view = ("image", "rotation", "translation", "intrinsics", "crop")
    return {name: value[:, chosen] if name in per_view else value for name, value in batch.items()}


def small_model(**values):
    keras.utils.set_random_seed(0)
    model = build_model(DenseWarperConfig.from_dict({**SMALL, **values}))
    # New deconvolutions give almost nothing; heat maps with joints in them are wanted.
    rng = np.random.default_rng(0)
    for layer in (*model.backbone.deconvolutions, model.backbone.final):
        layer.kernel.assign(rng.normal(size=layer.kernel.shape) * 0.1)
    return model


def test_backbone_and_warper_equal_the_release(released):
    model, arrays, _ = released
    heatmaps = model.backbone.heatmaps(channels_last(arrays["backbone_image"]))
    assert_close(heatmaps, channels_last(arrays["backbone_heatmaps"]))
    warped = model.warpers[0](channels_last(arrays["warp0_x"]), channels_last(arrays["warp0_y"]))
    assert_close(warped, channels_last(arrays["warp0_out"]))


def test_first_guesses_equal_the_release(released):
    model, arrays, inputs = released
    own = tf.constant(channels_last(arrays["heatmaps_gaussian"])[None])
    guesses = np.stack([arrays["newnet"][:, view, frame] for view, frame in model.warped], 1)
    assert_close(model.first_guesses(own, inputs), channels_last(guesses))


@pytest.mark.parametrize("released", CASES, indirect=True)
def test_the_whole_network_equals_the_release(released):
    model, arrays, inputs = released
    own = tf.constant(channels_last(arrays["heatmaps_gaussian"])[None])

    heatmaps = model.dense_heatmaps(own, inputs)
    joints = model.joints(heatmaps, inputs)
    used = model.used_joints
    # The release has [view][frame], leaves unused maps zero, and divides map [view][frame] by the maximum of
    # map [frame][view].
    by_view = np.asarray(heatmaps).transpose(0, 2, 1, 5, 3, 4)
    scaled = np.zeros_like(by_view)
    scaled[:, :, :, used] = by_view[:, :, :, used] / np.asarray(joints["confidence"])[..., None, None]
    assert_close(scaled, arrays["net_heatmaps"])
    to_image = np.asarray(views.inverse_affine(views.heatmap_affine(inputs["crop"])))
    pixels = np.asarray(views.image_points(joints["keypoints_2d"], to_image[:, None]))
    assert_close(pixels.transpose(1, 0, 2, 4, 3), arrays["net_j2d"][:, :, :, :2])
    assert_points_close(joints["pose_3d"], arrays["net_j3d"])
    projection = views.projection_matrix(inputs["intrinsics"], inputs["rotation"], inputs["translation"])
    true = views.project_points(arrays["joints_gt"][:, :, None], np.asarray(projection)[:, None])
    true = views.image_points(true, np.asarray(views.heatmap_affine(inputs["crop"]))[:, None])
    batch = {"keypoints_2d": true, "visible": np.ones((1, 4, 4, 17))}
    config = model.config.replace(LOSS_TARGET="released")
    assert_close(get_family("densewarper").loss(config)(joints, batch), arrays["net_joint_2d_loss"])


def test_a_network_of_like_warpers_gives_what_it_gave(golden, alike):
    """What this package computed when it equalled the release with sixteen different warpers."""
    model, arrays, inputs = alike
    own = tf.constant(channels_last(arrays["heatmaps_gaussian"])[None])
    joints = model.joints(model.dense_heatmaps(own, inputs), inputs)
    with np.load(golden / "densewarper" / "h36m_small" / "like_warpers.npz") as expected:
        for name in expected.files:
            check = assert_points_close if name.startswith("pose_3d") else assert_close
            check(joints[name], expected[name])


def test_the_joint_loss_equals_the_release(released):
    _, arrays, _ = released
    assert_close(joint_loss(arrays["smooth_pred"], arrays["smooth_gt"]), arrays["smooth_loss"])


def test_outputs_are_those_that_the_model_promises(group):
    model = small_model()
    outputs = model({name: tf.constant(value) for name, value in group.items()}, training=False)
    shapes = {name: tuple(value.shape) for name, value in outputs.items()}
    assert shapes == {
        "heatmaps": (2, 4, 4, 16, 16, 20),
        "keypoints_2d": (2, 4, 4, 17, 2),
        "confidence": (2, 4, 4, 17),
        "pose_3d": (2, 4, 17, 3),
        "pose_3d_valid": (2, 4, 17),
        "unwarped_heatmaps": (2, 4, 16, 16, 20),
        "pose_3d_unwarped": (2, 17, 3),
    }
    for view, frame in enumerate(model.pattern):
        np.testing.assert_array_equal(
            outputs["heatmaps"][:, frame, view], outputs["unwarped_heatmaps"][:, view]
        )


@pytest.mark.parametrize(
    ("pattern", "warped", "epipolar"),
    [
        ([0, 1], 2, 2),
        ([0, 1, 2], 6, 6),
        ([0, 0, 1, 1], 4, 8),  # each guess is the mean over two views
        ([1, 0, 1], 3, 4),
        ([0, 0, 0], 0, 0),  # views at one time: nothing to warp
    ],
)
def test_any_number_of_views_and_any_pattern(group, pattern, warped, epipolar):
    views_used = list(range(len(pattern)))
    model = small_model(PATTERN=pattern, SELECTED_CAMS=views_used)
    assert len(model.warpers) == warped
    assert len(model.epipolar_pairs) == epipolar
    batch = of_views(group, views_used)
    outputs = model(batch, training=False)
    frames = max(pattern) + 1
    assert outputs["heatmaps"].shape == (2, frames, len(pattern), 16, 16, 20)
    assert outputs["pose_3d"].shape == (2, frames, 17, 3)
    # One group alone gives what it gives in a batch.
    alone = model({name: value[:1] for name, value in batch.items()}, training=False)
    np.testing.assert_allclose(alone["heatmaps"], outputs["heatmaps"][:1], atol=1e-5)


def test_guesses_are_means_over_the_views_that_show_the_frame(group):
    model = small_model(PATTERN=[0, 1, 1], SELECTED_CAMS=[0, 1, 2])
    batch = of_views(group, [0, 1, 2])
    own = tf.random.stateless_uniform((2, 3, 16, 16, 20), (1, 2))
    guesses = model.first_guesses(own, batch)
    pair = small_model(PATTERN=[0, 1], SELECTED_CAMS=[0, 1])
    singles = [
        pair.first_guesses(tf.gather(own, [0, other], axis=1), of_views(group, [0, other]))[:, 0]
        for other in (1, 2)
    ]
    assert model.warped[0] == (0, 1)
    np.testing.assert_allclose(guesses[:, 0], (singles[0] + singles[1]) / 2, atol=1e-6)


def test_warpers_that_start_as_identity_hand_the_map_on(group):
    model = small_model(WARPER_START="identity")
    outputs = model(group, training=False)
    own = np.asarray(outputs["unwarped_heatmaps"])
    np.testing.assert_allclose(outputs["heatmaps"], np.repeat(own[:, None], 4, 1), atol=1e-5)
    for frame in range(4):
        np.testing.assert_allclose(
            outputs["pose_3d"][:, frame], outputs["pose_3d_unwarped"], rtol=1e-3, atol=1
        )


TWO_VIEWS = {"SELECTED_CAMS": [0, 1], "PATTERN": [0, 1], "MIN_TRAINING_VIEWS": 2, "DILATIONS": [1]}


def two_views(batch):
    """The batch's first two views and frames."""
    joints = {name: batch[name][:, :2, :2] for name in ("keypoints_2d", "visible")}
    return {**of_views(batch, [0, 1]), **joints, "pose_3d": batch["pose_3d"][:, :2]}


def step_of(model, config, batch):
    """One training step: (loss, gradients by variable path)."""
    loss = get_family("densewarper").loss(config)
    batch = {name: tf.constant(value) for name, value in batch.items()}
    with tf.GradientTape() as tape:
        value = loss(model(batch, training=True), batch)
    gradients = tape.gradient(value, [v.value for v in model.trainable_variables])
    return float(value), dict(zip([v.path for v in model.trainable_variables], gradients, strict=True))


def test_as_released_only_warpers_are_trained(group):
    model = small_model(**TWO_VIEWS)
    before = [np.array(weight) for weight in model.backbone.weights]
    norms = [np.array(v) for v in model.warpers[0].non_trainable_weights]
    value, gradients = step_of(model, model.config, two_views(group))
    assert np.isfinite(value)
    assert not any("backbone" in path for path in gradients)
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())
    offsets = [np.abs(g).max() for path, g in gradients.items() if "offsets" in path]
    assert len(offsets) == 2
    assert max(offsets) > 0
    for weight, old in zip(model.backbone.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert any(
        np.any(np.array(v) != old)
        for v, old in zip(model.warpers[0].non_trainable_weights, norms, strict=True)
    )


def test_end_to_end_the_backbone_is_trained_too(group):
    model = small_model(TRAIN_BACKBONE=True, HEATMAP_LOSS=1.0, **TWO_VIEWS)
    before = np.array(model.backbone.stem.norm.moving_mean)
    value, gradients = step_of(model, model.config, two_views(group))
    assert np.isfinite(value)
    backbone = {path: g for path, g in gradients.items() if "warper" not in path}
    assert backbone
    assert all(np.isfinite(gradient).all() for gradient in backbone.values())
    assert np.abs(backbone[model.backbone.stem.convolution.kernel.path]).max() > 0
    assert np.any(before != np.array(model.backbone.stem.norm.moving_mean))


@pytest.mark.parametrize("kind", ["one place", "parallel"])
def test_degenerate_geometry_gives_no_nan_in_training(group, kind):
    batch = {name: value.copy() for name, value in two_views(group).items()}
    batch["rotation"][:] = batch["rotation"][:, :1]
    batch["translation"][:] = batch["translation"][:, :1]
    if kind == "parallel":
        right = batch["rotation"][:, 0, 0]
        batch["translation"] += 200 * np.arange(2, dtype="float32")[None, :, None] * right[:, None]
    model = small_model(TRAIN_BACKBONE=True, HEATMAP_LOSS=1.0, **TWO_VIEWS)
    value, gradients = step_of(model, model.config, batch)
    assert np.isfinite(value)
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


def test_joints_that_fewer_than_two_views_see_are_nan_and_masked(group):
    model = small_model(WARPER_START="identity")
    own = np.full((2, 4, 16, 16, 20), 0.2, "float32")
    own[0, :3, :, :, 4] = 0.001  # joint 4 is in one view's map, joint 5 in two
    own[0, :2, :, :, 5] = 0.001
    joints = model.joints(tf.constant(own[:, None]), group)
    valid = np.asarray(joints["pose_3d_valid"])
    assert not valid[0, 0, 4]
    assert valid.sum() == valid.size - 1
    assert np.isnan(joints["pose_3d"][0, 0, 4]).all()
    assert np.isfinite(joints["pose_3d"][0, 0, 5]).all()


def test_the_loss_aims_at_the_right_frame_and_the_released_one_at_the_own_frame(group):
    config = DenseWarperConfig.from_dict(SMALL)
    family = get_family("densewarper")
    right, released = (family.loss(config.replace(LOSS_TARGET=kind)) for kind in ("frame", "released"))
    true = group["keypoints_2d"]
    assert float(right({"keypoints_2d": true}, group)) == 0
    assert float(released({"keypoints_2d": true}, group)) > 1
    own = np.asarray(released_targets(true, config.PATTERN))
    for view in range(4):
        for frame in range(4):
            np.testing.assert_array_equal(own[:, frame, view], true[:, view, view])
    assert float(released({"keypoints_2d": own}, group)) == 0
    assert float(right({"keypoints_2d": own}, group)) > 1


def test_joints_that_too_few_views_see_in_their_frame_do_not_count(group):
    config = DenseWarperConfig.from_dict(SMALL)
    loss = get_family("densewarper").loss(config)
    batch = {**group, "visible": group["visible"].copy()}
    batch["visible"][0, 0, 0, 3] = batch["visible"][0, 1, 1, 3] = 0  # two views are left
    batch["visible"][0, 2, 1, 6] = 0  # view 1 shows frame 1, not 2
    seen = np.asarray(views_that_see(batch["visible"], config.PATTERN))
    assert seen[0, 3] == 2
    assert seen.sum() == seen.size * 4 - 2
    wrong = group["keypoints_2d"].copy()
    wrong[0, :, :, 3] = np.nan
    assert float(loss({"keypoints_2d": wrong}, batch)) == 0
    wrong = group["keypoints_2d"] + [4, 0]
    share = (2 * 17 - 1) / (2 * 17)
    assert float(loss({"keypoints_2d": wrong}, batch)) == pytest.approx(
        share * float(loss({"keypoints_2d": wrong}, group)), rel=1e-5
    )


def test_the_heat_map_loss_alone(group):
    model = small_model(TRAIN_BACKBONE=True, JOINT_LOSS=0.0, HEATMAP_LOSS=2.0, **TWO_VIEWS)
    value, gradients = step_of(model, model.config, two_views(group))
    assert value > 0
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


@pytest.mark.parametrize("values", [{"PATTERN": [1, 0], "SELECTED_CAMS": [3, 5]}])
def test_weights_are_saved_and_loaded(tmp_path, group, values):
    model = small_model(**values)
    batch = of_views(group, list(range(model.num_views)))
    model(batch, training=True)
    save_model(model, tmp_path / "model.h5")
    again = load_model(tmp_path / "model.h5")
    assert again.config == model.config
    for name, value in model(batch, training=False).items():
        np.testing.assert_array_equal(again(batch, training=False)[name], value)


def test_models_and_warpers_build_from_their_config():
    model = small_model()
    again = DenseWarper.from_config(model.get_config())
    again.build()
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]
    assert len(again.trainable_weights) == len(model.trainable_weights) > 0
    warper = Warper(4, 2, (1, 2), "identity")
    assert Warper.from_config(warper.get_config()).get_config() == warper.get_config()
    with pytest.raises(ValueError, match="expected random or identity"):
        Warper(start="zeros")


@pytest.mark.bfloat16
def test_mixed_precision_keeps_cameras_in_float32(group):
    exact = small_model(WARPER_START="identity", **TWO_VIEWS)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = small_model(WARPER_START="identity", **TWO_VIEWS)
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(exact.get_weights())
    found, expected = (model(of_views(group, [0, 1]), training=False) for model in (half, exact))
    assert found["heatmaps"].dtype == found["pose_3d"].dtype == "float32"
    scale = np.abs(expected["heatmaps"]).max()
    np.testing.assert_allclose(found["heatmaps"], expected["heatmaps"], atol=0.1 * scale)


def test_another_number_of_views_is_refused(group):
    with pytest.raises(ValueError, match=r"image has shape \(2, 4, 64, 64, 3\), expected \(B, 2, "):
        small_model(PATTERN=[0, 1], SELECTED_CAMS=[0, 1])(group)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"PATTERN": [0, 1, 2]}, "expected a frame for each of the 4 cameras"),
        ({"PATTERN": [0, 1, 3, 3]}, "no view shows frame 2"),
        ({"SELECTED_CAMS": [2], "PATTERN": [0]}, "expected at least two cameras"),
        ({"DILATIONS": []}, "DILATIONS is empty"),
        ({"JOINT_LOSS": 0.0}, "JOINT_LOSS and HEATMAP_LOSS are both 0"),
        ({"TRIANGULATION": "svd"}, "TRIANGULATION is .svd."),
        ({"LOSS_TARGET": "own"}, "LOSS_TARGET"),
    ],
)
def test_bad_values_are_named(values, message):
    with pytest.raises(Pose3DError, match=message):
        DenseWarperConfig.from_dict({**SMALL, **values})
