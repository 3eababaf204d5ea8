"""Networks that read other joints than they give, as VideoPose3D's for detectors' keypoints."""

import dataclasses
import json

import keras
import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.cli import eval as eval_program
from tf_pose3d.cli import inference as inference_program
from tf_pose3d.cli import train as train_program
from tf_pose3d.data.human36m import SUBJECTS
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.prediction import predict_poses, predict_with_loss
from tf_pose3d.inference.lifter import Lifter
from tf_pose3d.models.family import get_family
from tf_pose3d.models.loading import build_model, load_model, require_fitting_weights, save_model
from tf_pose3d.models.videopose3d.config import VideoPose3DConfig
from tf_pose3d.skeleton import convert_joints, get_skeleton
from tf_pose3d.weight_files.checkpoint import Checkpoint
from tf_pose3d.weight_files.pytorch import read_pytorch_checkpoint
from tf_pose3d.weights.convert import get_converter

H36M, COCO = get_skeleton("h36m_17"), get_skeleton("coco_17")
CONFIG = VideoPose3DConfig(FILTER_WIDTHS=[3, 3], CHANNELS=8, INPUT_SKELETON="coco_17")
FAMILY = get_family("videopose3d")


def mirrored(values, skeleton):
    image = values[..., list(skeleton.flip_order), :].copy()
    image[..., 0] *= -1
    return image


@pytest.fixture(scope="module")
def model():
    return build_model(CONFIG)


@pytest.fixture(scope="module")
def sequence():
    """A recording whose 2D are COCO's joints."""
    plain = synthetic_sequences(["S9"], frames=20, actions=["Walking"], skeleton="h36m_17")[0]
    pixels = np.random.default_rng(0).uniform(200, 800, (20, 17, 2)).astype(np.float32)
    return dataclasses.replace(plain, pose_2d=pixels, skeleton_2d=COCO)


def expected_poses(model, pixels, camera):
    """What the network gives frame by frame, ends repeated, averaged with the mirrored pass."""
    screen = pixels / camera.width * 2 - [1, camera.height / camera.width]
    padded = np.pad(screen, ((4, 4), (0, 0), (0, 0)), "edge").astype(np.float32)
    windows = np.stack([padded[frame : frame + 9] for frame in range(len(pixels))])
    plain = np.asarray(model({"keypoints_2d": windows})["pose_3d"])
    image = np.asarray(model({"keypoints_2d": mirrored(windows, COCO)})["pose_3d"])
    return (plain + mirrored(image, H36M)) / 2


def test_evaluation_mirrors_each_layout_in_its_own_way(model, sequence):
    windows = Windows([sequence], FAMILY.data_spec(CONFIG, "test"))
    expected = expected_poses(model, sequence.pose_2d, sequence.camera)
    np.testing.assert_allclose(predict_poses(model, windows, 8), expected, atol=1e-5)
    poses, targets, _, _ = predict_with_loss(model, windows, 8, FAMILY.loss(CONFIG))
    np.testing.assert_allclose(poses, expected, atol=1e-5)
    np.testing.assert_array_equal(targets, sequence.pose_3d)


def test_lifting_takes_the_joints_as_they_are(model, sequence):
    lifter = Lifter(model)
    assert (lifter.input_skeleton, lifter.skeleton) == (COCO, H36M)
    assert "coco_17 to h36m_17" in repr(lifter)
    person = lifter.lift(sequence.pose_2d, 1000, 1002, 50, "coco_17")
    expected = expected_poses(model, sequence.pose_2d, sequence.camera)
    np.testing.assert_allclose(person.pose_3d, expected - expected[:, :1], atol=1e-5)
    # The result shows 2D in the joints of the poses.
    shown = convert_joints(sequence.pose_2d, COCO, H36M)
    np.testing.assert_allclose(person.keypoints[..., :2], shown, atol=1e-3)


def test_the_layout_that_is_supposed_is_the_one_that_is_read(model, sequence):
    with pytest.warns(UserWarning, match="its 17 joints are taken as coco_17"):
        Lifter(model)(sequence.pose_2d, 1000, 1002)


def test_models_keep_their_layouts(model, tmp_path):
    save_model(model, tmp_path / "x.h5")
    held = load_model(tmp_path / "x.h5")
    assert held.config.INPUT_SKELETON == "coco_17"
    again = type(model).from_config(model.get_config())
    assert again.settings == model.settings
    plain = VideoPose3DConfig(FILTER_WIDTHS=[3, 3], CHANNELS=8)
    assert plain.input_skeleton == "h36m_17"
    with pytest.raises(Pose3DError, match=r"of 17 joints \(coco_17\), not of 17 \(h36m_17\)"):
        require_fitting_weights(tmp_path / "x.h5", plain)
    # Fifteen joints out of seventeen.
    other = build_model(CONFIG.replace(SKELETON="humaneva_15"))
    assert other({"keypoints_2d": np.zeros((2, 9, 17, 2), "f4")})["pose_3d"].shape == (2, 15, 3)
    assert isinstance(other, keras.Model)


def test_layouts_that_do_not_fit():
    with pytest.raises(Pose3DError, match="INPUT_SKELETON is h36m_16, of which nothing gives l_eye"):
        VideoPose3DConfig.from_dict({"SKELETON": "coco_17", "INPUT_SKELETON": "h36m_16"})
    with pytest.raises(Pose3DError, match="unknown joint layout 'coco'"):
        VideoPose3DConfig.from_dict({"INPUT_SKELETON": "coco"})
    with pytest.raises(Pose3DError, match="INPUT_SKELETON"):
        get_family("rie").config_class.from_dict({"INPUT_SKELETON": "coco_17"})


