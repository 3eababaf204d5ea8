import numpy as np
import pytest

from tf_pose3d.inference.motion.body import lacks_body, to_body
from tf_pose3d.inference.motion.constant_bones import find_pelvis
from tf_pose3d.skeleton import get_skeleton, make_skeleton


@pytest.mark.parametrize(("layout", "joints"), [("halpe_26", 19), ("openpose_25", 19), ("coco_17", 17)])
def test_detectors_layouts_become_a_body(layout, joints):
    skeleton = get_skeleton(layout)
    poses = np.random.default_rng(0).normal(size=(4, skeleton.num_joints, 3)).astype(np.float32)
    body, target = to_body(poses, skeleton)
    assert body.shape == (4, joints, 3)
    assert body.dtype == np.float32
    for joint in ("l_knee", "r_wrist", *(["l_big_toe"] if joints == 19 else [])):
        np.testing.assert_array_equal(
            body[:, target.index(joint)], poses[:, skeleton.index(joint)], err_msg=joint
        )
    hips = poses[:, [skeleton.index("l_hip"), skeleton.index("r_hip")]]
    if layout == "coco_17":
        np.testing.assert_allclose(body[:, target.root], hips.mean(axis=1), atol=1e-6)
    parents = {target.joints[child]: target.joints[parent] for parent, child in target.bones}
    assert (parents["spine"], parents["l_hip"]) == ("pelvis", "pelvis")
    if joints == 19:
        assert parents["l_big_toe"] == "l_ankle"


def test_a_body_stays():
    skeleton = get_skeleton("h36m_17")
    poses = np.zeros((2, 17, 3))
    assert to_body(poses, skeleton) == (poses, skeleton)
    assert lacks_body(skeleton) == []


def test_a_hand_that_nobody_sees_is_left_out():
    names = tuple(name for name in get_skeleton("halpe_26").joints if name not in ("l_wrist", "pelvis"))
    skeleton = make_skeleton("halpe_26", names)
    body, target = to_body(np.zeros((3, 24, 3)), skeleton)
    assert set(target.joints) == {*get_skeleton("h36m_17").joints, "l_big_toe", "r_big_toe"} - {"l_wrist"}
    assert body.shape == (3, 18, 3)
    assert find_pelvis(target) is not None
    assert lacks_body(skeleton) == []


def test_half_a_person_stays():
    skeleton = make_skeleton("legs", ("l_hip", "l_knee", "l_ankle", "r_hip", "r_knee", "r_ankle"))
    poses = np.zeros((2, 6, 3))
    assert to_body(poses, skeleton)[1] is skeleton
    assert lacks_body(skeleton) == ["spine", "neck"]
