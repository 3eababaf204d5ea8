"""The shipped lifters: names, what is unseen, what is too little, uncertainty, files, streams."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import tf_pose3d
from tf_pose3d.camera import project_pixels
from tf_pose3d.data.motion_views import DETECTOR_JOINTS, DETECTOR_SKELETON
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.metrics import mpjpe
from tf_pose3d.files import shipped_weights
from tf_pose3d.inference.clip_lifter import ClipLifter, detector_keypoints
from tf_pose3d.inference.stream import PoseStream
from tf_pose3d.skeleton import get_skeleton

LEGS = [get_skeleton("h36m_17").index(f"{side}_{joint}") for side in "lr" for joint in ("knee", "ankle")]


@pytest.fixture(scope="module")
def clip():
    return synthetic_sequences(["S9"], frames=48, actions=["WalkTogether"], skeleton="h36m_17")[0]


@pytest.fixture(scope="module", params=["general", "general_frame"])
def lifter(request):
    return tf_pose3d.load(request.param)


def lift(lifter, clip, keypoints=None, fps=None, **settings):
    points = clip.pose_2d if keypoints is None else keypoints
    return lifter.lift(points, clip.camera.width, clip.camera.height, fps or clip.fps, "h36m_17", **settings)


def points_of(clip):
    return np.concatenate([clip.pose_2d, np.ones_like(clip.pose_2d[..., :1])], axis=-1).astype(np.float32)


def test_a_made_up_person_is_lifted_with_constant_bones(lifter, clip):
    assert isinstance(lifter, ClipLifter)
    person = lift(lifter, clip, focal_length=float(clip.camera.focal_length[0]))
    assert 1000 * mpjpe(person.pose_3d, clip.pose_3d, root=0).mean() < 110
    skeleton = person.skeleton
    for parent, child in skeleton.bones:
        length = np.linalg.norm(person.pose_3d[:, child] - person.pose_3d[:, parent], axis=1)
        assert np.ptp(length) < 1e-4
    assert person.uncertainty.shape == (48, 17)
    assert (person.uncertainty[:, 1:] > 5).all()
    assert (person.uncertainty[:, 0] == 0).all()


def test_place_in_the_image_and_resolution_change_nothing(lifter, clip):
    first = lift(lifter, clip).pose_3d
    camera = clip.camera
    twice = lifter.lift(2 * clip.pose_2d, 2 * camera.width, 2 * camera.height, clip.fps, "h36m_17").pose_3d
    np.testing.assert_allclose(twice, first, atol=2e-4)


def test_unseen_legs_are_lifted_and_said_to_be_unsure(lifter, clip):
    points = points_of(clip)
    points[:, LEGS] = np.nan
    whole, half = lift(lifter, clip), lift(lifter, clip, points)
    assert np.isfinite(half.pose_3d).all()
    assert (half.keypoints[:, LEGS, 2] == 0).all()
    assert half.uncertainty[:, LEGS].mean() > 1.3 * whole.uncertainty[:, LEGS].mean()


def test_frames_with_too_little_are_bridged_for_a_while_only(lifter, clip):
    points = points_of(clip)
    points[5:8] = np.nan
    points[8, 4:] = np.nan
    points[20:40] = np.nan
    person = lift(lifter, clip, points)
    assert np.flatnonzero(~person.present).tolist() == list(range(20, 40))
    assert np.isfinite(person.pose_3d[:20]).all()
    assert np.isnan(person.pose_3d[20:40]).all()
    assert "no person in 20 of 48 frames" in " ".join(person.warnings)
    with pytest.raises(Pose3DError, match=r"no frame of 48 has 4 joints or more"):
        lift(lifter, clip, np.full_like(points, np.nan))


@pytest.mark.parametrize("fps", [8.0, 25.0, 120.0])
def test_any_frame_rate_gives_every_frame_a_pose(lifter, clip, fps):
    person = lift(lifter, clip, fps=fps)
    assert person.pose_3d.shape == (48, 17, 3)
    assert np.isfinite(person.pose_3d).all()


@pytest.mark.parametrize("focal", [0, -100.0])
def test_focal_lengths_are_positive(lifter, clip, focal):
    with pytest.raises(Pose3DError, match="expected one above 0"):
        lift(lifter, clip, focal_length=focal)


def test_uncertainty_is_in_the_files(lifter, clip, tmp_path):
    person = lift(lifter, clip)
    person.save(tmp_path / "x.npz")
    person.save(tmp_path / "x.json")
    with np.load(tmp_path / "x.npz") as held:
        np.testing.assert_array_equal(held["uncertainty_mm"], person.uncertainty)
    frame = json.loads((tmp_path / "x.json").read_text())["frames"][3]
    np.testing.assert_allclose(frame["uncertainty_mm"], person.uncertainty[3], atol=0.06)


def test_a_stream_gives_the_poses_of_single_frames(clip):
    lifter = tf_pose3d.load("general_frame")
    stream = PoseStream(lifter, clip.camera.width, clip.camera.height, clip.fps, "h36m_17")
    whole = lift(lifter, clip).pose_3d
    for number, points in enumerate(points_of(clip)[:4]):
        ((frame, pose),) = stream.push(points)
        assert frame == number
        # Bone lengths are a clip's mean, here of the frame itself.
        assert np.linalg.norm(pose - whole[number], axis=-1).mean() < 0.02
    ((_, pose),) = stream.push(None)
    assert pose is None


def test_weights_that_ship_are_small_and_named_where_a_name_is_wrong():
    shipped = shipped_weights()
    assert set(shipped) == {"general", "general_frame"}
    assert all(path.stat().st_size < 5e6 for path in shipped.values())
    with pytest.raises(Pose3DError, match="weights that ship: general, general_frame"):
        tf_pose3d.load("generall")


def test_joints_are_taken_by_name_and_never_made_up():
    coco = get_skeleton("coco_17")
    points = np.random.default_rng(0).uniform(100, 900, (2, 17, 3)).astype(np.float32)
    points[..., 2] = 0.9
    points[0, coco.index("l_knee"), 2] = 0.1
    points[1, coco.index("nose")] = np.nan
    taken = detector_keypoints(points, coco, 0.3)
    for index, joint in enumerate(DETECTOR_JOINTS):
        expected = points[:, coco.index(joint)].copy()
        expected[~(np.nan_to_num(expected[:, 2]) >= 0.3)] = 0
        np.testing.assert_array_equal(taken[:, index], expected)


def test_motion_seen_by_a_scene_projects_onto_its_keypoints(lifter, clip):
    person = lift(lifter, clip, focal_length=float(clip.camera.focal_length[0]))
    placed = person.motion("camera").poses
    joints = [person.skeleton.index("head" if name == "nose" else name) for name in DETECTOR_SKELETON.joints]
    off = project_pixels(placed[:, joints], person.camera) - person.keypoints[:, joints, :2]
    assert np.median(np.linalg.norm(off, axis=-1)) < 0.02 * clip.camera.width


def test_no_weights_in_the_program_means_the_shipped_lifter(clip, tmp_path: Path, capsys):
    from tf_pose3d.cli.inference import main

    path = tmp_path / "keypoints.npy"
    np.save(path, points_of(clip))
    size = ["--width", str(clip.camera.width), "--height", str(clip.camera.height), "--fps", "30"]
    out = tmp_path / "pose.npz"
    code = main(["--input", str(path), "--layout", "h36m_17", *size, "--output", str(out)])
    assert code == 0
    assert "no --weights: the shipped lifter general, see docs/general.md" in capsys.readouterr().err
    with np.load(out) as held:
        assert held["uncertainty_mm"].shape == (48, 17)
    # A flag that tells a family asks for that family's weights.
    code = main(["--input", str(path), "--knn", "3", *size, "--output", str(out)])
    assert code == 2


def test_a_limb_that_was_found_once_is_said(lifter, clip):
    points = points_of(clip)
    points[1:, get_skeleton("h36m_17").index("l_wrist"), 2] = 0
    begin = "found in few of the 48 frames with the person: l_wrist in 1; elsewhere the network supposes"
    assert any(line.startswith(begin) for line in lift(lifter, clip, points).warnings)
    assert not any(line.startswith("found in few") for line in lift(lifter, clip).warnings)
