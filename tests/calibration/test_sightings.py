"""Cameras from a board's corners, as a detector gives them."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.calibration.boards import Board, parse_board
from tf_pose3d.calibration.bundle import board_layout
from tf_pose3d.calibration.sightings import Sightings, calibrate_from_board
from tf_pose3d.errors import Pose3DError
from tf_pose3d.lens import matrix_to_rotation_vector

SPEC = importlib.util.spec_from_file_location("calibration_scene", Path(__file__).with_name("conftest.py"))
scene = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(scene)

BOARD = parse_board("charuco:5x7:100mm:75mm:DICT_4X4_50")


@pytest.fixture
def near():
    """Three cameras side by side, as people calibrate them."""
    return [
        scene.looking("a", (0.0, -2.4, 1.4), (0, 0, 1.0), 800, (960, 720), (-0.15, 0.05, 0.0005, -0.0004, 0)),
        scene.looking("b", (1.0, -2.2, 1.0), (0, 0, 1.0), 850, (960, 720), (-0.1, 0.04, 0, 0.0006, 0)),
        scene.looking("c", (-1.0, -2.1, 1.1), (0, 0, 1.0), 780, (960, 720), (0.05, -0.02, 0.0003, 0, 0)),
    ]


def shown(cameras, frames, noise, draws, board=BOARD, reach=0.9):
    """Sightings of a board that is carried about and shown to one camera after another."""
    corners = board.corners() - board.corners().mean(axis=0)
    poses = []
    for frame in range(frames):
        towards = cameras[frame % len(cameras)]
        place = draws.uniform(-reach, reach, 3) + np.array([0, 0, 1])
        ray = towards.centre - place
        x = np.cross([0, 0, 1.0], ray) + draws.normal(0, 0.4, 3)
        z = -ray / np.linalg.norm(ray) + draws.normal(0, 0.3, 3)
        z /= np.linalg.norm(z)
        x -= z * (x @ z)
        x /= np.linalg.norm(x)
        turn = np.stack([x, np.cross(z, x), z], axis=1)
        poses.append(np.concatenate([matrix_to_rotation_vector(turn), place]))
    poses = np.array(poses)
    world, _ = board_layout(corners).place(poses)
    normal = np.cross(world[:, 1] - world[:, 0], world[:, board.grid[0]] - world[:, 0])
    sightings = []
    for camera in cameras:
        pixels = camera.project(world)
        pixels = pixels + draws.normal(0, noise, pixels.shape)
        inside = (pixels >= 0).all(axis=-1) & (pixels < camera.size).all(axis=-1)
        # From behind there is nothing to see.
        front = ((world.mean(axis=1) - camera.centre) * normal).sum(axis=1) > 0
        pixels[~(inside & front[:, None])] = np.nan
        sightings.append(Sightings(camera.name, camera.size, np.arange(frames), pixels))
    return sightings, poses


def check(found, rig, focal, distance, angle):
    for camera, truth in zip(found.cameras, rig, strict=True):
        assert abs(camera.matrix[0, 0] / truth.matrix[0, 0] - 1) < focal
        assert abs(camera.matrix[1, 1] / truth.matrix[1, 1] - 1) < focal
    base, true_base = found.cameras[0], rig[0]
    for camera, truth in zip(found.cameras, rig, strict=True):
        turn, right = camera.rotation @ base.rotation.T, truth.rotation @ true_base.rotation.T
        assert np.degrees(np.linalg.norm(matrix_to_rotation_vector(turn @ right.T))) < angle
        place, true_place = base.from_world(camera.centre), true_base.from_world(truth.centre)
        assert np.linalg.norm(place - true_place) < distance


def test_lenses_and_places(near):
    sightings, _ = shown(near, 24, 0.03, np.random.default_rng(0), reach=0.7)
    found = calibrate_from_board(sightings, BOARD)
    check(found, near, 0.001, 0.003, 0.1)
    assert found.error < 0.1
    assert any("--floor" in note for note in found.notes)


def test_a_fisheye_lens():
    camera = scene.looking("f", (2.0, 0.3, 1.1), (0, 0, 1.0), 520, lens=(0.05, -0.01, 0.002, 0), fisheye=True)
    other = scene.looking("g", (1.5, 1.5, 1.3), (0, 0, 1.0), 520, lens=(0.05, -0.01, 0.002, 0), fisheye=True)
    sightings, _ = shown([camera, other], 25, 0.03, np.random.default_rng(1))
    found = calibrate_from_board(sightings, BOARD, fisheye=True)
    assert all(camera.fisheye for camera in found.cameras)
    check(found, [camera, other], 0.003, 0.01, 0.2)


def test_the_board_on_the_floor_is_the_world(near):
    rig = near[:2]
    draws = np.random.default_rng(2)
    sightings, _ = shown(rig, 12, 0.02, draws, reach=0.7)
    corners = BOARD.corners()
    flat = np.stack([corners[:, 0], -corners[:, 1], 0 * corners[:, 0]], axis=1)
    lying = [
        dataclasses.replace(
            held,
            frames=np.append(held.frames, 99),
            corners=np.concatenate([held.corners, camera.project(flat)[None]]),
        )
        for held, camera in zip(sightings, rig, strict=False)
    ]
    found = calibrate_from_board(lying, BOARD, known=rig, floor=99)
    for camera, truth in zip(found.cameras, rig, strict=False):
        np.testing.assert_allclose(camera.centre, truth.centre, atol=0.02)
    with pytest.raises(Pose3DError, match="--floor 77: no camera sees the board in that frame"):
        calibrate_from_board(lying, BOARD, known=rig, floor=77)


def test_known_lenses_are_kept(rig):
    sightings, _ = shown(rig[:2], 20, 0.02, np.random.default_rng(3))
    found = calibrate_from_board(sightings, BOARD, known=rig[:2])
    np.testing.assert_array_equal(found.cameras[1].matrix, rig[1].matrix)
    check(found, rig[:2], 1e-9, 0.003, 0.05)


def test_what_cannot_be_calibrated(rig):
    sightings, _ = shown(rig[:2], 20, 0.02, np.random.default_rng(4))
    later = dataclasses.replace(sightings[1], frames=sightings[1].frames + 500)
    with pytest.raises(Pose3DError, match="b: sees the board in no frame in which a does"):
        calibrate_from_board([sightings[0], later], BOARD, known=rig[:2])
    empty = dataclasses.replace(sightings[1], corners=np.full_like(sightings[1].corners, np.nan))
    with pytest.raises(Pose3DError, match="camera b: the board is seen in 0 of its pictures"):
        calibrate_from_board([sightings[0], empty], BOARD)
    with pytest.raises(Pose3DError, match="looks the same upside down"):
        calibrate_from_board(sightings, Board("checkerboard", 8, 6, 0.04))
