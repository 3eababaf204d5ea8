"""Cameras from sightings of one board: lenses, then places by what two cameras see at once, then all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.calibration.boards import Board
from tf_pose3d.calibration.bundle import Adjusted, adjust, board_layout
from tf_pose3d.calibration.people import guessed_camera
from tf_pose3d.data.calibration.record import CalibratedCamera
from tf_pose3d.errors import Pose3DError
from tf_pose3d.lens import matrix_to_rotation_vector, rotation_vector_to_matrix

__all__ = ["BoardCalibration", "Sightings", "calibrate_from_board"]

Floats = npt.NDArray[np.float64]
Log = Callable[[str], None]

_PERSPECTIVE = dict.fromkeys(("focal", "aspect", "cx", "cy", "p1", "p2"), np.inf) | {
    "k1": 1.0,
    "k2": 1.0,
    # Boards that never reach the corners say nothing of k3, which must not run away then.
    "k3": 0.5,
}
_FISHEYE = dict.fromkeys(("focal", "aspect", "cx", "cy"), np.inf) | dict.fromkeys(
    ("k1", "k2", "p1", "p2"), 0.3
)
_PLACE = {"turn": np.inf, "shift": np.inf}
# Focal lengths over the longer side, to begin with.
_FOCALS = (0.35, 0.6, 1.0, 1.7)
# Corners are found to about this, pixels; a view with fewer of them says too little.
_NOISE, _LEAST_CORNERS = 0.2, 6
# Noise is not taken to be less, and corners that are wrong by so many times it are left out.
_LEAST_NOISE, _OUTLIER = 0.01, 8
_FIRST_VIEWS, _MOST_VIEWS = 12, 120


@dataclasses.dataclass(frozen=True)
class Sightings:
    """What one camera saw of the board.

    Attributes:
        name: The camera's.
        size: Width and height of its pictures.
        frames: `(V,)` int64 increasing: when.
        corners: `(V, K, 2)` pixels; NaN where a corner was not found.
    """

    name: str
    size: tuple[int, int]
    frames: npt.NDArray[np.int64]
    corners: Floats

    def views(self, index: npt.NDArray[np.intp]) -> Sightings:
        """Some of the views."""
        return dataclasses.replace(self, frames=self.frames[index], corners=self.corners[index])


@dataclasses.dataclass(frozen=True)
class BoardCalibration:
    """What sightings tell of cameras.

    Attributes:
        cameras: C cameras, metres.
        boards: `(N, 6)` rotation vectors and places of the board in the world, one a frame.
        frames: `(N,)` which frames.
        error: Root mean square of the corners' distances over all views, pixels.
        per_camera: `(C,)` the same of each camera.
        notes: What was found, one line each.
    """

    cameras: tuple[CalibratedCamera, ...]
    boards: Floats
    frames: npt.NDArray[np.int64]
    error: float
    per_camera: Floats
    notes: tuple[str, ...]


def calibrate_from_board(
    sightings: Sequence[Sightings],
    board: Board,
    fisheye: bool = False,
    known: Sequence[CalibratedCamera] | None = None,
    floor: int | None = None,
    log: Log | None = None,
) -> BoardCalibration:
    """Lenses of all cameras, and their places in one world.

    Args:
        sightings: Per camera.
        board: The board.
        fisheye: Whether the lenses are fisheye lenses.
        known: C cameras whose lenses are kept; None: lenses are calibrated, too.
        floor: A frame in which the board lies on the floor; it becomes the world, z up. None: the world is
            levelled by the cameras' own up, which is a guess.
        log: Called with progress.

    Raises:
        Pose3DError: A camera that sees too little of the board, or nothing together with the others.
    """
    log = log or (lambda line: None)
    notes: list[str] = []
    if len(sightings) > 1 and not board.has_one_way_up:
        raise Pose3DError(
            f"a checkerboard of {board.columns}x{board.rows} corners looks the same upside down, so that "
            "cameras cannot agree on it: use one with an odd and an even number, or a ChArUco board"
        )
    usable = [_usable(held) for held in sightings]
    lenses = []
    for number, held in enumerate(usable):
        if known is None:
            lens, error = _lens(held, board, fisheye)
            log(f"camera {held.name}: {len(held.frames)} views, lens fits to {error:.3f} px")
            notes += _coverage(held)
        else:
            lens = known[number]
        lenses.append(lens)
    poses = [_board_poses(lens, held, board) for lens, held in zip(lenses, usable, strict=True)]
    placed = _placed(lenses, usable, poses)
    frames = np.unique(np.concatenate([held.frames for held in usable]))
    cameras, boards, adjusted = _together(placed, usable, poses, frames, board, fisheye, known is None)
    rms = np.array([float(np.sqrt(np.nanmean(part**2))) for part in adjusted.errors])
    cameras, boards, said = _in_world(cameras, boards, frames, floor)
    return BoardCalibration(
        tuple(cameras),
        boards,
        frames,
        float(np.sqrt(np.nanmean(adjusted.errors**2))),
        rms,
        (*notes, *said),
    )


def _usable(held: Sightings) -> Sightings:
    """Views with enough corners, at most `_MOST_VIEWS` that differ most."""
    seen = np.isfinite(held.corners[..., 0]).sum(axis=1)
    good = np.flatnonzero(seen >= _LEAST_CORNERS)
    if len(good) < 4:
        raise Pose3DError(
            f"camera {held.name}: the board is seen in {len(good)} of its pictures ({len(held.frames)} with "
            "a part of it), expected 10 or more; is --board right, is the board large enough in the picture?"
        )
    return held.views(good)


def _coverage(held: Sightings) -> list[str]:
    """A note where corners leave much of the picture out: the lens is not known there."""
    points = held.corners.reshape(-1, 2)
    points = points[np.isfinite(points[:, 0])]
    cells = np.floor(points / held.size * 6).astype(int)
    share = len(np.unique(cells[(cells >= 0).all(axis=1) & (cells < 6).all(axis=1)], axis=0)) / 36
    if share >= 0.5:
        return []
    return [
        f"camera {held.name}: corners cover {100 * share:.0f} % of the picture; the lens is guessed beyond: "
        "show the board near all edges"
    ]


def _lens(held: Sightings, board: Board, fisheye: bool) -> tuple[CalibratedCamera, float]:
    """The lens of one camera, from several focal lengths to begin with."""
    count = len(held.frames)
    first = held.views(np.unique(np.linspace(0, count - 1, min(count, _FIRST_VIEWS)).astype(int)))
    best: tuple[float, CalibratedCamera] | None = None
    for focal in _FOCALS:
        start = guessed_camera(held.name, held.size, focal)
        if fisheye:
            start = dataclasses.replace(start, distortion=np.zeros(4), fisheye=True)
        camera, error = _fitted(start, first, board, 10)
        if best is None or error < best[0]:
            best = error, camera
    assert best is not None
    camera, _ = _fitted(best[1], first, board, 30)
    return _fitted(camera, _spread_views(held), board, 30)


def _spread_views(held: Sightings) -> Sightings:
    count = len(held.frames)
    return held.views(np.unique(np.linspace(0, count - 1, min(count, _MOST_VIEWS)).astype(int)))


def _fitted(
    start: CalibratedCamera, held: Sightings, board: Board, steps: int
) -> tuple[CalibratedCamera, float]:
    """Lens and boards together in the camera's own frame; the error is a root mean square in pixels."""
    start = dataclasses.replace(start, rotation=np.eye(3), translation=np.zeros(3))
    poses = _board_poses(start, held, board)
    good = np.isfinite(poses).all(axis=1)
    if good.sum() < 3:
        return start, np.inf
    observed = held.corners[good][None]
    seen = np.isfinite(observed[..., 0])
    adjusted = adjust(
        [start],
        poses[good],
        board_layout(board.corners()),
        observed,
        seen / _NOISE**2,
        [_FISHEYE if start.fisheye else _PERSPECTIVE],
        loss=10 * _NOISE,
        steps=steps,
    )
    return adjusted.cameras[0], float(np.sqrt(np.nanmean(adjusted.errors**2)))


