"""Bundle adjustment, of points and of boards."""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_pose3d.calibration.bundle import adjust, board_layout, point_layout
from tf_pose3d.lens import rotation_vector_to_matrix

FREE = {"turn": np.inf, "shift": np.inf, "focal": np.inf}


def moved(camera, draws):
    """A camera that is a little wrong."""
    turn = rotation_vector_to_matrix(draws.normal(0, 0.02, 3))
    return dataclasses.replace(
        camera,
        rotation=turn @ camera.rotation,
        translation=camera.translation + draws.normal(0, 0.05, 3),
        matrix=camera.matrix * [[1.03, 1, 1], [1, 1.03, 1], [1, 1, 1]],
    )


def test_exact_points_are_found_from_wrong_ones(rig):
    draws = np.random.default_rng(0)
    points = draws.uniform(-1.5, 1.5, (60, 3)) + np.array([0, 0, 1])
    observed = np.stack([camera.project(points) for camera in rig])[:, :, None]
    # Two cameras are known, so that the world is.
    start = [*rig[:2], *(moved(camera, draws) for camera in rig[2:])]
    weights = np.ones(observed.shape[:3])
    weights[:, ::7] = 0
    weights[1:3, 3] = 0
    spread = [{}, {}, FREE, FREE]
    found = adjust(
        start, points + draws.normal(0, 0.05, points.shape), point_layout(), observed, weights, spread
    )
    for camera, truth in zip(found.cameras, rig, strict=True):
        np.testing.assert_allclose(camera.rotation, truth.rotation, atol=1e-7)
        np.testing.assert_allclose(camera.translation, truth.translation, atol=1e-6)
        np.testing.assert_allclose(camera.matrix, truth.matrix, rtol=1e-6)
    assert np.isnan(found.errors[:, ::7]).all()
    assert np.nanmax(found.errors) < 1e-4


def test_a_board_of_known_size_gives_the_scale(rig):
    draws = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(np.arange(6), np.arange(4), [0]), -1).reshape(-1, 3) * 0.1
    poses = np.concatenate(
        [draws.normal(0, 0.5, (25, 3)), draws.uniform(-1, 1, (25, 3)) + np.array([0, 0, 1])], axis=1
    )
    layout = board_layout(grid)
    observed = np.stack([camera.project(layout.place(poses)[0]) for camera in rig])
    start = [rig[0], *(moved(camera, draws) for camera in rig[1:])]
    spread = [{}, FREE, FREE, FREE]
    found = adjust(
        start,
        poses + draws.normal(0, 0.02, poses.shape),
        layout,
        observed,
        np.ones(observed.shape[:3]),
        spread,
    )
    for camera, truth in zip(found.cameras, rig, strict=True):
        np.testing.assert_allclose(camera.centre, truth.centre, atol=1e-5)
    assert np.nanmax(found.errors) < 1e-3


def test_outliers_count_linearly(rig):
    draws = np.random.default_rng(2)
    points = draws.uniform(-1.5, 1.5, (200, 3)) + np.array([0, 0, 1])
    observed = np.stack([camera.project(points) for camera in rig])[:, :, None]
    observed[2, :20] += 300
    start = [*rig[:2], moved(rig[2], draws), rig[3]]
    weights = np.ones(observed.shape[:3])
    spread = [{}, {}, FREE, {}]
    plain = adjust(start, points, point_layout(), observed, weights, spread).cameras[2]
    robust = adjust(start, points, point_layout(), observed, weights, spread, loss=2).cameras[2]
    wrong, right = (np.linalg.norm(camera.centre - rig[2].centre) for camera in (plain, robust))
    assert right < 0.01 < wrong


def test_what_is_believed_of_a_lens_holds_it(rig):
    draws = np.random.default_rng(3)
    points = draws.uniform(-1.5, 1.5, (50, 3)) + np.array([0, 0, 1])
    observed = np.stack([camera.project(points) for camera in rig])[:, :, None]
    believed = [dataclasses.replace(camera, matrix=camera.matrix * [[1.05], [1.05], [1]]) for camera in rig]
    spread = [{"focal": 1e-6}] * 4
    found = adjust(
        rig, points, point_layout(), observed, np.ones(observed.shape[:3]), spread, believed=believed
    )
    np.testing.assert_allclose(
        [camera.matrix[0, 0] for camera in found.cameras],
        [camera.matrix[0, 0] for camera in believed],
        rtol=1e-3,
    )
