"""Boards with known corners: what `--board` says, and where a picture shows the corners (OpenCV)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import require_extra

__all__ = ["Board", "corner_finder", "parse_board"]

Floats = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]
# A picture -> which corners it shows, and where.
Finder = Callable[[Picture], tuple[npt.NDArray[np.int64], Floats]]

_UNITS = {"mm": 0.001, "cm": 0.01, "m": 1.0}
_LENGTH = r"(\d+(?:\.\d+)?)(mm|cm|m)"
_CHARUCO = re.compile(rf"charuco:(\d+)x(\d+):{_LENGTH}:{_LENGTH}:(DICT_[A-Z0-9_]+)", re.IGNORECASE)
_CHECKERBOARD = re.compile(rf"(?:checkerboard|chessboard):(\d+)x(\d+):{_LENGTH}", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Board:
    """A flat board of squares.

    Attributes:
        kind: `"charuco"` or `"checkerboard"`.
        columns, rows: Of a ChArUco board its squares, of a checkerboard its inner corners.
        square: Side of a square, metres.
        marker: Side of a marker, metres; 0 on a checkerboard.
        dictionary: Name of the markers' dictionary; empty on a checkerboard.
    """

    kind: str
    columns: int
    rows: int
    square: float
    marker: float = 0.0
    dictionary: str = ""

    @property
    def grid(self) -> tuple[int, int]:
        """Corners in a row, and rows of corners."""
        return (self.columns - 1, self.rows - 1) if self.kind == "charuco" else (self.columns, self.rows)

    def corners(self) -> Floats:
        """`(K, 3)` metres, row by row; x to the right, y down the board, z into it."""
        columns, rows = self.grid
        first = 1.0 if self.kind == "charuco" else 0.0
        x, y = np.meshgrid(np.arange(columns) + first, np.arange(rows) + first)
        return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1) * self.square

    @property
    def has_one_way_up(self) -> bool:
        """Whether the board looks different when it is turned upside down."""
        return self.kind == "charuco" or (self.columns + self.rows) % 2 == 1


def parse_board(text: str) -> Board:
    """The board of `charuco:5x7:40mm:30mm:DICT_4X4_50` or `checkerboard:9x6:40mm`.

    Raises:
        Pose3DError: Neither of these, or sizes that cannot be.
    """
    found = _CHARUCO.fullmatch(text.strip())
    if found:
        columns, rows, square, unit, marker, marker_unit, name = found.groups()
        board = Board(
            "charuco",
            int(columns),
            int(rows),
            float(square) * _UNITS[unit.lower()],
            float(marker) * _UNITS[marker_unit.lower()],
            name.upper(),
        )
        if not 0 < board.marker < board.square:
            raise Pose3DError(f"--board {text}: markers must be smaller than squares")
    else:
        found = _CHECKERBOARD.fullmatch(text.strip())
        if not found:
            raise Pose3DError(
                f"--board {text}: expected charuco:5x7:40mm:30mm:DICT_4X4_50 (squares, side of a square, "
                "side of a marker, dictionary) or checkerboard:9x6:40mm (inner corners, side of a square)"
            )
        columns, rows, square, unit = found.groups()
        board = Board("checkerboard", int(columns), int(rows), float(square) * _UNITS[unit.lower()])
    if min(board.grid) < 2 or max(board.grid) > 100 or not 1e-4 < board.square < 10:
        raise Pose3DError(f"--board {text}: no board of {columns}x{rows} with squares of {square}{unit}")
    return board


def corner_finder(board: Board) -> Finder:
    """A function that finds the board's corners in grey pictures `(H, W)`.

    It gives `(M,)` indices into `Board.corners` and `(M, 2)` pixels; none where the board is not seen.

    Raises:
        Pose3DError: OpenCV is not installed, or knows no such dictionary.
    """
    require_extra("cv2", "OpenCV", "calibrate", "finding boards in pictures")
    return _charuco_finder(board) if board.kind == "charuco" else _checkerboard_finder(board)


def _nothing() -> tuple[npt.NDArray[np.int64], Floats]:
    return np.zeros(0, np.int64), np.zeros((0, 2))


def _charuco_finder(board: Board) -> Finder:
    import cv2

    number = getattr(cv2.aruco, board.dictionary, None)
    if number is None:
        known = sorted(name for name in dir(cv2.aruco) if name.startswith("DICT_"))
        raise Pose3DError(f"--board: no dictionary {board.dictionary}, expected one of {', '.join(known)}")
    dictionary = cv2.aruco.getPredefinedDictionary(number)
    detectors = []
    # Boards of even rows printed by OpenCV before 4.6 begin with another square.
    for legacy in (False, True):
        made = cv2.aruco.CharucoBoard((board.columns, board.rows), board.square, board.marker, dictionary)
        made.setLegacyPattern(legacy)
        detectors.append(cv2.aruco.CharucoDetector(made))

    def find(picture: Picture) -> tuple[npt.NDArray[np.int64], Floats]:
        ids, corners = search(picture)
        return (ids, _sharpened(picture, board, ids, corners)) if len(ids) >= 4 else (ids, corners)

    def search(picture: Picture) -> tuple[npt.NDArray[np.int64], Floats]:
        best = _nothing()
        for place, detector in enumerate(list(detectors)):
            corners, ids, _, markers = detector.detectBoard(picture)
            if ids is not None and len(ids) > len(best[0]):
                best = np.asarray(ids, np.int64).ravel(), np.asarray(corners, np.float64).reshape(-1, 2)
            if len(best[0]) >= 6:
                # All pictures show the same board: the pattern that fits is asked first from now on.
                detectors.insert(0, detectors.pop(place))
                break
            if markers is None or len(markers) < 4:
                break
        return best

    return find


def _sharpened(picture: Picture, board: Board, ids: npt.NDArray[np.int64], corners: Floats) -> Floats:
    """Corners found again by all of the edges that meet in each, as far as the markers beside leave room."""
    import cv2

    columns = board.grid[0]
    place = {int(number): corner for number, corner in zip(ids, corners, strict=True)}
    steps = [
        np.linalg.norm(place[number + step] - corner)
        for number, corner in place.items()
        for step in (1, columns)
        if number + step in place and (step != 1 or (number + 1) % columns)
    ]
    if not steps:
        return corners
    room = min(0.6 * (board.square - board.marker) / board.square, 0.35)
    half = min(int(room * np.percentile(steps, 5)), 15)
    if half < 2:
        return corners
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4)
    found = cv2.cornerSubPix(
        picture, corners.astype(np.float32).reshape(-1, 1, 2).copy(), (half, half), (-1, -1), criteria
    )
    sharper = np.asarray(found, np.float64).reshape(-1, 2)
    # A corner that ran away belongs to something else.
    near = np.linalg.norm(sharper - corners, axis=1) <= half
    return np.where(near[:, None], sharper, corners)


def _checkerboard_finder(board: Board) -> Finder:
    import cv2

    size = board.grid

    def find(picture: Picture) -> tuple[npt.NDArray[np.int64], Floats]:
        found, corners = cv2.findChessboardCornersSB(picture, size, flags=cv2.CALIB_CB_ACCURACY)
        if not found:
            return _nothing()
        points = np.asarray(corners, np.float64).reshape(-1, 2)
        if board.has_one_way_up and _begins_white(picture, points.reshape(size[1], size[0], 2)):
            points = points[::-1]
        ids = np.arange(len(points))
        return ids, _sharpened(picture, board, ids, points)

    return find


def _begins_white(picture: Picture, grid: Floats) -> bool:
    """Whether the square between the first four corners is white, and not that between the last four."""
    brightness = []
    for square in (grid[:2, :2], grid[-2:, -2:]):
        column, row = np.round(square.reshape(4, 2).mean(axis=0)).astype(int)
        part = picture[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        brightness.append(float(part.mean()) if part.size else 0.0)
    return brightness[0] > brightness[1]