def _board_poses(camera: CalibratedCamera, held: Sightings, board: Board) -> Floats:
    """`(V, 6)` the board in the camera's frame in each view, by its homography; NaN where there is none."""
    corners = board.corners()[:, :2]
    poses = np.full((len(held.frames), 6), np.nan)
    rays = camera.rays(held.corners)
    for view, points in enumerate(rays):
        there = np.isfinite(points).all(axis=1)
        if there.sum() < _LEAST_CORNERS:
            continue
        known, seen = corners[there], points[there]
        middle, scale = known.mean(axis=0), known.std() + 1e-12
        flat = np.concatenate([(known - middle) / scale, np.ones((len(known), 1))], axis=1)
        zero = np.zeros_like(flat)
        rows = np.concatenate(
            [
                np.concatenate([flat, zero, -seen[:, :1] * flat], axis=1),
                np.concatenate([zero, flat, -seen[:, 1:] * flat], axis=1),
            ]
        )
        homography = np.linalg.svd(rows)[2][-1].reshape(3, 3)
        homography = homography @ np.array(
            [[1 / scale, 0, -middle[0] / scale], [0, 1 / scale, -middle[1] / scale], [0, 0, 1]]
        )
        length = np.linalg.norm(homography[:, :2], axis=0).mean()
        if length < 1e-12:
            continue
        homography *= np.sign(homography[2, 2]) / length
        third = np.cross(homography[:, 0], homography[:, 1])
        left, _, right = np.linalg.svd(np.column_stack([homography[:, 0], homography[:, 1], third]))
        rotation = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
        poses[view] = np.concatenate([matrix_to_rotation_vector(rotation), homography[:, 2]])
    return poses


