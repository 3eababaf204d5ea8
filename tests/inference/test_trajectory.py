"""Places in the camera's space and on the floor."""

import numpy as np

from tf_pose3d.camera import Camera, project_pixels
from tf_pose3d.data.synthetic import synthetic_sequences
from tf_pose3d.inference.trajectory import camera_trajectory, default_camera, feet_on_floor


def undistorted(camera):
    return Camera(
        camera.id, camera.width, camera.height, camera.focal_length, camera.center, [0] * 3, [0] * 2
    )


def test_true_poses_are_put_where_they_are():
    recording = synthetic_sequences(["S9"], frames=30, actions=["Walking"], skeleton="h36m_17")[2]
    camera = undistorted(recording.camera)
    poses = recording.pose_3d.astype(np.float64)
    pixels = project_pixels(poses, camera)
    keypoints = np.concatenate([pixels, np.ones((30, 17, 1))], axis=2)
    # A joint that is far off and hardly trusted spoils nothing.
    keypoints[:, 3] += [500, 0, 0]
    keypoints[:, 3, 2] = 0
    place = camera_trajectory(poses - poses[:, :1], keypoints, camera)
    np.testing.assert_allclose(place, poses[:, 0], atol=0.02)


def test_typical_camera():
    camera = default_camera(1080, 1920)
    assert camera.focal_length[0] == 1.145 * 1920
    assert default_camera(640, 480, 600).focal_length.tolist() == [600, 600]


def test_floor():
    poses = np.random.default_rng(0).normal(size=(5, 17, 3))
    standing = feet_on_floor(poses)
    np.testing.assert_allclose(standing[..., 1].max(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.diff(standing, axis=1), np.diff(poses, axis=1))
