import dataclasses

import numpy as np
import pytest

from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion import Motion, hold_poses


@pytest.fixture(scope="module")
def motion():
    sequence = synthetic_sequences(["S9"], frames=6, actions=["Walking"], skeleton="h36m_17")[0]
    return Motion.from_sequence(sequence, sequence.pose_3d - sequence.pose_3d[:, :1], root=0)


def test_poses_are_held_over_gaps_and_before_the_first(motion):
    poses = motion.poses.copy()
    poses[[0, 3, 4]] = np.nan
    np.testing.assert_array_equal(hold_poses(poses), poses[[1, 1, 2, 2, 2, 5]])
    gaps = dataclasses.replace(motion, poses=poses)
    assert gaps.present.tolist() == [False, True, True, False, False, True]
    np.testing.assert_array_equal(gaps.held(), hold_poses(poses))


def test_there_and_back(motion):
    sequence = motion.to_sequence()
    again = Motion.from_sequence(sequence, motion.poses, motion.root)
    assert (again.subject, again.name, again.fps) == ("S9", "Walking", 50)
    np.testing.assert_array_equal(again.truth, motion.truth)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"poses": np.zeros((6, 16, 3))}, r"poses of shape \(6, 16, 3\), expected \(frames, 17, 3\)"),
        ({"keypoints": np.zeros((5, 17, 2))}, r"keypoints of shape \(5, 17, 2\) beside"),
        ({"truth": np.zeros((6, 17, 2))}, r"truth of shape \(6, 17, 2\) beside"),
        ({"root": 17}, "root joint 17, expected 0 to 16"),
    ],
)
def test_what_does_not_fit_is_refused(motion, change, message):
    with pytest.raises(Pose3DError, match=message):
        dataclasses.replace(motion, **change)


@pytest.fixture
def world(motion):
    """Poses in the world, z up, with gaps of single joints; joint 16 is found nowhere."""
    poses = np.random.default_rng(0).normal(size=(6, 17, 3)).astype(np.float32)
    poses[2, 4] = poses[0, 5] = np.nan
    poses[4] = np.nan
    poses[:, 16] = np.nan
    return Motion(poses, motion.skeleton, 0, 50, world=True)


def test_in_the_world_a_frame_may_lack_joints(world):
    assert world.present.tolist() == [True, True, True, True, False, True]
    held = world.held()
    np.testing.assert_array_equal(held[2, 4], world.poses[1, 4])
    np.testing.assert_array_equal(held[0, 5], world.poses[1, 5])
    np.testing.assert_array_equal(held[4, :16], world.poses[3, :16])
    assert np.isnan(held[:, 16]).all()


def test_the_world_in_the_axes_of_marker_files(world):
    x, y, z = np.moveaxis(world.poses, -1, 0)
    np.testing.assert_array_equal(world.in_camera_axes() * [1, -1, -1], np.stack([y, z, x], axis=-1))


def test_formats_without_gaps(world):
    whole = world.without_gaps()
    assert whole.skeleton.joints == world.skeleton.joints[:16]
    assert np.isfinite(whole.poses).all()
    assert whole.root == 0
    with pytest.raises(Pose3DError, match="none of the 6 frames has a pose"):
        dataclasses.replace(world, poses=np.full_like(world.poses, np.nan)).without_gaps()
