"""MotionBERT, MotionAGFormer and MixSTE equal their releases; how they are built and drawn at first."""

import dataclasses
import json
import pickle

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_pose3d
from tests.data.test_keypoint_clips import track, write_instavariety, write_posetrack
from tf_pose3d.data.mpi_inf_3dhp import PSTMO_JOINTS
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import as_config
from tf_pose3d.models.mixste.family import mixste_loss
from tf_pose3d.models.sequence_to_sequence import keypoint_loss
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weights.convert import get_converter
from tf_pose3d.weights.converters import converter as converter_module

CASES = {
    "motionbert/adaptive": 1,
    "motionbert/mean": 1,
    "motionagformer/similar": 2,
    "motionagformer/hierarchical": 2,
    "motionagformer/chain": 2,
    "motionagformer/convolutions": 2,
    "mixste/frames7": 3,
}
# Cases of the releases' own, kept beside the checkout.
SHARED = {
    "motionbert/full_window": {"num_heads": 4},
    "motionbert/no_fuse": {"num_heads": 4},
    "motionbert/short_clip": {"num_heads": 4},
    "motionagformer/xs_small": {},
    "motionagformer/hierarchical": {},
    "motionagformer/no_fusion_temporal_adj": {"temporal_graph": "chain"},
    "motionagformer/tcn": {"frames": 27},
    "mixste/window27": {},
}


def assert_close(actual, expected):
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert np.max(np.abs(actual - expected) / np.maximum(1, np.abs(expected))) < 1e-4


@pytest.fixture
def case(golden, made_tensors, monkeypatch):
    """(model with the case's weights, keypoints, root-relative target, expected arrays, parameter names)."""

    def load(name):
        arch = name.split("/")[0]
        facts = json.loads((golden / name / "expected.json").read_text())
        with np.load(golden / name / "forward.npz") as file:
            arrays = dict(file)
        held = Checkpoint(name, made_tensors(facts["shapes"]), {})
        monkeypatch.setattr(converter_module, "read_pytorch_checkpoint", lambda path: held)
        model = tf_pose3d.convert(name, arch, **facts["config"])
        random = np.random.RandomState(CASES[name])
        frames = arrays["output"].shape[1]
        keypoints = random.uniform(-1, 1, (1, frames, 17, 2 if arch == "mixste" else 3)).astype(np.float32)
        target = random.normal(0, 0.3, (1, frames, 17, 3)).astype(np.float32)
        names = [
            n
            for n in facts["shapes"]
            if not n.endswith(("running_mean", "running_var", "num_batches_tracked"))
        ]
        return model, keypoints, target - target[:, :, :1], arrays, names

    return load


def gradient_norms(model, arch, gradients):
    """Norm of the gradient of each of the release's tensors."""
    held = {id(v): g for v, g in zip(model.trainable_variables, gradients, strict=True) if g is not None}
    squares = {}
    for assignment in get_converter(arch).assignments(model, model.config):
        gradient = held.get(id(assignment.variable))
        if gradient is not None:
            (name,) = assignment.sources
            squares[name] = squares.get(name, 0) + float(tf.reduce_sum(tf.square(gradient)))
    return {name: value**0.5 for name, value in squares.items()}


def outputs_and_gradients(model, keypoints, target):
    arch = model.config.ARCH
    batch = {"keypoints_2d": tf.constant(keypoints), "pose_image": tf.constant(target)}
    loss = get_family(arch).loss(model.config)

    @tf.function
    def run():
        with tf.GradientTape() as tape:
            outputs = model(batch, training=False)
            if arch == "MixSTE":
                value = mixste_loss(outputs["pose_3d_sequence"], batch["pose_image"], model.config)
            else:
                value = loss(outputs, batch)
        return outputs, value, tape.gradient(value, model.trainable_variables)

    return run()


@pytest.mark.parametrize("name", CASES)
def test_outputs_loss_and_gradients_equal_the_release(case, name):
    model, keypoints, target, arrays, names = case(name)
    outputs, value, gradients = outputs_and_gradients(model, keypoints, target)
    assert_close(outputs[model.sequence_output], arrays["output"])
    if "representation" in arrays:
        assert_close(outputs["representation"][0, :2, :4], arrays["representation"])
    assert_close(value, arrays["loss"])
    norms = gradient_norms(model, model.config.ARCH, gradients)
    assert_close([norms.get(one, 0) for one in names], arrays["grad_norms"])
    middle = arrays["output"][:, arrays["output"].shape[1] // 2].copy()
    if not name.startswith("mixste"):
        # Networks of root-relative poses: whatever the root's own output is, it is 0.
        middle[:, 0] = 0
    assert_close(outputs["pose_3d"], middle)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHARED)
