"""The virtual camera: turning, turning back, and what no longer matters."""

from __future__ import annotations

import numpy as np
import pytest

from tf_pose3d.geometry.virtual_camera import turn_back, virtual_view


def person(seed: int = 0) -> np.ndarray:
    """`(1, 13, 3)` metres round the origin."""
    return np.random.default_rng(seed).normal(0, 0.4, (1, 13, 3)).astype(np.float32)


def rotation(axis: int, degrees: float) -> np.ndarray:
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    turn = np.eye(3)
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn[first, first] = turn[second, second] = cosine
    turn[second, first], turn[first, second] = sine, -sine
    return turn


def rays(points: np.ndarray) -> np.ndarray:
    return (points[..., :2] / points[..., 2:]).astype(np.float32)


def test_person_on_the_axis_is_only_centred_and_scaled() -> None:
    seen = rays(person() + np.array([0, 0, 5]))
    view = virtual_view(seen, np.ones((1, 13), np.float32))
    points = np.asarray(view.points)
    np.testing.assert_allclose(points.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(np.square(points).sum(axis=-1).mean(), 1, rtol=1e-5)
    centred = seen - seen.mean(axis=1, keepdims=True)
    size = np.sqrt(np.square(centred).sum(axis=-1).mean())
    np.testing.assert_allclose(np.asarray(view.log_size), np.log(size), atol=2e-2)
    np.testing.assert_allclose(points, centred / size, atol=0.05)


@pytest.mark.parametrize("axis", [0, 1])
def test_turned_camera_sees_the_same(axis: int) -> None:
    points, seen = person(1) + np.array([0, 0, 4]), np.ones((1, 13), np.float32)
    straight = virtual_view(rays(points), seen)
    turn = rotation(axis, 25.0)
    turned = virtual_view(rays(points @ turn.T), seen)
    # One axis: the shortest arc adds no roll but what the person's own place off the axis brings.
    np.testing.assert_allclose(np.asarray(turned.points), np.asarray(straight.points), atol=0.03)
    np.testing.assert_allclose(np.asarray(turned.log_size), np.asarray(straight.log_size), atol=1e-3)


def test_turning_back_undoes_the_turn() -> None:
    points = person(2) + np.array([1.5, -0.8, 4])
    seen = np.ones((1, 13), np.float32)
    view = virtual_view(rays(points), seen)
    direction = np.asarray(view.direction)
    np.testing.assert_allclose(np.linalg.norm(direction), 1, atol=1e-6)
    axis = np.asarray(turn_back(np.array([[[0, 0, 1]]], np.float32), direction))[0, 0]
    np.testing.assert_allclose(axis, direction[0], atol=1e-6)
    basis = np.asarray(turn_back(np.eye(3, dtype=np.float32)[None], direction))[0]
    np.testing.assert_allclose(basis @ basis.T, np.eye(3), atol=1e-6)
    # The virtual view is the projection of the points in the turned frame.
    inside = points[0] @ basis.T
    projected = inside[:, :2] / inside[:, 2:]
    projected -= projected.mean(axis=0)
    projected /= np.sqrt(np.square(projected).sum(axis=-1).mean())
    np.testing.assert_allclose(np.asarray(view.points)[0], projected, atol=1e-4)


def test_unseen_joints_count_for_nothing_whatever_they_hold() -> None:
    seen = rays(person(3) + np.array([0.5, 0, 3]))
    confidence = np.ones((1, 13), np.float32)
    confidence[:, 9:] = 0
    strange = seen.copy()
    strange[:, 9:] = np.nan
    views = [virtual_view(points, confidence) for points in (seen, strange)]
    np.testing.assert_array_equal(np.asarray(views[0].points), np.asarray(views[1].points))
    assert (np.asarray(views[1].points)[:, 9:] == 0).all()
    nobody = virtual_view(strange, np.zeros((1, 13), np.float32))
    assert np.isfinite(np.asarray(nobody.points)).all()
    np.testing.assert_allclose(np.asarray(nobody.direction), [[0, 0, 1]], atol=1e-6)
