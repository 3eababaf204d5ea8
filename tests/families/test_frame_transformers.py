"""Strided Transformer and PoseFormer equal their releases; how they are built and loaded."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_pose3d
from tf_pose3d.camera import Camera, project
from tf_pose3d.cli.releases import get_release
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.prediction import predict_poses
from tf_pose3d.models.family import get_family
from tf_pose3d.models.strided.refinement import PoseRefinement, back_projected
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.weight_files.pytorch import read_pytorch_checkpoint
from tf_pose3d.weights.convert import get_converter
from tf_pose3d.weights.converters.strided import refinement_assignments

CASES = {"strided": {}, "poseformer": {"num_heads": 4}}


@pytest.fixture
def case(golden, golden_file):
    """The released network's case as (checkpoint, arrays)."""

    def load(arch):
        if arch == "strided":
            folder, file = "strided/frames27", "no_refine.pth"
        else:
            folder, file = "poseformer/frames9", "detected81f.bin"
        with np.load(golden / folder / "forward.npz") as arrays:
            return golden_file(f"{folder}/{file}"), dict(arrays)

    return load


def assert_close(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.max(np.abs(actual - expected) / np.maximum(1, np.abs(expected))) < 1e-4


def joint_distance(pose, target):
    return tf.reduce_mean(tf.norm(pose - target, axis=-1))


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("arch", CASES)
def test_outputs_loss_and_gradients_equal_the_release(case, arch, jit_compile):
    checkpoint, arrays = case(arch)
    model = tf_pose3d.convert(checkpoint, arch, **CASES[arch])
    variables = model.trainable_variables

    @tf.function(jit_compile=jit_compile)
    def run():
        with tf.GradientTape() as tape:
            outputs = model({"keypoints_2d": arrays["input"]}, training=False)
            loss = joint_distance(outputs["pose_3d"], arrays["target_0"][:, 0])
            if arch == "strided":
                loss += joint_distance(outputs["pose_3d_sequence"], arrays["target_1"])
        return outputs, loss, tape.gradient(loss, [variable.value for variable in variables])

    outputs, loss, gradients = run()
    assert_close(outputs["pose_3d"], arrays["output_0"][:, 0])
    if arch == "strided":
        assert_close(outputs["pose_3d_sequence"], arrays["output_1"])
    assert_close(loss, arrays["loss_mpjpe"])
    squares = {id(v): float(tf.norm(g)) ** 2 for v, g in zip(variables, gradients, strict=True)}
    ours = {}
    for one in get_converter(arch).assignments(model, model.config):
        # Query, key and value are one tensor in PoseFormer's checkpoints.
        name = one.sources[0]
        ours[name] = ours.get(name, 0.0) + squares.get(id(one.variable), 0.0)
    expected = {str(n): norm for n, norm in zip(arrays["grad_names"], arrays["grad_norms"], strict=True)}
    for name, norm in expected.items():
        assert ours[name] ** 0.5 == pytest.approx(norm, rel=1e-3, abs=1e-5), name
    # What the release gives no gradient, ours does not train.
    assert {name for name, square in ours.items() if square} <= set(expected)


@pytest.mark.parametrize("arch", CASES)
def test_the_family_loss_is_the_release_s(case, arch):
    checkpoint, arrays = case(arch)
    model = tf_pose3d.convert(checkpoint, arch, **CASES[arch])
    # Targets that hold a place of the root: the loss takes it off.
    place = np.array([[[[0.3, -0.2, 4.0]]]], "float32")
    frames = model.config.FRAMES
    target = arrays.get("target_1", np.repeat(arrays["target_0"], frames, axis=1))
    target = target - target[:, :, :1]
    outputs = model({"keypoints_2d": arrays["input"]}, training=False)
    loss = get_family(arch).loss(model.config)(outputs, {"pose_3d": target + place})
    expected = joint_distance(arrays["output_0"][:, 0], target[:, frames // 2])
    if arch == "strided":
        expected += joint_distance(arrays["output_1"], target)
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)


def test_the_refine_module_equals_the_release(golden):
    folder = golden / "strided/refine"
    with np.load(folder / "forward.npz") as file:
        arrays = dict(file)
    held = read_pytorch_checkpoint(folder / "refine.pth")
    module = PoseRefinement(17)
    module.build()
    names = {}
    for one in refinement_assignments(module):
        one.variable.assign(one.transform(held.tensors[one.sources[0]]))
        names[one.sources[0]] = one.variable
    assert set(names) == set(held.tensors)
    with tf.GradientTape() as tape:
        pose = module(arrays["input"][:, 0], arrays["xyz"][:, 0])
        loss = joint_distance(pose, arrays["target_0"][:, 0])
    assert_close(pose, arrays["output_0"][:, 0])
    assert_close(loss, arrays["loss_mpjpe"])
    gradients = tape.gradient(loss, [names[str(name)].value for name in arrays["grad_names"]])
    norms = [float(tf.norm(gradient)) for gradient in gradients]
    np.testing.assert_allclose(norms, arrays["grad_norms"], rtol=1e-4)


CAMERA = Camera("0", 1000, 1002, [1145, 1143], [512, 515], np.zeros(3), np.zeros(2))


def test_a_projected_pose_is_found_again():
    random = np.random.default_rng(0)
    pose = random.normal((0.2, 0.1, 4.0), 0.3, size=(4, 17, 3))
    intrinsics = CAMERA.intrinsics()
    relative = pose - pose[:, :1]
    found = back_projected(
        project(pose, intrinsics).astype("float32"),
        relative[..., 2].astype("float32"),
        pose[:, 0, 2].astype("float32"),
        np.tile(intrinsics, (4, 1)),
        root=0,
    )
    np.testing.assert_allclose(found, relative, atol=1e-5)


def test_parameters_of_the_published_sizes(golden):
    counts = json.loads((golden / "parameter_counts.json").read_text())
    for arch, name in (("strided", "strided 351 frames"), ("poseformer", "poseformer 81 frames")):
        family = get_family(arch)
        model = family.build_model(family.config_class())
        held = [w for w in model.weights if "moving" not in w.path and "seed" not in w.path]
        assert sum(int(np.prod(w.shape)) for w in held) == counts[name]


TINY = {
    "strided": {"FRAMES": 9, "STRIDES": [3, 1, 3], "CHANNELS": 8, "HIDDEN": 12, "LAYERS": 1, "NUM_HEADS": 2},
    "poseformer": {"FRAMES": 9, "JOINT_DIM": 4, "LAYERS": 2, "NUM_HEADS": 2},
}


def tiny(arch, **values):
    family = get_family(arch)
    config = family.config_class.from_dict({**TINY[arch], **values})
    keras.utils.set_random_seed(0)
    return family, config, family.build_model(config)


def sequences(layout="h36m_17", frames=20):
    random = np.random.default_rng(1)
    skeleton = get_skeleton(layout)
    made = []
    for number in range(2):
        pose = random.normal(size=(frames + number, skeleton.num_joints, 3), scale=0.3).astype("float32")
        pose[..., 2] += 4
        pixels = random.uniform(0, 1000, (len(pose), skeleton.num_joints, 2)).astype("float32")
        made.append(Sequence("S9", "Walking", f"Walking {number}", skeleton, 50.0, CAMERA, pixels, pose))
    return made


@pytest.mark.parametrize("arch", TINY)
def test_frames_encoded_once_give_what_windows_give(arch):
    family, config, model = tiny(arch)
    windows = Windows(sequences(), family.data_spec(config, "test"))
    shared_work = predict_poses(model, windows, batch_size=16, flip=False)
    batch = windows.batch(tf.range(windows.num_centres))
    np.testing.assert_allclose(shared_work, model(batch, training=False)["pose_3d"], atol=1e-5)


@pytest.mark.parametrize("arch", TINY)
@pytest.mark.parametrize("layout", ["humaneva_15", "h36m_16"])
def test_other_joint_layouts(arch, layout):
    family, config, model = tiny(arch, SKELETON=layout)
    windows = Windows(sequences(layout), family.data_spec(config, "test"))
    assert predict_poses(model, windows, 16).shape == (41, get_skeleton(layout).num_joints, 3)


@pytest.mark.parametrize("arch", TINY)
def test_a_model_is_made_again_from_its_config(arch):
    _, _, model = tiny(arch)
    again = type(model).from_config(model.get_config())
    again.build()
    again.set_weights(model.get_weights())
    poses = np.random.default_rng(0).normal(size=(2, 9, 17, 2)).astype("float32")
    inputs = {"keypoints_2d": poses}
    np.testing.assert_allclose(again(inputs)["pose_3d"], model(inputs)["pose_3d"], atol=1e-6)


@pytest.mark.parametrize("arch", TINY)
def test_xla(arch):
    _, _, model = tiny(arch)
    inputs = {"keypoints_2d": np.random.default_rng(0).normal(size=(2, 9, 17, 2)).astype("float32")}
    compiled = tf.function(lambda: model(inputs, training=False)["pose_3d"], jit_compile=True)()
    np.testing.assert_allclose(compiled, model(inputs, training=False)["pose_3d"], atol=1e-5)


@pytest.mark.bfloat16
@pytest.mark.parametrize("arch", TINY)
def test_mixed_precision(arch):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        family, config, model = tiny(arch)
    finally:
        keras.config.set_dtype_policy("float32")
    windows = Windows(sequences(), family.data_spec(config, "train"))
    batch = windows.batch(tf.range(4))
    loss = family.loss(config)(model(batch, training=True), batch)
    assert np.isfinite(float(loss))


@pytest.mark.parametrize("arch", [*TINY, "refined"])
def test_every_trained_weight_gets_a_gradient(arch):
    values = {"REFINE": True} if arch == "refined" else {}
    family, config, model = tiny("strided" if arch == "refined" else arch, **values)
    windows = Windows(sequences(), family.data_spec(config, "train"))
    batch = windows.batch(tf.range(4))
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        loss = family.loss(config)(model(batch, training=True), batch)
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    assert None not in gradients
    assert np.isfinite(float(loss))


def test_refinement_starts_from_weights_without_it(tmp_path):
    _, config, plain = tiny("strided")
    plain.config = config
    tf_pose3d.save_model(plain, tmp_path / "plain.h5")
    family, config, refined = tiny("strided", REFINE=True)
    refined.lifter.encoder.kernel.assign(refined.lifter.encoder.kernel * 0)
    family.load_initial_weights(refined, tmp_path / "plain.h5")
    converter, plain_config = get_converter("strided"), plain.config
    pairs = zip(
        converter.assignments(plain, plain_config),
        converter.assignments(refined.lifter, plain_config),
        strict=True,
    )
    for one, other in pairs:
        np.testing.assert_array_equal(np.asarray(other.variable), np.asarray(one.variable), one.sources[0])
    refined.config = config
    tf_pose3d.save_model(refined, tmp_path / "refined.h5")
    again = tf_pose3d.load_model(tmp_path / "refined.h5")
    batch = Windows(sequences(), family.data_spec(config, "test")).batch(tf.range(4))
    np.testing.assert_allclose(again(batch)["pose_3d"], refined(batch)["pose_3d"], atol=1e-6)


def test_refinement_averages_mirrored_poses_first():
    family, config, model = tiny("strided", REFINE=True)
    _, setting = config.evaluation_settings()[0]
    assert model.average_mirrored
    assert not setting.EVAL_FLIP
    windows = Windows(sequences(), family.data_spec(config, "test"))
    batch = windows.batch(tf.range(8))
    flipped = predict_poses(model.lifter, windows, 8, np.arange(8), flip=True)
    outputs = model(batch, training=False)
    np.testing.assert_allclose(outputs["pose_3d_unrefined"], flipped, atol=1e-5)
    refined = predict_poses(model, windows, 8, np.arange(8), flip=setting.EVAL_FLIP)
    np.testing.assert_allclose(refined, outputs["pose_3d"], atol=1e-5)


def test_refinement_needs_the_root_s_depth_and_intrinsics():
    family, config, model = tiny("strided", REFINE=True)
    batch = {
        "keypoints_2d": np.zeros((1, 9, 17, 2), "float32"),
        "intrinsics": CAMERA.intrinsics()[None],
    }
    with pytest.raises(Pose3DError, match="true depth of the root") as caught:
        model(batch)
    assert "\n" not in str(caught.value)
    assert model({**batch, "root_depth": np.ones(1, "float32")})["pose_3d"].shape == (1, 17, 3)
    spec = family.data_spec(config, "test")
    Windows(sequences(), spec)
    unknown = [dataclasses.replace(one, camera=Camera("0", 1000, 1000)) for one in sequences()]
    with pytest.raises(Pose3DError, match="no camera intrinsics, Walking 0 among them: REFINE reads them"):
        Windows(unknown, spec)


@pytest.mark.parametrize(
    ("arch", "values", "words"),
    [
        ("strided", {"FRAMES": 100}, "FRAMES is 100, expected an odd number"),
        ("strided", {"FRAMES": 35, "STRIDES": None}, "no strides are published for 35 FRAMES .*351"),
        ("strided", {"STRIDES": [3, 3]}, "STRIDES holds 2 numbers, expected 3"),
        ("strided", {"STRIDES": [3, 3, 3], "FRAMES": 81}, "81 frames to 27 -> 9 -> 3; they must end in one"),
        ("strided", {"CHANNELS": 9}, "CHANNELS 9 is not a multiple of NUM_HEADS 2"),
        ("poseformer", {"FRAMES": 10}, "FRAMES is 10, expected an odd number"),
        ("poseformer", {"JOINT_DIM": 5}, "JOINT_DIM 5 is not a multiple of NUM_HEADS 2"),
    ],
)
def test_configs_say_what_is_wrong(arch, values, words):
    with pytest.raises(Pose3DError, match=words):
        get_family(arch).config_class.from_dict({**TINY[arch], **values})


def test_flags_of_the_release():
    flags = {name: flag for flag in get_release(get_family("strided")).flags("train") for name in flag.names}
    assert flags["--frames"].key == "FRAMES"
    assert flags["--refine"].key == "REFINE"
    assert flags["--lr_decay_large"].key == "SCHEDULE_PARAMS.large_decay_rate"
    known = {field.name for field in dataclasses.fields(get_family("poseformer").config_class)}
    for flag in get_release(get_family("poseformer")).flags("train"):
        assert flag.key is None or flag.key.partition(".")[0] in known
    # There are no convolutions to set.
    poseformer = get_release(get_family("poseformer"))
    assert not {"-arc", "--causal"} & {name for flag in poseformer.flags("eval") for name in flag.names}
