"""The root's path."""

import numpy as np
import pytest

from tf_pose3d.camera import quaternion_to_matrix
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.contact import feet_joints
from tf_pose3d.inference.motion.path import see_root, solve_path
from tf_pose3d.inference.trajectory import camera_trajectory


@pytest.fixture(scope="module")
def noisy(walk):
    """Keypoints with four pixels of noise, and what each frame says."""
    rng = np.random.default_rng(0)
    keypoints = walk.motion.keypoints.astype(float)
    keypoints[..., :2] += rng.normal(0, 4, keypoints[..., :2].shape)
    return keypoints, see_root(walk.motion.poses, keypoints, walk.motion.camera)


def test_single_frames_are_the_trajectorys(walk, noisy):
    expected = camera_trajectory(walk.motion.poses, noisy[0], walk.motion.camera)
    np.testing.assert_allclose(noisy[1].place, expected, atol=1e-6)


def test_all_frames_together_know_more(walk, noisy):
    motion, feet = walk.motion, feet_joints(walk.motion.skeleton)
    rotation = quaternion_to_matrix(motion.camera.orientation)
    turned = motion.poses @ rotation.T
    resting = np.linalg.norm(np.gradient(walk.world[:, feet], axis=0), axis=-1) * 50 < 0.3
    frames = np.arange(len(turned))
    path = solve_path(noisy[1], frames, 50, rotation, turned[:, feet], resting, True, True)
    truth = walk.world[:, 0] - motion.camera.translation * (1, 1, 0)
    # Resting ankles are the floor of a skeleton without feet.
    truth[:, 2] -= np.median(walk.world[:, feet, 2][resting])
    alone = noisy[1].place @ rotation.T
    error = np.linalg.norm(path.place - truth, axis=1).mean()
    raw = np.linalg.norm((alone - alone.mean(axis=0)) - (truth - truth.mean(axis=0)), axis=1).mean()
    assert error < 0.05
    assert error < 0.6 * raw
    assert path.height == pytest.approx(motion.camera.translation[2] - 0.08, abs=0.1)
    # Accelerations are those of a person.
    assert np.linalg.norm(np.diff(path.place, 2, axis=0), axis=1).mean() < 0.004


def test_without_feet_there_is_no_floor(walk, noisy):
    rotation = quaternion_to_matrix(walk.motion.camera.orientation)
    path = solve_path(noisy[1], np.arange(300), 50, rotation, None, None, False, False)
    assert path.height is None
    sure = solve_path(noisy[1], np.arange(300), 50, rotation, None, None, True, True)
    assert (sure.uncertainty < path.uncertainty).all()
    single = solve_path(
        type(noisy[1])(*(held[:1] for held in (noisy[1].matrix, noisy[1].right, noisy[1].place))),
        np.arange(1),
        50,
        rotation,
        None,
        None,
        True,
        True,
    )
    assert np.isfinite(single.place).all()


def test_a_camera_without_intrinsics(walk):
    camera = type(walk.motion.camera)("x", 100, 100)
    with pytest.raises(Pose3DError, match="camera x has no intrinsics"):
        see_root(walk.motion.poses, walk.motion.keypoints, camera)
