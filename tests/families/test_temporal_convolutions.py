"""VideoPose3D, RIE and EHFusion against their releases, and what they refuse."""

import json

import numpy as np
import pytest
import tensorflow as tf

import tf_pose3d
from tf_pose3d.camera import Camera
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.folding import folded_weights
from tf_pose3d.layers.losses import mean_joint_distance
from tf_pose3d.models.ehfusion.model import motion_angles
from tf_pose3d.models.family import get_family
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weight_files.pytorch import read_pytorch_checkpoint
from tf_pose3d.weights.convert import get_converter
from tf_pose3d.weights.converters import converter as converter_module
from tf_pose3d.weights.converters.converter import Converter
from tf_pose3d.weights.converters.temporal_layers import dense_filter_widths

SMALL_CASES = ["videopose3d/strided", "videopose3d/dilated", "rie/stage1", "rie/stage2"]
LARGE_CASES = ["ehfusion/one_stage_released", "ehfusion/three_stage_1", "ehfusion/three_stage_2"]
# The same networks with numbers that are made when they are wanted, and what this package computed from them
# when it equalled the release on the large cases.
MADE_CASES = [f"made {case}" for case in LARGE_CASES]
CASES = SMALL_CASES + MADE_CASES + LARGE_CASES


@pytest.fixture
def made_checkpoint(golden, made_tensors, monkeypatch):
    """Gives a path that converters read as a checkpoint of a made case."""
    made = {}

    def read(converter, path):
        return made[path] if path in made else read_pytorch_checkpoint(path)

    def make(case):
        path = golden / case / "shapes.json"
        made[path] = Checkpoint(str(path), made_tensors(json.loads(path.read_text())), {})
        monkeypatch.setattr(Converter, "read", read)
        return path

    return make


@pytest.fixture
def released(request, golden):
    """(our model, inputs, arrays) of a case; the larger checkpoints lie beside the repository."""
    case = request.param.removeprefix("made ")
    outside = request.param in LARGE_CASES
    folder = (request.getfixturevalue("shared") / "golden" if outside else golden) / case
    with np.load(folder / "forward.npz") as file:
        arrays = dict(file)
    if request.param in MADE_CASES:
        checkpoint = request.getfixturevalue("made_checkpoint")(case)
    else:
        checkpoint = folder / json.loads((folder / "expected.json").read_text())["checkpoint"]
    model = tf_pose3d.convert(checkpoint, case.split("/")[0])
    names = {"input": "keypoints_2d", "intrinsics": "intrinsics"}
    inputs = {ours: arrays[name] for name, ours in names.items() if name in arrays}
    return model, inputs, arrays


def predictions(outputs):
    """Our outputs in the release's order and shape."""
    if "pose_3d_sequence" in outputs:
        return [outputs["pose_3d_sequence"]]
    names = [name for name in ("pose_3d_unfused", "pose_3d") if name in outputs]
    return [outputs[name][:, None] for name in names]


