"""Two cameras from correspondences, one camera from points."""

from __future__ import annotations

import numpy as np

from tf_pose3d.calibration.relative import relative_pose, resected


def scene(rig, draws, count=300, noise=0.0005):
    points = draws.uniform(-1.5, 1.5, (count, 3)) + np.array([0, 0, 1])
    rays = [camera.from_world(points) for camera in rig]
    return points, [(r[:, :2] / r[:, 2:]) + draws.normal(0, noise, (count, 2)) for r in rays]


def test_a_pair_with_a_fifth_of_outliers(rig):
    draws = np.random.default_rng(0)
    _, rays = scene(rig, draws)
    rays[1][:60] = draws.uniform(-0.4, 0.4, (60, 2))
    pair = relative_pose(rays[0], rays[1], 0.004, draws)
    rotation = rig[1].rotation @ rig[0].rotation.T
    translation = rig[1].translation - rotation @ rig[0].translation
    np.testing.assert_allclose(pair.rotation, rotation, atol=0.01)
    np.testing.assert_allclose(pair.translation, translation / np.linalg.norm(translation), atol=0.01)
    assert pair.inliers[60:].mean() > 0.95
    assert pair.inliers[:60].mean() < 0.2


def test_a_camera_from_points_with_outliers(rig):
    draws = np.random.default_rng(1)
    points, rays = scene(rig, draws)
    rays[2][:80] = draws.uniform(-0.4, 0.4, (80, 2))
    rotation, translation, inliers = resected(points, rays[2], 0.006, draws)
    np.testing.assert_allclose(rotation, rig[2].rotation, atol=0.01)
    np.testing.assert_allclose(translation, rig[2].translation, atol=0.05)
    assert inliers[80:].mean() > 0.9


def test_noise_alone_has_no_pair_and_no_place():
    draws = np.random.default_rng(2)
    rays = draws.uniform(-0.5, 0.5, (2, 200, 2))
    pair = relative_pose(rays[0], rays[1], 0.002, draws)
    assert pair is None or pair.inliers.mean() < 0.3
    assert resected(draws.normal(size=(200, 3)), rays[0], 0.002, draws) is None
    assert relative_pose(rays[0][:10], rays[1][:10], 0.002, draws) is None
