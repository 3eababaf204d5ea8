"""A pose for every frame: predictions at a family's stride, interpolated between."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from tf_pose3d.config import TrainingConfig
from tf_pose3d.data.windows import Windows
from tf_pose3d.evaluation.keyframes import interpolate_keyframes
from tf_pose3d.evaluation.prediction import predictor_of
from tf_pose3d.models.family import Family, window_spec

__all__ = ["frames_to_predict", "predict_every_frame"]


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
    predictor = predictor_of(model, setting.EVAL_FLIP, setting.JIT_COMPILE, setting.overlap)
    predicted[indices] = predictor(
        windows.with_mask_strides(window_spec(family, setting, "test").mask_strides),
        setting.BATCH_SIZE,
        indices,
        progress,
    )
    stride = setting.prediction_stride
    return (interpolate_keyframes(predicted, frame, stride) if stride > 1 else predicted), predicted
