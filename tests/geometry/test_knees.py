"""Knees bend forwards, whatever a network says."""

from __future__ import annotations

import numpy as np

from tf_pose3d.geometry.knees import bend_forwards, front_of

MARGIN = 0.035


def draw(seed: int, length: float, count: int = 4000) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 3))
    return (length * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_no_knee_is_left_behind_and_shins_keep_their_length():
    thigh, shin, front = draw(0, 0.4), draw(1, 0.41), draw(2, 1.0)
    bent = np.asarray(bend_forwards(thigh, shin, front, MARGIN))
    ahead = np.sum((thigh - bent) * front, axis=1) / 2
    assert ahead.min() >= -MARGIN - 1e-5
    np.testing.assert_allclose(np.linalg.norm(bent, axis=1), 0.41, rtol=1e-4)
    sound = np.sum((thigh - shin) * front, axis=1) / 2 >= -MARGIN
    assert 0.3 < sound.mean() < 0.9
    np.testing.assert_array_equal(bent[sound], shin[sound])


def test_a_shin_that_points_ahead_hangs_down():
    thigh = np.array([[0, 0.4, 0]], np.float32)
    shin = np.array([[0, 0, -0.4]], np.float32)
    front = np.asarray(front_of(np.array([[1.0, 0, 0]], np.float32), np.array([[0, -0.5, 0]], np.float32)))
    # In a camera's frame (y down) a person whose left is at x faces the camera.
    np.testing.assert_allclose(front, [[0, 0, -1]], atol=1e-6)
    bent = np.asarray(bend_forwards(thigh, shin, front, MARGIN))
    np.testing.assert_allclose(bent, [[0, np.sqrt(0.16 - 0.07**2), -0.07]], atol=1e-4)