def test_the_releases_own_checkpoints_give_its_numbers(shared, name):
    folder = shared / "golden" / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    facts = json.loads((folder / "expected.json").read_text())
    with np.load(folder / "forward.npz") as file:
        arrays = dict(file)
    model = tf_pose3d.convert(folder / facts["checkpoint"], name.split("/")[0], **SHARED[name])
    assert (
        model.count_params()
        - sum(int(np.prod(v.shape)) for v in model.non_trainable_variables if "moving" in v.path)
        == facts["parameters"]
    )
    target = arrays["target_0"]
    if name.startswith("mixste"):
        # The release's data are relative to the root but for the root itself, which it sets to 0.
        target[:, :, 0] = 0
    outputs, value, gradients = outputs_and_gradients(model, arrays["input"], target)
    assert_close(outputs[model.sequence_output], arrays["output_0"])
    if "representation" in arrays:
        assert_close(outputs["representation"], arrays["representation"])
    norms = gradient_norms(model, model.config.ARCH, gradients)
    expected = dict(zip(arrays["grad_names"].tolist(), arrays["grad_norms"], strict=True))
    assert_close([norms.get(one.removeprefix("module."), 0) for one in expected], list(expected.values()))
    assert_close(value, arrays["loss"])


def count_of(config):
    """Parameters as the releases count them, without running statistics."""
    model = tf_pose3d.build_model(config)
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        ("motionbert", 42_466_317),
        ("motionbert_global_lite", 16_001_549),
        ("motionagformer_xs", 2_241_531),
        pytest.param("motionagformer_s", 4_817_119, marks=pytest.mark.slow),
        pytest.param("motionagformer_b", 11_723_811, marks=pytest.mark.slow),
        pytest.param("motionagformer_l", 19_007_111, marks=pytest.mark.slow),
        pytest.param("mixste_243", 33_783_811, marks=pytest.mark.slow),
    ],
)
def test_shipped_configs_build_networks_of_the_published_size(config, parameters):
    assert count_of(config) == parameters


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


def small(arch, **keys):
    family = get_family(arch)
    sizes = {"FRAMES": 5, "CHANNELS": 64, "LAYERS": 1, "NUM_HEADS": 2, "CLIP_STRIDE": 5, **keys}
    return tf_pose3d.build_model(family.config_class.from_dict(sizes))


def assert_drawn(variable, deviation):
    values = np.asarray(variable).ravel()
    error = 4 / np.sqrt(2 * len(values))
    assert abs(values.std() / deviation - 1) < error
    assert abs(values.mean()) < 4 * deviation / np.sqrt(len(values))


def uniform(inputs):
    return inputs**-0.5 / 3**0.5


def test_motionbert_is_drawn_as_its_release():
    model = small("motionbert")
    block = model.branches[0][0]
    for dense in (
        block.attention.query,
        block.mlp.expand,
        block.mlp.contract,
        model.representation,
        model.head,
    ):
        assert_drawn(dense.kernel, 0.02)
        assert not np.asarray(dense.bias).any()
    assert_drawn(model.joint_position.embedding, 0.02)
    assert_drawn(model.frame_position.embedding, 0.02)
    assert not np.asarray(model.fusions[0].kernel).any()
    np.testing.assert_array_equal(model.fusions[0].bias, 0.5)


def test_motionagformer_is_drawn_as_its_release():
    model = small("motionagformer")
    attention, graph = model.branches[0][0], model.branches[0][2]
    for dense, inputs in ((attention.mixer.value, 64), (attention.mlp.contract, 256), (model.head, 512)):
        assert_drawn(dense.kernel, uniform(inputs))
    assert_drawn(attention.mlp.expand.bias, uniform(64))
    for dense in (graph.mixer.own, graph.mixer.others):
        assert_drawn(dense.kernel, (2 / 64) ** 0.5)
        assert_drawn(dense.bias, uniform(64))
    assert not np.asarray(model.joint_position.embedding).any()
    np.testing.assert_array_equal(attention.scale1, np.float32(1e-5))