def assert_close(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.max(np.abs(actual - expected) / np.maximum(1, np.abs(expected))) < 1e-4


@pytest.mark.parametrize("released", CASES, indirect=True)
def test_outputs_equal_the_release(released):
    model, inputs, arrays = released
    plain = predictions(model(inputs, training=False))
    with folded_weights(model):
        folded = predictions(model(inputs, training=False))
    for index, (one, other) in enumerate(zip(plain, folded, strict=True)):
        assert_close(one, arrays[f"output_{index}"])
        assert_close(other, arrays[f"output_{index}"])


@pytest.mark.parametrize("released", CASES, indirect=True)
def test_loss_and_gradients_equal_the_release(released):
    model, inputs, arrays = released
    variables = model.trainable_variables

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            outputs = predictions(model(inputs, training=False))
            losses = [
                mean_joint_distance(one, arrays[f"target_{index}"]) for index, one in enumerate(outputs)
            ]
            loss = sum(losses)
        return loss, tape.gradient(loss, [v.value for v in variables], unconnected_gradients="zero")

    loss, gradients = run()
    assert_close(loss, arrays["loss_mpjpe"])
    norms = {id(v): float(tf.norm(g)) for v, g in zip(variables, gradients, strict=True)}
    expected = {
        str(name): float(norm) for name, norm in zip(arrays["grad_names"], arrays["grad_norms"], strict=True)
    }
    seen = set()
    for one in get_converter(model.config.ARCH).assignments(model, model.config):
        if id(one.variable) not in norms:
            continue
        # A weight of ours may be several of theirs side by side.
        theirs = np.linalg.norm([expected.get(name, 0.0) for name in one.sources])
        assert norms[id(one.variable)] == pytest.approx(theirs, rel=1e-3, abs=1e-5), one.sources
        seen.update(one.sources)
    assert seen >= expected.keys()


FULL_SIZE = {
    "videopose3d 243 frames, 1024 channels": ("videopose3d", {"FILTER_WIDTHS": [3] * 5}),
    "rie stage 3 243 frames (256 ch, 256 latent)": ("rie", {"STAGE": 3}),
    "ehfusion one-stage 243 frames (256 ch, 256 latent)": ("ehfusion", {}),
    "ehfusion three-stage, stage 3 (256 ch, 256 latent)": (
        "ehfusion",
        {"STRATEGY": "three_stage", "STAGE": 3},
    ),
    "ehfusion one-stage 243 frames (256 ch, 512 latent)": ("ehfusion", {"LATENT_FEATURES": 512}),
    "ehfusion three-stage, stage 3 (256 ch, 512 latent)": (
        "ehfusion",
        {"STRATEGY": "three_stage", "STAGE": 3, "LATENT_FEATURES": 512},
    ),
}


@pytest.mark.parametrize("name", FULL_SIZE)
def test_parameters_of_the_published_sizes(golden, name):
    arch, values = FULL_SIZE[name]
    family = get_family(arch)
    model = family.build_model(family.config_class.from_dict(values))
    counts = json.loads((golden / "parameter_counts.json").read_text())
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == counts[name]


TINY = {"FILTER_WIDTHS": [3], "CHANNELS": 4, "LATENT_FEATURES": 8, "HIDDEN_FEATURES": 8}


def build(arch, **values):
    family = get_family(arch)
    config = family.config_class.from_dict(values)
    return family, config, family.build_model(config)


@pytest.mark.parametrize(("layout", "joints"), [("humaneva_15", 15), ("humaneva_20", 20), ("h36m_16", 16)])
def test_other_layouts(layout, joints):
    keypoints = np.random.default_rng(0).normal(size=(3, 3, joints, 2)).astype(np.float32)
    for arch, values in (("rie", {"STAGE": 2}), ("ehfusion", {"CAMERA": "zeros"})):
        _, _, model = build(arch, SKELETON=layout, **values, **TINY)
        assert model({"keypoints_2d": keypoints}, training=False)["pose_3d"].shape == (3, joints, 3)


def test_motion_angles():
    random = np.random.default_rng(0)
    keypoints = random.normal(size=(2, 5, 17, 2)).astype(np.float32)
    predicted = keypoints[:, 2]
    vectors, target = keypoints - keypoints[:, :, :1], (predicted - predicted[:, :1])[:, None]
    angle = np.arctan2(vectors[..., 1], vectors[..., 0]) - np.arctan2(target[..., 1], target[..., 0])
    angle = np.abs((angle + np.pi) % (2 * np.pi) - np.pi)
    angle[:, :, 0] = np.pi / 2
    np.testing.assert_allclose(motion_angles(keypoints, predicted, 0), np.exp(angle - np.pi), atol=1e-4)


def test_the_release_never_fuses_and_the_paper_does():
    keypoints = np.random.default_rng(0).normal(size=(3, 3, 17, 2)).astype(np.float32)
    inputs = {"keypoints_2d": keypoints, "intrinsics": np.ones((3, 11), np.float32)}
    for strategy, changes in (("one_stage", True), ("one_stage_released", False)):
        family, config, model = build("ehfusion", STRATEGY=strategy, **TINY)
        before = model(inputs, training=False)
        model.limb_fusion.norm.beta.assign(np.full(8, 3.0))
        after = model(inputs, training=False)
        assert bool(np.abs(before["pose_3d"] - after["pose_3d"]).max() > 1e-5) == changes
        np.testing.assert_array_equal(before["pose_3d_unfused"], after["pose_3d_unfused"])
        trained = {id(variable) for variable in family.trained_variables(model, config)}
        fusion = [variable for layer in model.fusion_layers for variable in layer.trainable_variables]
        assert all((id(variable) in trained) == changes for variable in fusion)


def test_stage_two_trains_all_but_the_encoders():
    for stage in (1, 2, 3):
        family, config, model = build("ehfusion", STRATEGY="three_stage", STAGE=stage, **TINY)
        trained = family.trained_variables(model, config)
        left = len(model.trainable_variables) - len(trained)
        # Of the release's 167 frozen parameters 24 a part are those of the four further layers.
        assert left == (0 if stage != 2 else 167 - 5 * 24)
        assert {v.path.split("/")[1] for v in trained} >= {"angle_torso", "camera_1", "decoder_torso"}


def test_momentum_decays_in_the_local_networks_only():
    family, config, model = build("ehfusion", EPOCHS=80, **TINY)
    family.begin_epoch(model, config, 1)
    assert float(model.momentum.variable) == pytest.approx(0.9)
    family.begin_epoch(model, config, 41)
    assert float(model.momentum.variable) == pytest.approx(0.99)
    family.begin_epoch(model, config, 81)
    assert float(model.momentum.variable) == pytest.approx(0.999)
    assert all(network.expand.norm.momentum is model.momentum for network in model.local_networks)
    others = [*model.angle_networks, model.global_encoder]
    norms = [
        getattr(layer, name).norm for layer in others for name in ("expand", "first") if hasattr(layer, name)
    ]
    assert [norm.momentum for norm in norms] == [0.9] * 6


def test_windows_of_another_length_are_refused():
    _, _, model = build("rie", **TINY)
    with pytest.raises(ValueError, match=r"shape \(1, 9, 17, 2\), expected \(B, 3, 17, 2\)"):
        model({"keypoints_2d": np.zeros((1, 9, 17, 2), np.float32)})


def test_missing_intrinsics_are_refused_where_they_are_read():
    camera = Camera("0", 1000, 1000)
    pose = np.zeros((4, 17, 3), np.float32)
    recording = Sequence(
        "S9", "Walking", "Walking 1", get_skeleton("h36m_17"), 50.0, camera, pose[..., :2], pose
    )
    for choice, refused in (("intrinsics", True), ("zeros", False)):
        family, config, _ = build("ehfusion", CAMERA=choice, **TINY)
        spec = family.data_spec(config, "test")
        if refused:
            with pytest.raises(Pose3DError, match=r"1 of 1 sequences.*intrinsics.*Walking 1.*CAMERA"):
                Windows([recording], spec)
        else:
            Windows([recording], spec)


def test_checkpoints_of_another_stage_width_or_family(golden, made_checkpoint):
    videopose3d = golden / "videopose3d" / "strided" / "model.bin"
    rie = golden / "rie" / "stage1" / "stage_1_best_model.bin"
    ehfusion = made_checkpoint("ehfusion/three_stage_2")
    for path, arch, overrides, words in (
        (videopose3d, "rie", {}, "checkpoint of VideoPose3D, not of RIE"),
        (rie, "ehfusion", {}, "checkpoint of RIE, not of EHFusion"),
        (ehfusion, "rie", {}, "checkpoint of EHFusion, not of RIE"),
        (rie, "rie", {"stage": 2}, "has STAGE 1, not 2"),
        (rie, "rie", {"latent_features": 512}, "has LATENT_FEATURES 32, not 512"),
        (videopose3d, "videopose3d", {"filter_widths": [3, 3, 3]}, r"has FILTER_WIDTHS \[3, 3\]"),
        (ehfusion, "ehfusion", {"strategy": "one_stage"}, "has STRATEGY three_stage"),
    ):
        with pytest.raises(Pose3DError, match=words):
            tf_pose3d.convert(path, arch, **overrides)
    assert tf_pose3d.convert(ehfusion, "ehfusion", stage=2).config.STAGE == 2
    assert tf_pose3d.convert(videopose3d, "videopose3d", causal=True).config.CAUSAL


def test_dense_checkpoints_tell_by_their_widths():
    assert dense_filter_widths([3, 7, 19]) == [3, 3, 3]
    assert dense_filter_widths([3, 3, 3]) is None
    assert dense_filter_widths([3, 5, 7]) is None


def test_the_trajectory_network_equals_the_release(golden, made_tensors, monkeypatch):
    folder = golden / "videopose3d/trajectory"
    facts = json.loads((folder / "expected.json").read_text())
    with np.load(folder / "forward.npz") as file:
        arrays = dict(file)
    held = Checkpoint("epoch_80.bin", made_tensors(facts["shapes"]), {})
    monkeypatch.setattr(converter_module, "read_pytorch_checkpoint", lambda path: held)
    lines = []
    model = tf_pose3d.convert("epoch_80.bin", "videopose3d", log=lines.append)
    assert "epoch_80.bin: model_traj, the network of the root's path, is converted, too" in lines
    random = np.random.RandomState(5)
    keypoints = tf.constant(random.uniform(-1, 1, (2, 9, 17, 2)), tf.float32)
    poses = np.zeros((2, 9, 17, 3), np.float32)
    poses[:, 4] += arrays["target"][:, 0]
    batch = {"keypoints_2d": keypoints, "pose_3d": tf.constant(poses)}
    family = get_family("videopose3d")
    alone = family.loss(model.config.replace(TRAJECTORY=False))
    both = family.loss(model.config)
    variables = model.trajectory.trainable_variables
    with tf.GradientTape() as tape:
        outputs = model(batch, training=False)
        path_loss = both(outputs, batch) - alone(outputs, batch)
    np.testing.assert_allclose(outputs["root_3d"], arrays["root"][:, 0, 0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(path_loss, arrays["loss"], rtol=1e-4)
    gradients = dict(zip(map(id, variables), tape.gradient(path_loss, variables), strict=True))
    norms = {
        assignment.sources[0]: float(tf.norm(gradients[id(assignment.variable)]))
        for assignment in get_converter("videopose3d").assignments(model, model.config)
        if id(assignment.variable) in gradients
    }
    expected = dict(zip(arrays["names"].tolist(), arrays["grad_norms"], strict=True))
    for name, norm in expected.items():
        assert norms[f"model_traj.{name}"] == pytest.approx(norm, rel=1e-3, abs=1e-4)
    left = tf_pose3d.convert("epoch_80.bin", "videopose3d", trajectory=False)
    assert left.trajectory is None


@pytest.fixture
def semi_supervised(golden, made_tensors, monkeypatch):
    """(model, config, batch with three labelled and two unlabelled windows, numbers of the release)."""
    folder = golden / "videopose3d/trajectory"
    tensors = made_tensors(json.loads((folder / "expected.json").read_text())["shapes"])
    # Roots before the camera, so that poses project.
    tensors["model_traj.shrink.bias"] = tensors["model_traj.shrink.bias"] + np.float32([0, 0, 4])
    held = Checkpoint("epoch_80.bin", tensors, {})
    monkeypatch.setattr(converter_module, "read_pytorch_checkpoint", lambda path: held)
    model = tf_pose3d.convert("epoch_80.bin", "videopose3d", drop_rate=0.0)
    random = np.random.RandomState(6)
    keypoints = np.concatenate([random.uniform(-1, 1, (count, 9, 17, 2)) for count in (3, 2)])
    pose = np.zeros((3, 9, 17, 3))
    true = random.normal(size=(3, 1, 17, 3)).astype(np.float32)
    true[:, :, 0] += np.float32([0, 0, 5])
    # The release's poses are relative to the root but for the root itself.
    pose[:, 4] = true[:, 0] + np.where(np.arange(17)[:, None] == 0, 0, true[:, 0, :1])
    lens = ((2.2, 2.4, 2), (-0.05, 0.05, 2), (-0.2, 0.2, 3), (-0.01, 0.01, 2))
    cameras = [random.uniform(low, high, (2, count)) for low, high, count in lens]
    batch = {
        "keypoints_2d": keypoints,
        "pose_3d": pose,
        "unlabeled_intrinsics": np.concatenate([np.full((2, 2), 1000.0), *cameras], axis=1),
    }
    batch = {name: tf.constant(values, tf.float32) for name, values in batch.items()}
    config = model.config.replace(UNLABELED_SUBSET="S5")
    return model, config, batch, json.loads((folder / "semi_supervised.json").read_text())


def warming_up(batch):
    """Its labelled windows alone."""
    kept = {"unlabeled_intrinsics": 0}
    return {name: values[: kept.get(name, 3)] for name, values in batch.items()}


def test_the_semi_supervised_loss_equals_the_release(semi_supervised):
    model, config, batch, expected = semi_supervised
    warm = warming_up(batch)
    cases = {
        "full": (batch, {}),
        "linear": (batch, {"LINEAR_PROJECTION": True}),
        "no_proj": (batch, {"PROJECTION_LOSS": False}),
        "no_bone_length": (batch, {"BONE_LENGTH_LOSS": False}),
        "warmup": (warm, {}),
    }
    state = model.get_weights()
    for name, (examples, keys) in cases.items():
        # Training moves the statistics of the normalisations.
        model.set_weights(state)
        outputs = model(examples, training=True)
        loss = get_family("videopose3d").loss(config.replace(**keys))(outputs, examples)
        np.testing.assert_allclose(loss, expected[name], rtol=1e-5, err_msg=name)


def test_gradients_of_the_semi_supervised_loss_equal_the_release(semi_supervised):
    model, config, batch, expected = semi_supervised
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        loss = get_family("videopose3d").loss(config)(model(batch, training=True), batch)
    gradients = dict(zip(map(id, variables), tape.gradient(loss, variables), strict=True))
    norms = {
        assignment.sources[0]: float(tf.norm(gradients[id(assignment.variable)]))
        for assignment in get_converter("videopose3d").assignments(model, model.config)
        if id(assignment.variable) in gradients
    }
    for name, norm in expected["gradient_norms"].items():
        assert norms[name] == pytest.approx(norm, rel=1e-3, abs=1e-4), name


def test_gradients_without_unlabelled_windows_are_finite(semi_supervised):
    model, config, batch, _ = semi_supervised
    warm = warming_up(batch)
    with tf.GradientTape() as tape:
        loss = get_family("videopose3d").loss(config)(model(warm, training=True), warm)
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, model.trainable_variables))


def test_unlabelled_windows_need_the_root_s_path():
    with pytest.raises(Pose3DError, match="UNLABELED_SUBSET is S5 without TRAJECTORY"):
        get_family("videopose3d").config_class().replace(UNLABELED_SUBSET="S5")
