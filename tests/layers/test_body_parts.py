import dataclasses

import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.body_parts import body_parts, join_order
from tf_pose3d.skeleton import get_skeleton


def joints_of(layout):
    return {part.name: part.joints for part in body_parts(layout)}


def test_parts_of_the_release():
    # The release calls them torso, left arm, right arm, left leg and right leg, in this order.
    assert list(joints_of("h36m_17").values()) == [
        (0, 7, 8, 9, 10),
        (14, 15, 16),
        (11, 12, 13),
        (1, 2, 3),
        (4, 5, 6),
    ]
    skeleton = get_skeleton("h36m_17")
    assert all(skeleton.joints[joint].startswith("r_") for joint in joints_of(skeleton)["right_leg"])


@pytest.mark.parametrize(("layout", "torso"), [("humaneva_15", (0, 1, 14)), ("humaneva_20", (0, 1, 2, 19))])
def test_parts_of_humaneva(layout, torso):
    parts = joints_of(layout)
    assert parts["torso"] == torso
    assert len({len(joints) for name, joints in parts.items() if name != "torso"}) == 1


@pytest.mark.parametrize("layout", ["h36m_17", "h36m_16", "humaneva_15", "humaneva_20"])
def test_every_joint_is_in_one_part(layout):
    parts = body_parts(layout)
    joints = np.concatenate([part.joints for part in parts])
    np.testing.assert_array_equal(joints[join_order(parts)], np.arange(get_skeleton(layout).num_joints))


@pytest.mark.parametrize("layout", ["h36m_17", "humaneva_15"])
def test_mixing_gives_positions_and_both_differences(layout):
    rng = np.random.default_rng(0)
    skeleton = get_skeleton(layout)
    frame, predicted = rng.normal(size=(2, skeleton.num_joints, 2))
    for part in body_parts(layout):
        mix, mix_predicted = part.mixing_matrices()
        inputs, joints = list(part.inputs), list(part.joints)
        features = frame[inputs].reshape(-1) @ mix + predicted[inputs].reshape(-1) @ mix_predicted
        expected = [frame[joints], (frame - frame[skeleton.root])[joints], (frame - predicted)[joints]]
        np.testing.assert_allclose(features, np.concatenate(expected).reshape(-1), atol=1e-6)


def test_a_layout_without_a_limb():
    skeleton = get_skeleton("h36m_17")
    legless = dataclasses.replace(skeleton, name="bust", joints=tuple(f"x{j}" for j in skeleton.joints))
    with pytest.raises(Pose3DError, match="bust has no joints of the right arm"):
        body_parts(legless)
