"""The record of a calibrated camera: projection and rays."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.data.calibration.record import CalibratedCamera, camera_from_vectors
from tf_pose3d.errors import Pose3DError

K = np.array([[1000.0, 2.0, 640.0], [0.0, 990.0, 360.0], [0.0, 0.0, 1.0]])


def camera(**changes):
    settings = {
        "name": "a",
        "size": (1280, 720),
        "matrix": K,
        "distortion": [-0.2, 0.05, 0.001, -0.0005, 0.01],
        "rotation": [1.2, 0.3, -0.4],
        "translation": [0.1, 0.2, 4.0],
    }
    return camera_from_vectors(**(settings | changes))


@pytest.mark.parametrize("fisheye", [False, True])
def test_rays_of_projections_are_the_points(fisheye):
    made = camera(fisheye=fisheye, distortion=[-0.02, 0.01, 0.002, 0]) if fisheye else camera()
    points = np.random.default_rng(0).uniform(-0.8, 0.8, (4, 50, 3))
    pixels = made.project(points)
    assert pixels.shape == (4, 50, 2)
    seen = made.from_world(points)
    np.testing.assert_allclose(made.rays(pixels), seen[..., :2] / seen[..., 2:], atol=1e-10)
    homogeneous = np.concatenate([points, np.ones((4, 50, 1))], -1) @ made.projection_matrix.T
    np.testing.assert_allclose(made.undistort(pixels), homogeneous[..., :2] / homogeneous[..., 2:], atol=1e-6)


def test_places_and_turns():
    made = camera()
    np.testing.assert_allclose(made.from_world(made.centre), 0, atol=1e-12)
    np.testing.assert_allclose(made.rotation_vector, [1.2, 0.3, -0.4], atol=1e-12)
    np.testing.assert_allclose(made.scaled(0.001).centre, made.centre / 1000)
    plain = camera(rotation=np.eye(3), translation=np.zeros(3), distortion=[0.0] * 5)
    np.testing.assert_allclose(plain.project([0.1, -0.2, 2.0]), [640 + 50 - 0.2, 360 - 99])


def test_what_is_behind_or_missing_is_nan():
    plain = camera(rotation=np.eye(3), translation=np.zeros(3))
    assert np.isnan(plain.project([[0.1, 0.1, -2.0], [0.1, np.nan, 2.0], [0.1, 0.1, 0.0]])).all()
    assert np.isnan(plain.rays([np.nan, 3.0])).all()


def test_four_coefficients_are_filled_up_and_arrays_are_read_only():
    made = camera(distortion=[0.1, 0, 0, 0])
    assert made.distortion.tolist() == [0.1, 0, 0, 0, 0]
    with pytest.raises(ValueError, match="read-only"):
        made.matrix[0, 0] = 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distortion": [0.1]}, "1 distortion coefficients"),
        ({"fisheye": True}, "5 distortion coefficients, a fisheye lens has 4"),
        ({"translation": [0, 0, np.inf]}, "translation must be finite numbers"),
        ({"rotation": np.diag([1, 1, -1.0])}, "is no rotation matrix"),
        ({"rotation": np.eye(3) * 1.1}, "is no rotation matrix"),
        ({"matrix": K.T}, "is no"),
        ({"size": (0, 720)}, "must be positive"),
    ],
)
def test_numbers_that_are_no_camera(changes, message):
    with pytest.raises(Pose3DError, match=message):
        camera(**changes)


def test_the_nearest_rotation_is_held():
    made = CalibratedCamera("a", None, K, np.zeros(5), np.eye(3) + 1e-5, np.zeros(3))
    np.testing.assert_allclose(made.rotation @ made.rotation.T, np.eye(3), atol=1e-12)