@pytest.mark.parametrize("arch", ["mixste", "strided", "poseformer"])
def test_linear_layers_are_drawn_as_pytorch_does(arch):
    if arch == "mixste":
        model = small(arch)
        block, width = model.spatial_blocks[0], 64
    elif arch == "strided":
        config = get_family(arch).config_class.from_dict({"FRAMES": 27, "CHANNELS": 64, "HIDDEN": 128})
        model = tf_pose3d.build_model(config)
        block, width = model.blocks[0], 64
        last = model.strided_blocks[0].mlp
        assert_drawn(last.expand_kernel, uniform(64))
        assert_drawn(last.contract_kernel, uniform(3 * 128))
        assert_drawn(last.contract_bias, uniform(3 * 128))
        assert_drawn(model.encoder.kernel, uniform(34))
    else:
        config = get_family(arch).config_class.from_dict({"FRAMES": 9, "JOINT_DIM": 32, "LAYERS": 1})
        model = tf_pose3d.build_model(config)
        block, width = model.spatial_blocks[0], 32
        assert_drawn(model.head.kernel, uniform(17 * 32))
        assert_drawn(model.frame_mean.kernel, uniform(9))
    for dense, inputs in (
        (block.attention.key, width),
        (block.attention.projection, width),
        (block.mlp.contract, 2 * width),
    ):
        assert_drawn(dense.kernel, uniform(inputs))
        assert_drawn(dense.bias, uniform(inputs))


def test_clips_that_do_not_fit_are_refused():
    model = small("motionbert")
    short = model(np.zeros((2, 3, 17, 3), np.float32))
    assert short["pose_image_sequence"].shape == (2, 3, 17, 3)
    with pytest.raises(
        Pose3DError, match=r"keypoints_2d has shape \(2, 6, 17, 3\), expected \(B, 5 or fewer"
    ):
        model(np.zeros((2, 6, 17, 3), np.float32))
    with pytest.raises(Pose3DError, match=r"expected \(B, 5, 17, 3\)"):
        small("motionagformer")(np.zeros((2, 4, 17, 3), np.float32))
    with pytest.raises(Pose3DError, match="CLIP_FRAMES is 9, expected at most FRAMES 5"):
        small("motionbert", CLIP_FRAMES=9)
    with pytest.raises(Pose3DError, match="statistics for each of FRAMES frames"):
        small("motionagformer", CLIP_FRAMES=3)


def test_the_image_scale_gives_metres():
    model = small("motionbert")
    keypoints = np.random.default_rng(0).normal(size=(1, 5, 17, 3)).astype(np.float32)
    plain = model(keypoints)["pose_3d"]
    scaled = model({"keypoints_2d": keypoints, "image_scale": np.full((1, 5), 1.7, np.float32)})["pose_3d"]
    np.testing.assert_allclose(scaled, 1.7 * np.asarray(plain), rtol=1e-6)


def test_checkpoints_of_other_kinds_are_named(golden, made_tensors, monkeypatch):
    facts = json.loads((golden / "motionagformer/chain/expected.json").read_text())
    held = Checkpoint("chain.tr", made_tensors(facts["shapes"]), {})
    monkeypatch.setattr(converter_module, "read_pytorch_checkpoint", lambda path: held)
    with pytest.raises(Pose3DError, match="is a checkpoint of MotionAGFormer, not of MotionBERT"):
        tf_pose3d.convert("chain.tr", "motionbert")
    with pytest.raises(Pose3DError, match="has FRAMES 7, not 27"):
        tf_pose3d.convert("chain.tr", "motionagformer", n_frames=27)
    with pytest.raises(Pose3DError, match="here TEMPORAL_GRAPH is similar, chain"):
        tf_pose3d.convert("chain.tr", "motionagformer", use_tcn=True)
    with pytest.raises(Pose3DError, match="holds a graph over frames, not TEMPORAL_GRAPH convolutions"):
        tf_pose3d.convert("chain.tr", "motionagformer", num_heads=2, temporal_graph="convolutions")
    lines = []
    tf_pose3d.convert("chain.tr", "motionagformer", log=lines.append, num_heads=2)
    assert lines == [
        "supposed, as no tensor tells: frames connected with the 2 most alike (TEMPORAL_GRAPH, NEIGHBOURS); "
        "joints in Human3.6M's order (for MPI-INF-3DHP: JOINT_ORDER mpi_inf_3dhp, SPACE metric)"
    ]
    lacking = dict(held.tensors)
    del lacking["layers.0.fusion.weight" if "layers.0.fusion.weight" in lacking else "head.bias"]
    damaged = dataclasses.replace(held, tensors=lacking)
    monkeypatch.setattr(converter_module, "read_pytorch_checkpoint", lambda path: damaged)
    with pytest.raises(Pose3DError, match=r"lacks head\.bias"):
        tf_pose3d.convert("chain.tr", "motionagformer", num_heads=2)


