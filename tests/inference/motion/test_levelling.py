"""Which way is up."""

import numpy as np
import pytest

from tf_pose3d.camera import quaternion_to_matrix
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.levelling import angles_up, centre_of_mass, world_rotation
from tf_pose3d.inference.motion.steps import MotionSteps
from tf_pose3d.inference.motion.world import find_world
from tf_pose3d.skeleton import get_skeleton


def tilt(rotation, motion):
    """Degrees between a world's z and the true one."""
    truth = quaternion_to_matrix(motion.camera.orientation)[2]
    return np.degrees(np.arccos(np.clip(rotation[2] @ truth, -1, 1)))


def test_by_the_cameras_orientation(walk):
    world = find_world([walk.motion], MotionSteps(level="auto"))
    assert world.level == "camera"
    assert tilt(world.rotation, walk.motion) < 1e-4


def test_by_how_the_person_stands(walk):
    world = find_world([walk.unknown()], MotionSteps(level="auto"))
    assert world.level == "person"
    assert tilt(world.rotation, walk.motion) < 3
    np.testing.assert_allclose(world.rotation @ world.rotation.T, np.eye(3), atol=1e-9)
    # The camera looks along the world's y.
    assert world.rotation[0, 2] == pytest.approx(0, abs=1e-9)
    assert world.rotation[1, 2] > 0.9


def test_by_angles():
    np.testing.assert_allclose(angles_up(0, 0), [0, -1, 0])
    # A camera that looks down by 30 degrees sees up leaning towards itself.
    np.testing.assert_allclose(angles_up(30, 0), [0, -np.cos(np.radians(30)), -0.5])
    # Turned clockwise, up leans to the left of its image.
    assert angles_up(0, 10)[0] < 0
    turned = world_rotation(angles_up(12, 0))
    view = turned @ [0, 0, 1]
    assert np.degrees(np.arcsin(-view[2])) == pytest.approx(12)
    for pitch, roll in ((91, 0), (0, 181), (float("nan"), 0)):
        with pytest.raises(Pose3DError, match="degrees, expected -"):
            angles_up(pitch, roll)


def test_straight_down():
    rotation = world_rotation(np.array([0.0, 0.0, -1.0]))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_centre_of_mass(walk):
    centre = centre_of_mass(walk.world, get_skeleton("h36m_17"))
    # At the height of the pelvis or somewhat above.
    above = centre[:, 2] - walk.world[:, 0, 2]
    assert 0 < above.mean() < 0.2
    with pytest.raises(Pose3DError, match="no limbs"):
        centre_of_mass(walk.world[:, :4], get_skeleton("aic_14").__class__("x", ("a",), (-1,), (), (), 0))