@pytest.fixture
def checkpoint(golden, monkeypatch):
    """A function: VideoPose3D's golden checkpoint, with other numbers of joints."""
    (path,) = (golden / "videopose3d" / "strided").glob("*.bin")
    held = read_pytorch_checkpoint(path)

    def change(reads=17, gives=17):
        tensors = dict(held.tensors)
        tensors["expand_conv.weight"] = np.resize(
            tensors["expand_conv.weight"],
            (tensors["expand_conv.weight"].shape[0], 2 * reads, tensors["expand_conv.weight"].shape[2]),
        )
        for name in ("shrink.weight", "shrink.bias"):
            tensors[name] = np.resize(tensors[name], (3 * gives, *tensors[name].shape[1:]))
        changed = Checkpoint("x.bin", tensors, {})
        monkeypatch.setattr(type(get_converter("videopose3d")), "read", lambda self, path: changed)
        return "x.bin"

    return change


def test_conversion_says_what_it_took(checkpoint):
    lines = []
    path = checkpoint()
    config = tf_pose3d.convert(path, "videopose3d", log=lines.append).config
    assert (config.SKELETON, config.INPUT_SKELETON, config.CAUSAL) == ("h36m_17", None, False)
    joints, causal = lines
    assert "the 17 that it reads are taken as h36m_17, the 17 that it gives as h36m_17" in joints
    assert "--set INPUT_SKELETON=NAME" in joints
    assert "coco_17" in joints
    assert "taken as not causal" in causal
    lines.clear()
    settings = {"input_skeleton": "coco_17", "causal": True}
    config = tf_pose3d.convert(path, "videopose3d", log=lines.append, **settings).config
    assert (config.SKELETON, config.INPUT_SKELETON, config.CAUSAL) == ("h36m_17", "coco_17", True)
    assert not lines


def test_seventeen_joints_in_and_fifteen_out(checkpoint):
    lines = []
    model = tf_pose3d.convert(checkpoint(17, 15), "videopose3d", log=lines.append)
    assert (model.config.SKELETON, model.config.INPUT_SKELETON) == ("humaneva_15", "coco_17")
    assert "the 17 that it reads are taken as coco_17, the 15 that it gives as humaneva_15" in lines[0]


@pytest.mark.parametrize(
    ("joints", "settings", "words"),
    [
        ((16, 17), {}, r"INPUT_SKELETON is h36m_17 of 17, expected one of 16: .*h36m_16"),
        ((17, 17), {"INPUT_SKELETON": "humaneva_15"}, "INPUT_SKELETON is humaneva_15 of 15"),
        ((17, 17), {"SKELETON": "humaneva_15"}, "SKELETON is humaneva_15 of 15, expected one of 17"),
        ((17, 1), {}, "a trajectory network gives 3"),
    ],
)
def test_numbers_of_joints_that_do_not_fit(checkpoint, joints, settings, words):
    with pytest.raises(Pose3DError, match=words) as caught:
        tf_pose3d.convert(checkpoint(*joints), "videopose3d", **settings)
    assert "\n" not in str(caught.value)


@pytest.fixture
def files(tmp_path):
    """Human3.6M's files with COCO's joints in 2D."""
    random = np.random.default_rng(0)
    poses, videos = {}, {}
    for subject in SUBJECTS:
        poses[subject] = {"Walking": random.normal((0, 0, 1), 0.3, (12, 32, 3)).astype("f4")}
        videos[subject] = {"Walking": [random.uniform(0, 900, (12, 17, 2)).astype("f4") for _ in range(4)]}
    np.savez(tmp_path / "data_3d_h36m.npz", positions_3d=np.array(poses, object))
    metadata = np.array({"layout_name": "coco"}, object)
    np.savez(tmp_path / "data_2d_h36m_coco.npz", positions_2d=np.array(videos, object), metadata=metadata)
    (tmp_path / "c.json").write_text(json.dumps({**CONFIG.to_dict(), "EPOCHS": 1, "STEPS_PER_EPOCH": 2}))
    return tmp_path


def test_programs(files, capfd):
    data = ("--dataset", str(files / "data_3d_h36m.npz"), "--keypoints", "coco")
    out = str(files / "out")
    flags = ["--config", str(files / "c.json"), *data, "--out_dir", out, "--set", "BATCH_SIZE=16"]
    code = train_program.main(flags)
    assert code == 0, capfd.readouterr().err
    weights = ("--weights", f"{out}/checkpoints/best")
    assert eval_program.main([*weights, *data, "--json", str(files / "n.json")]) == 0
    choice = ("--viz_subject", "S9", "--viz_action", "Walking", "--output", str(files / "p.npz"))
    assert inference_program.main([*weights, *data, *choice]) == 0
    # Joints are read as they are: nothing had to be made up.
    assert "are made of them" not in capfd.readouterr().out
    with np.load(files / "p.npz") as held:
        assert held["pose_3d"].shape == (12, 17, 3)
        assert list(held["joints"]) == list(H36M.joints)
        with np.load(files / "data_2d_h36m_coco.npz", allow_pickle=True) as source:
            pixels = source["positions_2d"].item()["S9"]["Walking"][0]
        np.testing.assert_allclose(held["pose_2d"], convert_joints(pixels, COCO, H36M), atol=1e-3)


def test_sequences_show_one_layout(sequence):
    shown = sequence.in_one_layout()
    assert isinstance(shown, Sequence)
    assert shown.input_skeleton == shown.skeleton == H36M
    np.testing.assert_array_equal(shown.pose_2d, convert_joints(sequence.pose_2d, COCO, H36M))
    assert shown.in_one_layout() is shown
