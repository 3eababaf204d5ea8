"""Lift whole recordings: a 3D pose for every frame of a video's 2D poses."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence as SequenceType

import keras
import numpy as np

from tf_pose3d.config import TrainingConfig
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.windows import Windows
from tf_pose3d.evaluation.every_frame import frames_to_predict, predict_every_frame
from tf_pose3d.evaluation.temporal_prediction import path_predictor
from tf_pose3d.models.family import Family, window_spec
from tf_pose3d.progress import Progress

__all__ = ["lift_paths", "lift_sequences"]


def lift_sequences(
    family: Family,
    model: keras.Model,
    config: TrainingConfig,
    sequences: SequenceType[Sequence],
    show_progress: bool = False,
) -> list[np.ndarray]:
    """3D poses of all frames of some recordings, as evaluation predicts them.

    A family that evaluates several settings (e.g. each s_in) lifts under the first. Recordings at a rate
    that is no multiple of the family's (HumanEva's 60 Hz) are lifted frame by frame at their own.

    Args:
        family: The model's family.
        model: With its weights.
        config: Its config.
        sequences: In the family's joint layout, with 2D poses and the cameras' image sizes.
        show_progress: Show a progress bar.

    Returns:
        For each sequence `(F, J, 3)` float32, metres, root-centred, camera frame.

    Raises:
        Pose3DError: Sequences that windows cannot be cut from.
    """
    _, setting = config.evaluation_settings()[0]
    windows = _windows(family, setting, sequences)
    indices = frames_to_predict(setting, windows)
    with Progress(len(indices), "lifting") as progress:
        count = (lambda done: progress.update(steps=done)) if show_progress else None
        poses, _ = predict_every_frame(family, model, setting, windows, indices, count)
    return np.split(poses, windows.store.offsets[1:])


def lift_paths(
    family: Family, model: keras.Model, config: TrainingConfig, sequences: SequenceType[Sequence]
) -> list[np.ndarray] | None:
    """Where the network of the root's path sees the people of some recordings.

    Args:
        family, model, config, sequences: As of `lift_sequences`.

    Returns:
        For each sequence `(F, 3)` float32 metres, camera frame, to be added to its poses; None: the model has
        no such network.
    """
    _, setting = config.evaluation_settings()[0]
    predictor = path_predictor(model, setting.EVAL_FLIP, setting.JIT_COMPILE)
    if predictor is None:
        return None
    windows = _windows(family, setting, sequences)
    path = predictor(windows, setting.BATCH_SIZE, np.arange(windows.num_centres))[:, 0]
    return np.split(path, windows.store.offsets[1:])


def _windows(family: Family, setting: TrainingConfig, sequences: SequenceType[Sequence]) -> Windows:
    """A window round each frame."""
    spec = dataclasses.replace(window_spec(family, setting, "test"), step=1)
    rate = sequences[0].fps if sequences else spec.frame_rate
    if rate % spec.frame_rate:
        spec = dataclasses.replace(spec, frame_rate=round(rate))
    return Windows(sequences, spec)
