"""Which way is up."""

import numpy as np
import pytest

from tf_pose3d.camera import project_pixels, quaternion_to_matrix
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.levelling import (
    angles_up,
    camera_says,
    centre_of_mass,
    tangents,
    world_rotation,
)
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.steps import MotionSteps
from tf_pose3d.inference.motion.world import find_world
from tf_pose3d.skeleton import get_skeleton, make_skeleton


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


def _leaning(walk, degrees, *places):
    """People who stand still at places `(x, y)` on one floor and all lean to the world's x."""
    camera = walk.motion.camera
    pose = walk.world[0]
    foot = pose[[3, 6]].mean(axis=0) * (1, 1, 0)
    turn = np.radians(degrees)
    lean = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    people = []
    for place in places:
        body = pose - foot
        body = body @ lean.T
        # Feet stay where they are.
        body[[3, 6]] = (pose - foot)[[3, 6]]
        world = np.repeat((body + foot + (*place, 0))[None], 90, axis=0)
        seen = (world - camera.translation) @ quaternion_to_matrix(camera.orientation)
        pixels = project_pixels(seen, camera)
        keypoints = np.concatenate([pixels, np.ones((90, 17, 1))], axis=2).astype(np.float32)
        people.append(walk.unknown(poses=seen - seen[:, :1], keypoints=keypoints, truth=None))
    return people


def test_people_apart_tell_one_floor(walk):
    """How they stand misleads; that their feet are on one floor does not."""
    camera = walk.motion.camera
    right = quaternion_to_matrix(camera.orientation)[:2, 0]
    steps = MotionSteps(level="auto")
    side = 1.5 * right / np.linalg.norm(right)
    ahead = camera.translation[:2] - walk.world[0, 0, :2]
    ahead = 2 * ahead / np.linalg.norm(ahead)
    people = _leaning(walk, 12, side, -side, ahead)
    alone = [tilt(find_world([person], steps).rotation, walk.motion) for person in people]
    together = tilt(find_world(people, steps).rotation, walk.motion)
    assert together < 0.9 * min(alone)
    # Someone of two frames hardly counts.
    brief = people[0].poses.copy()
    brief[2:] = np.nan
    brief[:2] = brief[:2, :, [1, 0, 2]]
    passing = walk.unknown(poses=brief, keypoints=people[0].keypoints, truth=None)
    assert tilt(find_world([*people, passing], steps).rotation, walk.motion) < together + 1


@pytest.mark.parametrize("raised", [0.0, 1.0, 1.4])
def test_the_floor_is_below_the_camera(walk, raised):
    """At 1.4 m it nearly lies on it, which cameras do not."""
    camera = walk.motion.camera
    seen = (walk.world - camera.translation) @ quaternion_to_matrix(camera.orientation)
    seen = seen - np.array([0, raised, 0])
    keypoints = np.concatenate([project_pixels(seen, camera), np.ones((300, 17, 1))], axis=2)
    motion = walk.unknown(keypoints=keypoints.astype(np.float32))
    up = find_world([motion], MotionSteps(level="auto")).rotation[2]
    assert np.median((seen[:, [3, 6]] @ up).min(axis=1)) < -0.1


def test_layouts_with_toes(walk):
    """Toes lie ahead of where people stand: they tell the floor, not the balance."""
    motion, camera = walk.motion, walk.motion.camera
    rotation = quaternion_to_matrix(camera.orientation)
    across = motion.poses[:, 4] - motion.poses[:, 1]
    forward = np.cross(across, rotation[2])
    forward /= np.linalg.norm(forward, axis=1, keepdims=True)
    toes = motion.poses[:, [6, 3]] + (0.15 * forward - 0.08 * rotation[2])[:, None]
    poses = np.concatenate([motion.poses, toes], axis=1)
    skeleton = make_skeleton("with_toes", (*motion.skeleton.joints, "l_toe", "r_toe"))
    seen = poses + ((walk.world[:, :1] - camera.translation) @ rotation)
    keypoints = np.concatenate([project_pixels(seen, camera), np.ones((300, 19, 1))], axis=2)
    held = Motion(poses, skeleton, 0, motion.fps, walk.unknown().camera, keypoints.astype(np.float32))
    assert tilt(find_world([held], MotionSteps(level="auto")).rotation, motion) < 3


def test_unusual_cameras_are_told_less():
    """What cameras usually do counts half of what it does at 8 degrees where that is 16 degrees away."""

    def told(pitch):
        up = angles_up(pitch, 0)
        axes = tangents(up)
        matrix, right = camera_says(up, axes)
        steepest = axes @ (np.array([0, 0, 1]) - up * up[2])
        return steepest @ matrix @ steepest / (steepest @ steepest) ** 2, np.linalg.norm(right)

    far = np.degrees(np.arcsin(np.sin(np.radians(8)) + np.radians(16)))
    usual, unusual = told(8), told(far)
    assert unusual[0] == pytest.approx(usual[0] / 2)
    assert usual[1] == pytest.approx(0, abs=1e-9)
    # A camera that looks down by 60 degrees is pulled less than one by 24.
    assert 0 < told(60)[1] < unusual[1]


def test_cameras_high_up(walk):
    """Postures and the floor tell what cameras seldom do."""
    for pitch in (30, 45, 60):
        up = angles_up(pitch, 0)
        turned = world_rotation(up)
        seen = (walk.world - walk.world[:, :1].mean(axis=0)) @ turned + [0, 0, 6]
        keypoints = np.concatenate([project_pixels(seen, walk.motion.camera), np.ones((300, 17, 1))], axis=2)
        motion = walk.unknown(poses=seen - seen[:, :1], keypoints=keypoints.astype(np.float32), truth=None)
        found = find_world([motion], MotionSteps(level="auto")).rotation[2]
        assert np.degrees(np.arccos(found @ up)) < 4