def _placed(
    lenses: Sequence[CalibratedCamera], usable: Sequence[Sightings], poses: Sequence[Floats]
) -> list[CalibratedCamera]:
    """All cameras in the frame of the first, along the pairs that share most views."""
    placed = {0: dataclasses.replace(lenses[0], rotation=np.eye(3), translation=np.zeros(3))}
    while len(placed) < len(lenses):
        best: tuple[int, int, int] | None = None
        for old in placed:
            for new in range(len(lenses)):
                if new not in placed:
                    shared = len(np.intersect1d(usable[old].frames, usable[new].frames))
                    if shared and (best is None or shared > best[0]):
                        best = shared, old, new
        if best is None:
            alone = ", ".join(held.name for number, held in enumerate(usable) if number not in placed)
            raise Pose3DError(
                f"{alone}: sees the board in no frame in which {', '.join(usable[n].name for n in placed)} "
                "does; show it to both at once, and see that the videos begin together (--offsets)"
            )
        _, old, new = best
        rotation, translation = _between(usable[old], poses[old], usable[new], poses[new])
        camera = placed[old]
        placed[new] = dataclasses.replace(
            lenses[new],
            rotation=rotation @ camera.rotation,
            translation=rotation @ camera.translation + translation,
        )
    return [placed[number] for number in range(len(lenses))]


def _between(old: Sightings, old_poses: Floats, new: Sightings, new_poses: Floats) -> tuple[Floats, Floats]:
    """From one camera's frame to another's: the view whose answer most others agree with."""
    _, one, two = np.intersect1d(old.frames, new.frames, return_indices=True)
    good = np.isfinite(old_poses[one]).all(axis=1) & np.isfinite(new_poses[two]).all(axis=1)
    first, second = old_poses[one][good], new_poses[two][good]
    if not len(first):
        raise Pose3DError(
            f"cameras {old.name} and {new.name}: the board's pose is unclear in all shared views"
        )
    turns = rotation_vector_to_matrix(second[:, :3]) @ np.swapaxes(
        rotation_vector_to_matrix(first[:, :3]), 1, 2
    )
    shifts = second[:, 3:] - np.einsum("nij,nj->ni", turns, first[:, 3:])
    apart = np.linalg.norm(turns[:, None] - turns, axis=(2, 3)) + np.linalg.norm(
        shifts[:, None] - shifts, axis=-1
    ) / (1e-9 + np.median(np.linalg.norm(shifts, axis=-1)))
    middle = int(np.argmin(np.median(apart, axis=1)))
    return turns[middle], shifts[middle]


