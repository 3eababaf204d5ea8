"""A pose for every frame: predictions at a family's stride, interpolated between."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from tf_pose3d.config import TrainingConfig
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.prediction import Predictor
from tf_pose3d.models.family import Family, window_spec

__all__ = ["frames_to_predict", "interpolate_keyframes", "predict_every_frame"]


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


def frames_to_predict(
    setting: TrainingConfig, windows: Windows, also_stride: int | None = None
) -> np.ndarray:
    """Numbers of the windows whose centre is predicted and not interpolated.

    Args:
        setting: A config of `evaluation_settings`.
        windows: Over the recordings, cut with the family's spec for `"test"`.
        also_stride: Also those at frame numbers that this divides.
    """
    frame = windows.centre_frames()[1]
    wanted = frame % setting.prediction_stride == 0
    if also_stride is not None:
        wanted |= frame % also_stride == 0
    return np.flatnonzero(wanted)


def predict_every_frame(
    family: Family,
    model: keras.Model,
    setting: TrainingConfig,
    windows: Windows,
    indices: np.ndarray | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Poses of all centres under one setting.

    Args:
        family: The model's family.
        model: With its weights.
        setting: A config of `evaluation_settings`.
        windows: Over the recordings, cut with the family's spec for `"test"`.
        indices: From `frames_to_predict`, which is the default.
        progress: Called with the number of windows done since the last call.

    Returns:
        `(N, J, 3)` for every centre, predicted or interpolated, and `(N, J, 3)` with the predictions
        alone and zeros elsewhere; metres, root-centred, camera frame.
    """
    indices = frames_to_predict(setting, windows) if indices is None else indices
    frame = windows.centre_frames()[1]
    predicted = np.zeros((len(frame), windows.store.skeleton.num_joints, 3), np.float32)
    predictor = Predictor(model, setting.EVAL_FLIP, setting.JIT_COMPILE, setting.overlap)
    predicted[indices] = predictor(
        windows.with_mask_strides(window_spec(family, setting, "test").mask_strides),
        setting.BATCH_SIZE,
        indices,
        progress,
    )
    stride = setting.prediction_stride
    return (interpolate_keyframes(predicted, frame, stride) if stride > 1 else predicted), predicted
