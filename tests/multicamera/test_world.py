import numpy as np
import pytest

from tf_pose3d.errors import Pose3DError
from tf_pose3d.multicamera.rig import make_rig
from tf_pose3d.multicamera.world import Placement, body_height, find_placement


def turned(rig, poses, rotation, shift=(0.0, 0, 0)):
    """Rig and poses in another world: X' = R X + s."""
    place = Placement(np.array(rotation, float), np.array(shift, float))
    return place.rig(rig), place.points(poses).astype(float)


def test_a_world_with_z_up_stays(scenes):
    rig, poses = scenes.rig(), scenes.walker(60)
    place = find_placement(rig, [poses], scenes.skeleton)
    np.testing.assert_array_equal(place.rotation, np.eye(3))
    assert place.note == ""


@pytest.mark.parametrize(
    ("rotation", "name"),
    [
        ([[0, 1, 0], [0, 0, 1], [1, 0, 0]], "y"),
        ([[1, 0, 0], [0, 0, -1], [0, 1, 0]], "-y"),
        ([[1, 0, 0], [0, -1, 0], [0, 0, -1]], "-z"),
        ([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], "x"),
    ],
)
def test_people_along_another_axis_turn_the_world(scenes, rotation, name):
    rig, poses = turned(scenes.rig(), scenes.walker(60), rotation)
    place = find_placement(rig, [poses], scenes.skeleton)
    assert f"the calibration's {name}:" in place.note
    upright = place.points(poses)
    head, foot = scenes.skeleton.index("head_top"), scenes.skeleton.index("l_ankle")
    assert (upright[:, head, 2] - upright[:, foot, 2]).min() > 1
    # Cameras go with the people: images stay.
    np.testing.assert_allclose(place.rig(rig).images(upright), rig.images(poses), atol=1e-2)
    assert np.linalg.det(place.rotation) == pytest.approx(1)


def test_lying_people_do_not_turn_an_upright_rig(scenes):
    rig, poses = scenes.rig(), scenes.walker(30)
    lying = poses @ np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]]).T
    np.testing.assert_array_equal(find_placement(rig, [lying], scenes.skeleton).rotation, np.eye(3))


def test_the_person_may_give_floor_and_heading(scenes):
    poses = scenes.walker(120, 1)
    angle = 0.4
    tilt = [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    rig, moved = turned(scenes.rig(), poses, tilt, (3, 2, 5))
    place = find_placement(rig, [moved], scenes.skeleton, "person")
    found = place.points(moved)
    low = found[:, [scenes.skeleton.index(joint) for joint in ("l_heel", "r_heel")], 2].min()
    assert abs(low) < 0.06
    middle = np.median(found, axis=1)
    # Goes along x from the origin.
    assert np.abs(middle[0, :2]).max() < 0.05
    assert middle[-1, 0] > 0.5
    assert abs(middle[-1, 1]) < 0.05
    assert 0.7 < np.median(found[:, scenes.skeleton.index("pelvis"), 2]) < 1.1


def test_the_calibration_may_be_kept(scenes):
    rig, poses = turned(scenes.rig(), scenes.walker(20), [[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    place = find_placement(rig, [poses], scenes.skeleton, "calibration")
    np.testing.assert_array_equal(place.rotation, np.eye(3))
    with pytest.raises(Pose3DError, match="expected one of auto, calibration, person"):
        find_placement(rig, [poses], scenes.skeleton, "sky")


def test_bones_tell_the_height(scenes):
    assert body_height(scenes.walker(50), scenes.skeleton) == pytest.approx(1.03 * 1.75, abs=0.05)
    assert np.isnan(body_height(np.full((3, 26, 3), np.nan), scenes.skeleton))
    assert len(make_rig(scenes.rig().cameras[:2])) == 2
