"""Poses between keyframes, in NumPy alone."""

from __future__ import annotations

import numpy as np

from tf_pose3d.errors import Pose3DError

__all__ = ["interpolate_keyframes"]


def interpolate_keyframes(poses: np.ndarray, frames: np.ndarray, stride: int) -> np.ndarray:
    """Poses of all frames from those of the keyframes, the frames whose number `stride` divides.

    Between two keyframes of a video poses are interpolated linearly in time. After its last keyframe that one
    is held; before its first one (where a subsampled video does not begin with frame 0) the first is used.
    What `poses` holds at other frames is never read.

    Args:
        poses: `(N, J, 3)` one pose per frame, video after video.
        frames: `(N,)` frame numbers, rising within a video. A frame number that is not above the one before
            it begins the next video.
        stride: Distance of keyframes, at least 1.

    Returns:
        `(N, J, 3)` in the type of `poses`.

    Raises:
        Pose3DError: lengths differ, `stride` is below 1, or a video has no keyframe.
    """
    poses, frames = np.asarray(poses), np.asarray(frames)
    if frames.shape != poses.shape[:1]:
        raise Pose3DError(f"frame numbers have shape {frames.shape}, expected ({len(poses)},)")
    if stride < 1:
        raise Pose3DError(f"keyframe stride is {stride}, expected 1 or more")
    if stride == 1 or len(frames) == 0:
        return poses.copy()
    rows = np.arange(len(frames))
    video = np.concatenate([[0], np.cumsum(np.diff(frames) <= 0)])
    is_key = frames % stride == 0
    keys = np.flatnonzero(is_key)
    without = np.setdiff1d(video, video[keys])
    if len(without):
        first = int(np.argmax(video == without[0]))
        raise Pose3DError(
            f"the video that begins with row {first}, frame {frames[first]}, "
            f"has no frame divisible by {stride}"
        )
    following = np.searchsorted(keys, rows)
    before = keys[np.where(is_key, following, following - 1).clip(0)]
    after = keys[following.clip(max=len(keys) - 1)]
    has_before = (video[before] == video) & (before <= rows)
    has_after = (video[after] == video) & (after >= rows)
    before, after = np.where(has_before, before, after), np.where(has_after, after, before)
    span = frames[after] - frames[before]
    share = np.divide(frames - frames[before], span, out=np.zeros(len(frames)), where=span > 0)
    result = poses[after]
    result -= poses[before]
    result *= share.astype(poses.dtype)[:, None, None]
    result += poses[before]
    return result
