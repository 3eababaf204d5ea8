"""Where a person walks, seen by a camera that stands still.

Each frame's keypoints tell where the root is, well across the line of sight and badly along it, as depth
comes from the size of the person alone. So all frames are solved together: the root's acceleration is
limited, and a foot that rests neither moves nor leaves the floor, whose height is found with it.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.chain import solve_chain

__all__ = ["RootPath", "Sighting", "see_root", "solve_path"]

# Power of a root's acceleration, metres squared per second cubed.
_ACCELERATION = 2.0
# Metres: how far a resting foot moves from frame to frame, and how far it is from the floor.
_SLIDE, _FLOOR = 0.004, 0.02
# Errors of a lifted pose last for some frames, so that a frame says less than it seems to.
_FRAMES_ALIKE = 6.0
# Rays' own error, tangents: a pixel or two.
_RAY = 1.5e-3
# Relative standard deviation of depth where the person's size is not known (that of adults' stature) and is,
# and where the focal length is supposed.
_SIZE_UNKNOWN, _SIZE_KNOWN, _FOCAL_SUPPOSED = 0.055, 0.015, 0.15


@dataclasses.dataclass(frozen=True)
class Sighting:
    """What each frame alone says about the root's place: `matrix @ place = right`, weighted.

    Attributes:
        matrix: `(F, 3, 3)` information, per metre squared.
        right: `(F, 3)`.
        place: `(F, 3)` metres: each frame's own best place, camera frame.
    """

    matrix: np.ndarray
    right: np.ndarray
    place: np.ndarray


@dataclasses.dataclass(frozen=True)
class RootPath:
    """A root's path in the world.

    Attributes:
        place: `(F, 3)` metres, world axes, the floor at z = 0, the camera above the origin.
        height: Metres of the camera above the floor; None where no foot ever rests.
        uncertainty: `(F,)` metres, one standard deviation along the line of sight.
    """

    place: np.ndarray
    height: float | None
    uncertainty: np.ndarray


def see_root(poses: np.ndarray, keypoints: np.ndarray, camera: Camera) -> Sighting:
    """The least squares of `tf_pose3d.inference.trajectory.camera_trajectory`, kept with their weights.

    Args:
        poses: `(F, J, 3)` metres, root-centred, camera frame, finite.
        keypoints: `(F, J, 3)` pixels and confidence.
        camera: With its focal length.

    Raises:
        Pose3DError: The camera has no intrinsics.
    """
    if camera.center is None or camera.focal_length is None:
        raise Pose3DError(f"camera {camera.id} has no intrinsics, which say where poses project")
    rays = (keypoints[..., :2].astype(np.float64) - camera.center) / camera.focal_length
    weights = np.maximum(keypoints[..., 2].astype(np.float64), 1e-3)[..., None]
    rows = np.zeros((*rays.shape, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = -1
    rows[..., 2] = rays
    rows = rows * weights[..., None]
    right = (poses[..., :2] - rays * poses[..., 2:]) * weights
    rows, right = rows.reshape(len(poses), -1, 3), right.reshape(len(poses), -1, 1)
    matrix = rows.transpose(0, 2, 1) @ rows
    vector = rows.transpose(0, 2, 1) @ right
    place = np.linalg.solve(matrix + 1e-9 * np.eye(3), vector)
    # Metres at the person's distance: what poses and keypoints disagree by.
    error = np.sqrt(np.mean((rows @ place - right) ** 2, axis=(1, 2)))
    error = np.maximum(np.maximum(error, np.median(error)), _RAY * np.abs(place[:, 2, 0]))
    weight = 1 / (error**2 * _FRAMES_ALIKE)
    return Sighting(matrix * weight[:, None, None], vector[..., 0] * weight[:, None], place[..., 0])


def solve_path(
    sighting: Sighting,
    frames: np.ndarray,
    fps: float,
    rotation: np.ndarray,
    feet: np.ndarray | None,
    resting: np.ndarray | None,
    size_known: bool,
    focal_known: bool,
) -> RootPath:
    """The root's path through all frames with a pose.

    Args:
        sighting: Of the frames with a pose.
        frames: `(F,)` their numbers; nothing ties frames between which others are missing.
        fps: Frames per second.
        rotation: `(3, 3)` camera frame to world axes.
        feet: `(F, 2, 3)` metres of the feet from the root, world axes, or None.
        resting: `(F, 2)` bool: the foot rests; None with `feet`.
        size_known: The person's size is.
        focal_known: The focal length is.
    """
    count = len(frames)
    matrix = rotation @ sighting.matrix @ rotation.T
    diagonal, right = np.zeros((count, 6, 6)), np.zeros((count, 6, 2))
    diagonal[:, :3, :3] = matrix
    diagonal[:, 3:, 3:] = 1e-3 * np.eye(3)
    right[:, :3, 0] = sighting.right @ rotation.T
    upper = np.zeros((max(count - 1, 0), 6, 6))
    tied = np.diff(frames) == 1
    _tie(diagonal, upper, tied, 1 / fps)
    floor = 0.0
    if feet is not None and resting is not None:
        floor = _stand(diagonal, upper, right, feet, resting, tied)
    solved = solve_chain(diagonal, upper, right)[:, :3]
    place, height = solved[..., 0], None
    if floor:
        # The second column is how places follow the floor's height, which has the least squares itself.
        height = _floor_height(solved, feet, resting)
        place = solved[..., 0] + solved[..., 1] * height
        place = place - np.array([0.0, 0.0, height])
        height = -height
    relative = np.hypot(_SIZE_KNOWN if size_known else _SIZE_UNKNOWN, 0.0 if focal_known else _FOCAL_SUPPOSED)
    depth = sighting.place[:, 2]
    around = float(np.sqrt(np.mean((place @ rotation - sighting.place)[:, 2].std() ** 2)))
    uncertainty = np.hypot(relative * np.abs(depth), around / np.sqrt(max(fps / 2, 1)))
    return RootPath(place, height, uncertainty)


def _tie(diagonal: np.ndarray, upper: np.ndarray, tied: np.ndarray, interval: float) -> None:
    """Adds the limit on acceleration between neighbouring frames."""
    inverse = (
        np.array([[12 / interval**3, -6 / interval**2], [-6 / interval**2, 4 / interval]]) / _ACCELERATION
    )
    step = np.array([[1.0, interval], [0.0, 1.0]])
    before = np.kron(step.T @ inverse @ step, np.eye(3))
    across = np.kron(-step.T @ inverse, np.eye(3))
    after = np.kron(inverse, np.eye(3))
    diagonal[:-1][tied] += before
    diagonal[1:][tied] += after
    upper[tied] += across


def _stand(
    diagonal: np.ndarray,
    upper: np.ndarray,
    right: np.ndarray,
    feet: np.ndarray,
    resting: np.ndarray,
    tied: np.ndarray,
) -> float:
    """Adds that resting feet neither move nor leave the floor; how many frames say so.

    The floor's height is unknown: the right hand sides' second column is what it adds, per metre.
    """
    for foot in range(2):
        both = resting[:-1, foot] & resting[1:, foot] & tied
        moved = np.diff(feet[:, foot], axis=0)
        weight = both / _SLIDE**2
        block = weight[:, None, None] * np.eye(3)
        diagonal[:-1, :3, :3] += block
        diagonal[1:, :3, :3] += block
        upper[:, :3, :3] -= block
        pull = weight[:, None] * moved
        right[:-1, :3, 0] += pull
        right[1:, :3, 0] -= pull
        stands = resting[:, foot] / _FLOOR**2
        diagonal[:, 2, 2] += stands
        right[:, 2, 0] -= stands * feet[:, foot, 2]
        right[:, 2, 1] += stands
    return float(resting.sum())


def _floor_height(solved: np.ndarray, feet: np.ndarray | None, resting: np.ndarray | None) -> float:
    """Metres from the camera up to the floor: resting feet are on it."""
    assert feet is not None
    assert resting is not None
    heights = (solved[:, None, 2, 0] + feet[..., 2])[resting]
    slopes = 1 - np.broadcast_to(solved[:, None, 2, 1], resting.shape)[resting]
    # heights + (1 - slopes) * h = h for all of them, in the least squares.
    return float((heights * slopes).sum() / max(float((slopes * slopes).sum()), 1e-9))
