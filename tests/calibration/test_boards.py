"""What `--board` says, and corners in drawn pictures (with OpenCV)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tf_pose3d.calibration.boards import corner_finder, parse_board
from tf_pose3d.calibration.sightings import Sightings, calibrate_from_board
from tf_pose3d.errors import Pose3DError
from tf_pose3d.lens import matrix_to_rotation_vector, rotation_vector_to_matrix

SPEC = importlib.util.spec_from_file_location("calibration_scene", Path(__file__).with_name("conftest.py"))
scene = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(scene)


def test_charuco():
    board = parse_board("charuco:5x7:40mm:30mm:DICT_4X4_50")
    assert (board.kind, board.columns, board.rows, board.dictionary) == ("charuco", 5, 7, "DICT_4X4_50")
    assert (board.square, board.marker) == (0.04, 0.03)
    assert board.grid == (4, 6)
    np.testing.assert_allclose(
        board.corners()[[0, 1, 4]], [[0.04, 0.04, 0], [0.08, 0.04, 0], [0.04, 0.08, 0]]
    )


def test_checkerboard():
    board = parse_board("checkerboard:9x6:2.5cm")
    assert (board.grid, board.square, board.has_one_way_up) == ((9, 6), 0.025, True)
    np.testing.assert_allclose(board.corners()[[0, 1, 9]], [[0, 0, 0], [0.025, 0, 0], [0, 0.025, 0]])
    assert not parse_board("checkerboard:8x6:40mm").has_one_way_up


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5x7", "expected charuco:5x7:40mm:30mm:DICT_4X4_50"),
        ("charuco:5x7:40:30:DICT_4X4_50", "expected charuco"),
        ("charuco:5x7:30mm:40mm:DICT_4X4_50", "markers must be smaller than squares"),
        ("checkerboard:1x6:40mm", "no board of 1x6"),
        ("checkerboard:9x6:40m", "no board of 9x6 with squares of 40m"),
    ],
)
def test_what_is_no_board(text, message):
    with pytest.raises(Pose3DError, match=message):
        parse_board(text)


def texture(board, side):
    """The board as a picture with `side` pixels a square, from the outer corner of its first square."""
    cv2 = pytest.importorskip("cv2")
    if board.kind == "charuco":
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, board.dictionary))
        made = cv2.aruco.CharucoBoard((board.columns, board.rows), board.square, board.marker, dictionary)
        return made.generateImage((board.columns * side, board.rows * side)), np.zeros(2)
    columns, rows = board.columns + 1, board.rows + 1
    squares = (np.add.outer(np.arange(rows), np.arange(columns)) % 2 * 255).astype(np.uint8)
    return np.kron(squares, np.ones((side, side), np.uint8)), np.full(2, -board.square)


def drawn(camera, rays, board, pose, fine=2):
    """A picture of the board: each pixel the mean of `fine` x `fine` rays."""
    import cv2

    picture, origin = texture(board, 120)
    turn, place = rotation_vector_to_matrix(pose[:3]), pose[3:]
    direction = np.concatenate([rays, np.ones((*rays.shape[:2], 1))], axis=-1) @ camera.rotation @ turn
    start = (camera.centre - place) @ turn
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = -start[2] / direction[..., 2]
        hit = (start[:2] + depth[..., None] * direction[..., :2] - origin) / board.square * 120 - 0.5
    hit = np.where((depth > 0)[..., None], np.nan_to_num(hit, nan=-1e6), -1e6).astype(np.float32)
    smooth = cv2.GaussianBlur(picture, (0, 0), 1.0)
    large = cv2.remap(smooth, hit[..., 0], hit[..., 1], cv2.INTER_LINEAR, borderValue=128)
    return cv2.resize(large, camera.size, interpolation=cv2.INTER_AREA)


def rays_of(camera, fine=2):
    """Undistorted rays of `fine` x `fine` points in every pixel."""
    x = (np.arange(camera.size[0] * fine) + 0.5) / fine - 0.5
    y = (np.arange(camera.size[1] * fine) + 0.5) / fine - 0.5
    return camera.rays(np.stack(np.meshgrid(x, y), axis=-1))


@pytest.mark.slow
@pytest.mark.parametrize("text", ["charuco:5x7:60mm:45mm:DICT_4X4_50", "checkerboard:9x6:50mm"])
def test_drawn_boards_by_the_demand(text):
    pytest.importorskip("cv2")
    board = parse_board(text)
    draws = np.random.default_rng(0)
    size = (800, 600)
    rig = [
        scene.looking("a", (0.0, -1.6, 1.4), (0, 0, 1.0), 700, size, (-0.15, 0.05, 0.0005, -0.0004, 0)),
        scene.looking("b", (0.7, -1.4, 1.0), (0, 0, 1.0), 740, size, (-0.1, 0.04, 0, 0.0006, 0)),
        scene.looking("c", (-0.7, -1.4, 1.1), (0, 0, 1.0), 680, size, (0.05, -0.02, 0.0003, 0, 0)),
    ]
    find = corner_finder(board)
    rays = [rays_of(camera) for camera in rig]
    corners = board.corners()
    found = [np.full((28, len(corners), 2), np.nan) for _ in rig]
    for frame in range(28):
        tilt = rotation_vector_to_matrix(draws.normal(0, 0.35, 3))
        turn = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]) @ tilt
        place = draws.uniform([-0.45, -0.3, 0.7], [0.45, 0.3, 1.3]) - turn @ corners.mean(axis=0)
        pose = np.concatenate([matrix_to_rotation_vector(turn), place])
        for number, camera in enumerate(rig):
            ids, points = find(drawn(camera, rays[number], board, pose))
            found[number][frame, ids] = points
    sightings = [
        Sightings(camera.name, camera.size, np.arange(28), held)
        for camera, held in zip(rig, found, strict=True)
    ]
    result = calibrate_from_board(sightings, board)
    base = result.cameras[0]
    for camera, truth in zip(result.cameras, rig, strict=True):
        assert abs(camera.matrix[0, 0] / truth.matrix[0, 0] - 1) < 0.001
        turn, right = camera.rotation @ base.rotation.T, truth.rotation @ rig[0].rotation.T
        assert np.degrees(np.linalg.norm(matrix_to_rotation_vector(turn @ right.T))) < 0.1
        assert np.linalg.norm(base.from_world(camera.centre) - rig[0].from_world(truth.centre)) < 0.001