def _together(
    placed: Sequence[CalibratedCamera],
    usable: Sequence[Sightings],
    poses: Sequence[Floats],
    frames: npt.NDArray[np.int64],
    board: Board,
    fisheye: bool,
    lenses: bool,
) -> tuple[list[CalibratedCamera], Floats, Adjusted]:
    """Cameras and boards of all frames, adjusted at once."""
    corners = board.corners()
    observed = np.full((len(placed), len(frames), len(corners), 2), np.nan)
    boards = np.full((len(frames), 6), np.nan)
    for number, (camera, held) in enumerate(zip(placed, usable, strict=True)):
        index = np.searchsorted(frames, held.frames)
        observed[number, index] = held.corners
        turn = camera.rotation.T @ rotation_vector_to_matrix(poses[number][:, :3])
        place = (poses[number][:, 3:] - camera.translation) @ camera.rotation
        found = np.concatenate([matrix_to_rotation_vector(turn), place], axis=1)
        missing = ~np.isfinite(boards[index]).all(axis=1)
        boards[index[missing]] = found[missing]
    good = np.isfinite(boards).all(axis=1)
    seen = np.isfinite(observed[..., 0]) & good[None, :, None]
    lens = (_FISHEYE if fisheye else _PERSPECTIVE) if lenses else {}
    spread = [lens | (_PLACE if number else {}) for number in range(len(placed))]
    boards = np.where(good[:, None], boards, 0.0)
    layout, noise = board_layout(corners), _NOISE
    adjusted = adjust(placed, boards, layout, observed, seen / noise**2, spread, loss=3 * noise, steps=60)
    for _ in range(2):
        # Most corners are better than that, and a few, blurred or small, much worse.
        noise = float(np.clip(np.nanmedian(adjusted.errors) / 1.18, _LEAST_NOISE, _NOISE))
        adjusted = adjust(
            adjusted.cameras,
            adjusted.blocks,
            layout,
            observed,
            (seen & ~(adjusted.errors > _OUTLIER * noise)) / noise**2,
            spread,
            loss=2 * noise,
            steps=20,
        )
    return list(adjusted.cameras), np.where(good[:, None], adjusted.blocks, np.nan), adjusted


def _in_world(
    cameras: Sequence[CalibratedCamera],
    boards: Floats,
    frames: npt.NDArray[np.int64],
    floor: int | None,
) -> tuple[list[CalibratedCamera], Floats, list[str]]:
    """Everything in a world with z up."""
    centres = np.array([camera.centre for camera in cameras])
    if floor is None:
        up = -np.mean([camera.rotation[1] for camera in cameras], axis=0)
        up /= max(float(np.linalg.norm(up)), 1e-9)
        origin = np.nanmedian(boards[:, 3:], axis=0)
        ahead = cameras[0].rotation[2]
        notes = [
            "the world's z is up as the cameras are held, its origin where the board was: --floor FRAME, a "
            "frame in which the board lies on the floor, makes it exact"
        ]
    else:
        index = np.flatnonzero(frames == floor)
        if not len(index) or not np.isfinite(boards[index[0]]).all():
            listed = ", ".join(map(str, frames[np.isfinite(boards).all(axis=1)][:8]))
            raise Pose3DError(
                f"--floor {floor}: no camera sees the board in that frame; it is seen in {listed} ..."
            )
        turn = rotation_vector_to_matrix(boards[index[0], :3])
        origin = boards[index[0], 3:]
        up, ahead = turn[:, 2], turn[:, 0]
        up = up if np.median((centres - origin) @ up) > 0 else -up
        notes = [f"the world is the board on the floor in frame {floor}: x along its rows, z up"]
    ahead = ahead - up * (ahead @ up)
    ahead /= max(float(np.linalg.norm(ahead)), 1e-9)
    rotation = np.stack([ahead, np.cross(up, ahead), up])
    moved = []
    for camera in cameras:
        turned = camera.rotation @ rotation.T
        moved.append(
            dataclasses.replace(
                camera, rotation=turned, translation=camera.translation + camera.rotation @ origin
            )
        )
    there = np.isfinite(boards).all(axis=1)
    turned_boards = np.full_like(boards, np.nan)
    turns = rotation @ rotation_vector_to_matrix(boards[there, :3])
    turned_boards[there] = np.concatenate(
        [matrix_to_rotation_vector(turns), (boards[there, 3:] - origin) @ rotation.T], axis=1
    )
    return moved, turned_boards, notes
