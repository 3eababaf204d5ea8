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
