"""OpenCV's lens models: its numbers, and inverses that say where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.lens import distort, matrix_to_rotation_vector, rotation_vector_to_matrix, undistort

# Of cv2.projectPoints and cv2.fisheye.distortPoints 5.0 at the rays (0.3, -0.2) and (-0.45, 0.1).
EVERY = [-0.3, 0.1, 0.001, 0.002, 0.01, 0.05, -0.02, 0.01, 0.001, 0.002, -0.003, 0.001, 0.02, -0.03]
LENSES = {
    "five": (EVERY[:5], False, [[0.289313591, -0.192572394], [-0.42224271191406, 0.09413865820312]]),
    "rational": (
        EVERY[:8],
        False,
        [[0.28753855319818, -0.19138903546545], [-0.41812637596928, 0.09322391688206]],
    ),
    "prism": (
        EVERY[:12],
        False,
        [[0.28770235319818, -0.19176213546545], [-0.41782356346928, 0.09263157313206]],
    ),
    "tilted": (EVERY, False, [[0.28922001797334, -0.19255197700217], [-0.41359115173615, 0.09142217057774]]),
    "fisheye": (
        [0.1, -0.02, 0.003, -0.001],
        True,
        [[0.29129519799465, -0.1941967986631], [-0.42924042349737, 0.09538676077719]],
    ),
}
RAYS = np.array([[0.3, -0.2], [-0.45, 0.1]])


@pytest.mark.parametrize("name", LENSES)
def test_rays_bend_as_opencv_bends_them(name):
    coefficients, fisheye, expected = LENSES[name]
    np.testing.assert_allclose(distort(RAYS, coefficients, fisheye), expected, atol=1e-12)


@pytest.mark.parametrize("name", LENSES)
def test_undistort_inverts(name):
    coefficients, fisheye, _ = LENSES[name]
    rays = np.random.default_rng(0).uniform(-0.6, 0.6, (5000, 2))
    back = undistort(distort(rays, coefficients, fisheye), coefficients, fisheye)
    np.testing.assert_allclose(back, rays, atol=1e-10)
    assert undistort(np.zeros((3, 4, 2)), coefficients, fisheye).shape == (3, 4, 2)


def test_fisheye_sees_more_than_a_right_angle_less():
    rays = np.random.default_rng(1).uniform(-20, 20, (1000, 2))
    bent = distort(rays, [-0.02, 0.01, 0, 0], True)
    np.testing.assert_allclose(undistort(bent, [-0.02, 0.01, 0, 0], True), rays, rtol=1e-9)


def test_where_the_polynomial_turns_back_there_is_nothing():
    # r (1 - 0.3 r^2) is largest, 0.7027, at r = 1.054.
    assert np.isfinite(distort([1.0, 0.0], [-0.3, 0, 0, 0])).all()
    assert np.isnan(distort([1.1, 0.0], [-0.3, 0, 0, 0])).all()
    assert np.isfinite(undistort([0.70, 0.0], [-0.3, 0, 0, 0])).all()
    assert np.isnan(undistort([[0.71, 0.0], [np.nan, 0.1]], [-0.3, 0, 0, 0])).all()
    # The angle's polynomial turns at 1.29, where the radius is 0.86.
    assert np.isnan(undistort([0.9, 0.0], [-0.2, 0, 0, 0], True)).all()


def test_random_lenses_give_the_ray_or_nothing():
    draws = np.random.default_rng(2)
    for _ in range(100):
        lens = draws.normal(size=5) * [0.4, 0.3, 0.005, 0.005, 0.2]
        points = draws.uniform(-1, 1, (200, 2))
        again = distort(undistort(points, lens), lens)
        there = np.isfinite(again).all(axis=1)
        np.testing.assert_allclose(again[there], points[there], atol=1e-10)


def test_rotation_vectors_and_matrices():
    draws = np.random.default_rng(3)
    vectors = draws.normal(size=(500, 3))
    vectors *= (draws.uniform(0, np.pi, 500) / np.linalg.norm(vectors, axis=1))[:, None]
    vectors[:4] = [[0, 0, 0], [1e-9, 0, 0], [3.141592, 0, 0], [0, 0, -3.141592]]
    matrices = rotation_vector_to_matrix(vectors)
    np.testing.assert_allclose(
        matrices @ np.swapaxes(matrices, 1, 2), np.tile(np.eye(3), (500, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(matrix_to_rotation_vector(matrices), vectors, atol=1e-8)
    np.testing.assert_allclose(
        rotation_vector_to_matrix([0, 0, np.pi / 2]) @ [1, 0, 0], [0, 1, 0], atol=1e-12
    )
    np.testing.assert_allclose(
        rotation_vector_to_matrix(matrix_to_rotation_vector(np.diag([-1, -1, 1.0]))),
        np.diag([-1, -1, 1.0]),
        atol=1e-12,
    )
