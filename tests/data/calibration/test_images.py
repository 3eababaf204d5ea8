"""Images that were scaled, cropped or turned since calibration."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.data.calibration.images import fitted_to_images
from tf_pose3d.data.calibration.record import Calibration, camera_from_vectors

LENS = [-0.2, 0.05, 0.001, -0.0005, 0.01]
K = [[1000.0, 0.0, 530.0], [0.0, 990.0, 970.0], [0.0, 0.0, 1.0]]
CAMERA = camera_from_vectors("a", (1088, 1920), K, LENS, [1.2, 0.3, -0.4], [0.1, 0.2, 4.0])
CALIBRATION = Calibration("f", "opencv", (CAMERA,))
POINTS = np.random.default_rng(0).uniform(-0.8, 0.8, (50, 3))


def test_the_same_size_says_nothing():
    fitted = fitted_to_images(CALIBRATION, [(1088, 1920)])
    assert fitted.cameras == (CAMERA,)
    assert not fitted.notes
    assert not fitted_to_images(CALIBRATION, [None]).notes


def test_scaled_images_scale_the_camera():
    fitted = fitted_to_images(CALIBRATION, [(544, 960)])
    assert "scaled by 0.5" in fitted.notes[0]
    # The middle of pixel (0, 0) of four is at (0.5, 0.5) of theirs.
    expected = (CAMERA.project(POINTS) + 0.5) / 2 - 0.5
    np.testing.assert_allclose(fitted.cameras[0].project(POINTS), expected, atol=1e-9)


def test_cropped_images_leave_pixels_alone():
    fitted = fitted_to_images(CALIBRATION, [(1080, 1920)])
    assert "cropped at the right or bottom, pixels left as they are" in fitted.notes[0]
    np.testing.assert_array_equal(fitted.cameras[0].matrix, CAMERA.matrix)
    assert fitted.cameras[0].size == (1080, 1920)


@pytest.mark.parametrize("size", [(1920, 1088), (1920, 1080), (1280, 720)])
def test_portrait_against_landscape_is_said(size):
    assert (
        "portrait against landscape, turned since calibration"
        in fitted_to_images(CALIBRATION, [size]).notes[0]
    )


def test_larger_images_of_another_ratio_are_doubted():
    assert "neither scaled nor cropped" in fitted_to_images(CALIBRATION, [(1200, 1920)]).notes[0]


def test_keypoints_beyond_the_image_are_said():
    points = np.random.default_rng(1).uniform(0, 1, (1, 30, 17, 3)) * [1088, 1920, 1]
    points[0, :5] = 0
    assert not fitted_to_images(CALIBRATION, [None], points).notes
    assert (
        "turned since calibration" in fitted_to_images(CALIBRATION, [None], points[..., [1, 0, 2]]).notes[0]
    )
    assert "larger than those" in fitted_to_images(CALIBRATION, [None], points * [2, 2, 1]).notes[0]


@pytest.mark.parametrize(
    ("fisheye", "lens"),
    [(False, LENS), (False, [*LENS, 0.1, 0, 0, 0.01, 0.002, -0.02, 0.003]), (True, LENS[:4])],
)
def test_a_turned_camera_sees_turned_images(fisheye, lens):
    camera = camera_from_vectors("a", (1088, 1920), K, lens, [1.2, 0.3, -0.4], [0.1, 0.2, 4.0], fisheye)
    u, v = np.moveaxis(camera.project(POINTS), -1, 0)
    once = camera.turned(1)
    assert once.size == (1920, 1088)
    np.testing.assert_allclose(once.project(POINTS), np.stack([1919 - v, u], -1), atol=1e-9)
    twice = camera.turned(2).project(POINTS)
    np.testing.assert_allclose(twice, np.stack([1087 - u, 1919 - v], -1), atol=1e-9)
    np.testing.assert_allclose(camera.turned(4).project(POINTS), np.stack([u, v], -1), atol=1e-9)
