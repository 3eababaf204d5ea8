"""When feet rest on the floor."""

from __future__ import annotations

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.inference.motion.smoothing import present_runs, smooth_positions
from tf_pose3d.skeleton import Skeleton

__all__ = ["feet_joints", "find_contacts", "foot_speeds", "resting_places"]

# The joint that stands for a foot: the first that the layout has.
_FEET = ("foot", "toe", "big_toe", "foot_index", "ankle")
# Metres a second: a foot that is slower comes to rest, one that is faster leaves it. Chosen on held-out
# motion capture.
_SLOW, _FAST = 0.30, 0.40
# Metres above the lower foot: higher, a foot that does not move is held up.
_LIFTED = 0.10
# Seconds: contacts that are shorter are none, pauses that are shorter belong to a contact.
_SHORT, _PAUSE = 0.10, 0.07
# Hz: what is faster in a foot's movement is noise.
_CUTOFF = 5.0


def feet_joints(skeleton: Skeleton) -> tuple[int, int] | None:
    """The joints that stand for the left and the right foot; None in layouts without."""
    for name in _FEET:
        if f"l_{name}" in skeleton.joints and f"r_{name}" in skeleton.joints:
            return skeleton.index(f"l_{name}"), skeleton.index(f"r_{name}")
    return None


def foot_speeds(
    feet: np.ndarray,
    present: np.ndarray,
    fps: float,
    keypoints: np.ndarray | None = None,
    camera: Camera | None = None,
    depth: np.ndarray | None = None,
) -> np.ndarray:
    """How fast feet move.

    Across the line of sight a fixed camera's keypoints tell it best: errors of the lifted pose do not enter.

    Args:
        feet: `(F, 2, 3)` metres in a space that stands still, NaN where not `present`.
        present: `(F,)` bool.
        fps: Frames per second.
        keypoints: `(F, 2, 2)` pixels of the feet in the images of a camera that stands still, or None.
        camera: With its focal length; with `keypoints`.
        depth: `(F,)` metres from it; with `keypoints`.

    Returns:
        `(F, 2)` metres a second, NaN where not `present`.
    """
    if keypoints is not None and camera is not None and depth is not None and camera.focal_length is not None:
        # Depth scales the movement, it is none.
        scale = np.nan_to_num(depth)[:, None] / camera.focal_length[0]
        return np.linalg.norm(_velocities(keypoints, present, fps), axis=-1) * scale
    return np.linalg.norm(_velocities(feet, present, fps), axis=-1)


def _velocities(points: np.ndarray, present: np.ndarray, fps: float) -> np.ndarray:
    points = np.where(present[:, None, None], points, np.nan).astype(np.float64)
    if fps > 2 * _CUTOFF:
        points, _ = smooth_positions(points, present, fps, _CUTOFF)
    result = np.full(points.shape, np.nan)
    for first, end in present_runs(present):
        result[first:end] = np.gradient(points[first:end], axis=0) * fps if end - first > 1 else 0.0
    return result


def find_contacts(
    speeds: np.ndarray, present: np.ndarray, fps: float, heights: np.ndarray | None = None
) -> np.ndarray:
    """When feet rest.

    Args:
        speeds: `(F, 2)` of `foot_speeds`.
        present: `(F,)` bool.
        fps: Frames per second.
        heights: `(F, 2)` metres along up, from any zero; None: whatever the height.

    Returns:
        `(F, 2)` bool: the left and the right foot.
    """
    resting = np.zeros(speeds.shape, bool)
    for foot in range(2):
        slow, held = np.nan_to_num(speeds[:, foot], nan=np.inf) < _SLOW, speeds[:, foot] < _FAST
        if heights is not None:
            low = heights[:, foot] - np.nanmin(np.where(present[:, None], heights, 0), axis=1) < _LIFTED
            slow, held = slow & low, held & low
        for first, end in present_runs(held & present):
            # A foot that comes to rest does so where it is slow; it stays until it is fast.
            fully = np.flatnonzero(slow[first:end])
            if len(fully):
                resting[first + fully[0] : first + fully[-1] + 1, foot] = True
        pauses = [run for run in present_runs(~resting[:, foot] & present) if run[1] - run[0] <= _PAUSE * fps]
        for first, end in pauses:
            between = first > 0 and end < len(resting) and resting[first - 1, foot] and resting[end, foot]
            if between:
                resting[first:end, foot] = True
        for first, end in present_runs(resting[:, foot]):
            if end - first < max(_SHORT * fps, 2):
                resting[first:end, foot] = False
    return resting


def resting_places(feet: np.ndarray, resting: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(n, 3)` mean place of each rest of a foot, and `(n,)` how many frames it lasts, at most 60.

    Args:
        feet: `(F, 2, 3)` metres.
        resting: `(F, 2)` bool.
    """
    places, lasting = [], []
    for foot in range(2):
        for first, end in present_runs(resting[:, foot]):
            places.append(feet[first:end, foot].mean(axis=0))
            lasting.append(min(end - first, 60))
    return np.array(places).reshape(-1, 3), np.array(lasting, np.float64)
