"""The evaluation protocol of the Uplift and Upsample release on Human3.6M, whatever model predicts.

Predictions at every s_out-th frame are interpolated to all frames; errors are then averaged over frames and,
separately, over actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.metrics import mpjpe, nmpjpe, pampjpe

__all__ = ["METRICS", "evaluate_poses", "interpolate_keyframes"]

METRICS = ("mpjpe", "nmpjpe", "pampjpe")

_MILLIMETRES = 1000.0


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


def evaluate_poses(
    pred: np.ndarray, target: np.ndarray, actions: np.ndarray, action_names: Sequence[str], root: int
) -> dict[str, Any]:
    """Errors over all frames, per action, and averaged over actions with equal weight.

    MPJPE and NMPJPE align at the root joint, PAMPJPE by a similarity transform without reflection. The
    release averages all 15 actions; here those without any frame are left out and listed under
    `absent_actions`. A prediction that is not finite makes the errors that it enters NaN.

    Args:
        pred: `(N, J, 3)` predicted poses in metres.
        target: `(N, J, 3)` true poses in metres, in the same frame up to translation.
        actions: `(N,)` index of each frame's action in `action_names`.
        action_names: Distinct names of the actions, in the order of the table.
        root: The joint at which MPJPE and NMPJPE align.

    Returns:
        ```
        {"frame_wise": {"mpjpe": mm, "nmpjpe": mm, "pampjpe": mm},
         "action_wise_average": {the same},
         "per_action": {action: {the same}},
         "frames": {"total": N, "per_action": {action: count}},
         "absent_actions": [action, ...]}
        ```

    Raises:
        Pose3DError: shapes differ, there is no pose, an action index has no name, or `root` is no joint.
    """
    pred, target, actions = np.asarray(pred), np.asarray(target), np.asarray(actions)
    errors = {
        "mpjpe": mpjpe(pred, target, root=root).mean(1) * _MILLIMETRES,
        "nmpjpe": nmpjpe(pred, target, root=root).mean(1) * _MILLIMETRES,
        "pampjpe": pampjpe(pred, target).mean(1) * _MILLIMETRES,
    }
    if len(pred) == 0:
        raise Pose3DError("there is no pose to evaluate")
    if actions.shape != (len(pred),):
        raise Pose3DError(f"action indices have shape {actions.shape}, expected ({len(pred)},)")
    if actions.min() < 0 or actions.max() >= len(action_names):
        raise Pose3DError(
            f"action indices reach from {actions.min()} to {actions.max()}, "
            f"there are {len(action_names)} names"
        )
    counts = np.bincount(actions, minlength=len(action_names))
    present = [index for index, count in enumerate(counts) if count]
    per_action: dict[str, dict[str, float]] = {action_names[index]: {} for index in present}
    result: dict[str, Any] = {"frame_wise": {}, "action_wise_average": {}, "per_action": per_action}
    for metric, values in errors.items():
        sums = np.bincount(actions, weights=values, minlength=len(action_names))
        means = sums[present] / counts[present]
        result["frame_wise"][metric] = float(values.mean())
        result["action_wise_average"][metric] = float(means.mean())
        for index, mean in zip(present, means, strict=True):
            per_action[action_names[index]][metric] = float(mean)
    result["frames"] = {
        "total": len(pred),
        "per_action": {name: int(count) for name, count in zip(action_names, counts, strict=True)},
    }
    result["absent_actions"] = [name for name, count in zip(action_names, counts, strict=True) if not count]
    return result
