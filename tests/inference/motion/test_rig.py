"""Joint rotations: forward kinematics, the rest pose, hinges, and what a layout must have."""

import numpy as np
import pytest

from tf_pose3d.camera import quaternion_to_matrix
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.constant_bones import fit_skeleton
from tf_pose3d.inference.motion.rig import fit_rig, matrix_to_quaternion
from tf_pose3d.skeleton import convert_joints, get_skeleton

# h36m_17 in a T, y up, facing +z.
_T = {
    "pelvis": (0, 0, 0),
    "spine": (0, 0.2, 0),
    "neck": (0, 0.5, 0),
    "head": (0, 0.6, 0),
    "head_top": (0, 0.7, 0),
}
for _side, _sign in (("l", 1), ("r", -1)):
    for _joint, (_x, _y) in {
        "hip": (0.1, 0),
        "knee": (0.1, -0.4),
        "ankle": (0.1, -0.8),
        "shoulder": (0.15, 0.5),
        "elbow": (0.4, 0.5),
        "wrist": (0.6, 0.5),
    }.items():
        _T[f"{_side}_{_joint}"] = (_sign * _x, _y, 0)


def t_pose(**moved):
    return np.array([[{**_T, **moved}[joint] for joint in get_skeleton("h36m_17").joints]], float)


@pytest.fixture(scope="module")
def walk():
    sequence = synthetic_sequences(["S9"], frames=60, actions=["Walking"], skeleton="h36m_17")[0]
    return sequence.pose_3d.astype(float) * [1, -1, -1]


@pytest.mark.parametrize("layout", ["h36m_17", "h36m_16", "uplift_17", "humaneva_15", "mpi_inf_3dhp_17"])
def test_forward_kinematics_gives_one_skeletons_poses_back(walk, layout):
    skeleton = get_skeleton(layout)
    poses = fit_skeleton(convert_joints(walk, "h36m_17", skeleton), skeleton)
    rig = fit_rig(poses, skeleton, 50)
    np.testing.assert_allclose(rig.positions(), poses, atol=1e-6)
    assert all(np.linalg.norm(joint.offset) > 0.03 for joint in rig.joints[1:])
    np.testing.assert_allclose(np.linalg.det(rig.rotations), 1, atol=1e-9)
    quaternions = rig.quaternions()
    np.testing.assert_allclose(quaternion_to_matrix(quaternions), rig.rotations, atol=1e-6)
    assert (np.sum(quaternions[1:] * quaternions[:-1], axis=-1) > 0.9).all()


def test_the_rest_pose_has_no_rotation():
    rig = fit_rig(t_pose(), get_skeleton("h36m_17"), 30)
    np.testing.assert_allclose(rig.rotations, np.tile(np.eye(3), (1, len(rig.joints), 1, 1)), atol=1e-9)
    ends = {joint.name: joint.end for joint in rig.joints if joint.end is not None}
    assert ends["l_ankle"][2] > 0.1
    assert ends["r_wrist"][0] < -0.05
    np.testing.assert_allclose(ends["head"], [0, 0.1, 0])


def test_knees_and_elbows_are_hinges():
    bent = t_pose(l_ankle=(0.1, -0.4, -0.4), l_wrist=(0.4, 0.5, 0.2))
    rig = fit_rig(bent, get_skeleton("h36m_17"), 30)
    turns = dict(zip(rig.names, rig.rotations[0], strict=True))
    np.testing.assert_allclose(turns["l_hip"], np.eye(3), atol=1e-9)
    np.testing.assert_allclose(turns["l_knee"], [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-9)
    np.testing.assert_allclose(turns["l_shoulder"], np.eye(3), atol=1e-9)
    np.testing.assert_allclose(turns["l_elbow"], [[0, 0, -1], [0, 1, 0], [1, 0, 0]], atol=1e-9)
    # The shank lies level behind the knee: to be level, too, the foot would go up by 90 degrees; an ankle
    # does 25 of them.
    _, world = rig.globals()
    toe = world[0, rig.names.index("l_ankle"), :, 2]
    np.testing.assert_allclose(toe, [0, -np.cos(np.radians(25)), np.sin(np.radians(25))], atol=1e-9)


def test_a_bone_that_points_back_along_its_rest_pose():
    skeleton = get_skeleton("h36m_17")
    pose = t_pose(head_top=(0, 0.5, 0), l_ankle=(0.1, 0, 0))
    rig = fit_rig(pose, skeleton, 30)
    np.testing.assert_allclose(rig.positions(), pose, atol=1e-6)
    assert np.isfinite(rig.rotations).all()


def test_layouts_without_a_pelvis():
    with pytest.raises(
        Pose3DError, match="layout coco_17 has no pelvis that carries both hips and one spine"
    ):
        fit_rig(np.zeros((1, 17, 3)), get_skeleton("coco_17"), 30)


def test_quaternions_of_half_turns():
    for axis in np.eye(3):
        turn = 2 * np.outer(axis, axis) - np.eye(3)
        np.testing.assert_allclose(quaternion_to_matrix(matrix_to_quaternion(turn)), turn, atol=1e-12)
