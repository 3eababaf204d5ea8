"""MotionBERT's way in the wild: crops, pixels, windows, roots."""

import json

import keras
import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.cli.inference import main
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.image_lifter import ImageLifter, crop_to_unit, halpe_keypoints
from tf_pose3d.inference.lifter import make_lifter
from tf_pose3d.models.loading import as_config, save_model


def small(arch="motionbert", **keys):
    keras.utils.set_random_seed(0)
    sizes = {"FRAMES": 8, "CHANNELS": 16, "LAYERS": 1, "NUM_HEADS": 2, "REPRESENTATION": 16, "CLIP_STRIDE": 8}
    return tf_pose3d.build_model(as_config(arch).replace(**sizes, **keys))


def walk(frames=19, joints=26):
    random = np.random.default_rng(0)
    places = random.uniform(300, 900, (1, joints, 2)) + np.cumsum(random.normal(0, 2, (frames, 1, 2)), axis=0)
    return np.concatenate([places, random.uniform(0.1, 1, (frames, joints, 1))], axis=2).astype(np.float32)


def test_the_crop_is_the_releases():
    keypoints = np.zeros((2, 5, 3), np.float32)
    keypoints[0, :4] = [[100, 200, 0.5], [300, 250, 0.9], [150, 220, 1.5], [220, 260, 0.2]]
    unit = crop_to_unit(keypoints)
    # x from 100 to 300 is the longer side; y has its middle, 230, at 0.
    np.testing.assert_allclose(unit[0, 0], [-1, -0.3, 0.5], atol=1e-6)
    np.testing.assert_allclose(unit[0, 1], [1, 0.2, 0.9], atol=1e-6)
    assert unit[0, 2, 2] == 1
    # Joints of confidence 0 do not count, and are clipped.
    np.testing.assert_allclose(unit[1, 0], [-1, -1, 0])
    assert not crop_to_unit(keypoints[:, :3]).any()


def test_joints_of_halpe_are_those_of_the_release():
    points = np.arange(26, dtype=np.float32)[None, :, None] * np.ones(3, np.float32)
    numbers = halpe_keypoints(points)[0, :, 0]
    assert numbers.tolist() == [19, 12, 14, 16, 11, 13, 15, 18.5, 18, 0, 17, 5, 7, 9, 6, 8, 10]


@pytest.mark.parametrize("root_relative", [True, False])
def test_clips_lie_side_by_side_and_the_last_is_shorter(root_relative):
    model = small(ROOT_RELATIVE=root_relative, EVAL_FLIP=False)
    lifter = make_lifter(model)
    assert isinstance(lifter, ImageLifter)
    points = walk()
    person = lifter.lift(points, 1280, 960, 30, "halpe_26")
    unit = crop_to_unit(halpe_keypoints(points))
    expected = np.concatenate(
        [np.asarray(model(unit[None, i : i + 8])["pose_image_sequence"])[0] for i in (0, 8, 16)]
    )
    if root_relative:
        expected[:, 0] = 0
    else:
        expected[[0, 8, 16], 0, 2] = 0
    np.testing.assert_allclose(person.pose_image, expected, atol=1e-5)
    # Metres: the same pose round its root, at the size of a typical adult.
    relative = person.pose_image - person.pose_image[:, :1]
    factor = person.pose_3d[3, 5, 0] / relative[3, 5, 0]
    np.testing.assert_allclose(person.pose_3d, relative * factor, rtol=1e-3, atol=1e-5)
    assert person.fps == 30


def test_pixels_go_there_and_back():
    model = small(EVAL_FLIP=False)
    points = walk(8)
    pixel = make_lifter(model, normalization="pixel").lift(points, 1280, 960, 30, "halpe_26")
    unit = halpe_keypoints(points)
    unit[..., :2] = (unit[..., :2] - [640, 480]) / 480
    expected = np.array(model(unit[None])["pose_image_sequence"])[0]
    expected[:, 0] = 0
    np.testing.assert_allclose(pixel.pose_image, expected * 480 + [640, 480, 0], rtol=1e-5)
    with pytest.raises(Pose3DError, match="normalization is 'box', expected frame or crop or pixel"):
        make_lifter(model, normalization="box")


def test_overlap_and_fixed_lengths_cover_every_frame():
    for model, overlap in ((small(), 0.5), (small("motionagformer"), 0.0)):
        lifter = make_lifter(model, model.config.replace(OVERLAP=overlap))
        assert np.isfinite(lifter.lift(walk(), 1280, 960, 30, "halpe_26").pose_3d).all()


def test_alphapose_results_from_the_command_line(tmp_path, capsys):
    weights = tmp_path / "mb.h5"
    save_model(small(ROOT_RELATIVE=False), weights)
    frames = [
        {
            "image_id": f"{number}.jpg",
            "category_id": 1,
            "keypoints": np.round(points, 3).ravel().tolist(),
            "score": 2.5,
            "box": [300, 300, 600, 600],
            "idx": 7,
        }
        for number, points in enumerate(walk().tolist())
        for points in [np.array(points)]
    ]
    results, out = tmp_path / "alphapose-results.json", tmp_path / "pose.npz"
    results.write_text(json.dumps(frames))
    given = ["--weights", str(weights), "--input", str(results), "--output", str(out)]
    given += ["--width", "1280", "--height", "960", "--fps", "30"]
    assert main([*given, "--focus", "7", "--pixel"]) == 0, capsys.readouterr().err
    with np.load(out) as file:
        assert file["pose_image"].shape == file["pose_3d"].shape == (19, 17, 3)
        assert 100 < file["pose_image"][..., 0].mean() < 1280
    assert main([*given, "--focus", "8"]) == 2
    assert "8" in capsys.readouterr().err


def test_a_stream_is_lifted_frame_by_frame():
    from tf_pose3d.inference.stream import PoseStream

    model = small("motionagformer", EVAL_FLIP=False)
    lifter = make_lifter(model)
    stream = PoseStream(lifter, 1280, 960, 30, "halpe_26")
    poses = [stream.push(points) for points in walk(4)]
    assert poses[-1] is not None
