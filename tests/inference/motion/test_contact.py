"""When feet rest."""

import numpy as np
import pytest

from tf_pose3d.inference.motion.contact import feet_joints, find_contacts, foot_speeds, resting_places
from tf_pose3d.skeleton import get_skeleton


def test_feet():
    h36m = get_skeleton("h36m_17")
    assert feet_joints(h36m) == (h36m.index("l_ankle"), h36m.index("r_ankle"))
    halpe = get_skeleton("halpe_26")
    assert feet_joints(halpe) == (halpe.index("l_big_toe"), halpe.index("r_big_toe"))
    assert feet_joints(get_skeleton("aic_14")) is not None


@pytest.mark.parametrize("pixels", [True, False])
def test_contacts_of_a_walk(walk, pixels):
    motion, feet = walk.motion, feet_joints(walk.motion.skeleton)
    present = motion.present
    truth = np.linalg.norm(np.gradient(walk.world[:, feet], axis=0), axis=-1) * 50 < 0.3
    if pixels:
        depth = walk.unknown().camera.focal_length[0]
        depth = np.full(300, 5.0)
        speeds = foot_speeds(
            walk.world[:, feet], present, 50, motion.keypoints[:, feet, :2], motion.camera, depth
        )
    else:
        speeds = foot_speeds(walk.world[:, feet], present, 50)
    found = find_contacts(speeds, present, 50, walk.world[:, feet, 2])
    assert (found & truth).sum() / found.sum() > 0.9
    assert (found & truth).sum() / truth.sum() > 0.9


def test_short_rests_and_pauses():
    speeds = np.full((100, 2), 2.0)
    speeds[10:40, 0] = 0.1
    speeds[24:26, 0] = 1.0  # a pause of two frames belongs to it
    speeds[60:62, 0] = 0.1  # too short
    speeds[70:90, 1] = 0.35  # slow, never at rest
    found = find_contacts(speeds, np.ones(100, bool), 50)
    assert np.flatnonzero(found[:, 0]).tolist() == list(range(10, 40))
    assert not found[:, 1].any()


def test_a_foot_that_is_held_up_does_not_rest():
    still = np.zeros((50, 2))
    heights = np.tile([0.1, 0.4], (50, 1))
    assert find_contacts(still, np.ones(50, bool), 50, heights).all(axis=0).tolist() == [True, False]


def test_nobody_rests_in_gaps():
    present = np.ones(60, bool)
    present[20:30] = False
    points = np.zeros((60, 2, 3))
    points[~present] = np.nan
    found = find_contacts(foot_speeds(points, present, 50), present, 50, points[..., 2])
    np.testing.assert_array_equal(found.all(axis=1), present)
    places, lasting = resting_places(np.nan_to_num(points), found)
    assert places.shape == (4, 3)
    assert lasting.tolist() == [20, 30, 20, 30]