def test_checkpoints_for_mpi_inf_3dhp_keep_their_order_and_unit(golden, made_tensors, monkeypatch):
    """The same network sees P-STMO's order, and gives metres; Adam's settings in the file tell it."""
    folder = golden / "motionagformer/similar"
    facts = json.loads((folder / "expected.json").read_text())
    tensors = made_tensors(facts["shapes"])
    found = []
    for amsgrad in (False, True):
        held = Checkpoint("best.pth.tr", tensors, {"optimizer.amsgrad": amsgrad})
        monkeypatch.setattr(converter_module, "read_pytorch_checkpoint", lambda path, held=held: held)
        lines = []
        found.append(tf_pose3d.convert("best.pth.tr", "motionagformer", log=lines.append, **facts["config"]))
    assert "taken as of MPI-INF-3DHP" in lines[-1]
    ours, theirs = found
    assert (theirs.config.JOINT_ORDER, theirs.config.SPACE) == ("mpi_inf_3dhp", "metric")
    assert theirs.config.DATASET == "mpi_inf_3dhp"
    keypoints = np.random.default_rng(0).uniform(-1, 1, (1, 7, 17, 3)).astype(np.float32)
    # The file's order of joints, in which the release feeds them.
    order = [get_skeleton("h36m_17").index(joint) for joint in PSTMO_JOINTS]
    expected = np.asarray(ours(keypoints[:, :, order])["pose_image_sequence"])
    given = np.asarray(theirs(keypoints)["pose_image_sequence"])
    np.testing.assert_allclose(given[:, :, order], 1.024 * expected, rtol=1e-5, atol=1e-5)
    assert order.index(0) == 14
    with pytest.raises(Pose3DError, match="is of networks that give metres; set SPACE to metric"):
        theirs.config.replace(SPACE="image")


def test_the_loss_of_2d_poses_alone_by_hand():
    poses = np.zeros((1, 1, 17, 3), np.float32)
    true = np.zeros((1, 1, 17, 3), np.float32)
    true[0, 0, 0] = [1, 2, 1]
    true[0, 0, 1] = [4, 6, 0.5]
    batch = {"keypoints_2d": true}
    # Relative to the root joint 1 is off by (3, 4), times its confidence; joints of confidence 0 do not
    # count.
    assert float(keypoint_loss(poses, batch)) == pytest.approx(2.5 / 17)
    assert float(keypoint_loss(poses, batch, root_relative=False)) == pytest.approx(
        (5**0.5 + 0.5 * 52**0.5) / 17
    )


def test_pre_training_begins_epochs_with_2d_poses_alone(tmp_path):
    clip = {"data_input": None, "data_label": np.zeros((81, 17, 3), "f4")}
    (tmp_path / "clips" / "train").mkdir(parents=True)
    for number in range(3):
        (tmp_path / "clips" / "train" / f"{number}.pkl").write_bytes(pickle.dumps(clip, protocol=4))
    write_posetrack(tmp_path / "posetrack", [track(seed=number) for number in range(3)])
    write_instavariety(tmp_path / "insta", (81, 108, 30))
    config = as_config("motionbert").replace(
        FRAMES=81, CHANNELS=8, REPRESENTATION=8, LAYERS=1, NUM_HEADS=2, BATCH_SIZE=2, EPOCHS=3,
        POSETRACK=str(tmp_path / "posetrack"), INSTAVARIETY=str(tmp_path / "insta"), CURRICULUM_EPOCHS=1,
        NOISE=True, MASK_RATIO=0.1, BEST_CHECKPOINT_METRIC=None, VAL_SUBSET="none", SYNTHETIC_2D=True,
    )  # fmt: skip
    lines = []
    whole = tf_pose3d.train(config, tmp_path / "whole", dataset=str(tmp_path / "clips"), log=lines.append)
    assert "3 clips of 30 frames of 2D poses (posetrack), from epoch 2 on" in lines
    assert "3 clips of 81 frames of 2D poses (instavariety), from epoch 2 on" in lines
    # Three clips in batches of two: two steps on 3D, and from the second epoch on two on each of the others.
    names = sorted(path.name for path in (tmp_path / "whole" / "checkpoints").glob("cp_*"))
    with h5py.File(tmp_path / "whole" / "checkpoints" / names[-1]) as file:
        assert json.loads(file.attrs["state"])["step"] == 2 + 6 + 6
    # A run that goes on from the first epoch ends the same, bit for bit.
    first = tmp_path / "whole" / "checkpoints" / names[0]
    parts = tf_pose3d.train(
        config, tmp_path / "parts", dataset=str(tmp_path / "clips"), resume=first, log=lines.append
    )
    one, other = (tf_pose3d.load_model(run.last_weights).get_weights() for run in (whole, parts))
    for before, after in zip(one, other, strict=True):
        np.testing.assert_array_equal(before, after)
