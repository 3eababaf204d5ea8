"""Evaluates a model on windows: predicts, interpolates, measures, for every setting of its family."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tf_pose3d.config import TrainingConfig
from tf_pose3d.data.windows import Windows
from tf_pose3d.evaluation.every_frame import frames_to_predict, predict_every_frame
from tf_pose3d.evaluation.human36m_protocol import evaluate_poses
from tf_pose3d.evaluation.metrics import mpjpe, nmpjpe, pampjpe
from tf_pose3d.evaluation.prediction import predict_with_loss
from tf_pose3d.evaluation.tables import action_wise_table, frame_wise_table
from tf_pose3d.files import write_whole
from tf_pose3d.models.family import Family
from tf_pose3d.progress import Progress

__all__ = ["Evaluation", "evaluate", "format_evaluation", "save_predictions", "validate"]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What one setting (e.g. one s_in) gives.

    Attributes:
        label: `"s_in=5"`, or empty where a family has one setting only.
        results: `{"all_frames": ..., "keyframes": ...}`, each as `evaluate_poses` returns, in mm;
            keyframes only where the family has them.
        poses: `(N, J, 3)` predictions for every frame, metres, root-centred, camera frame.
        targets: `(N, J, 3)` true poses, metres, camera frame.
        sequence, frame: `(N,)` which sequence of the windows, and which frame of it.
    """

    label: str
    results: dict[str, Any]
    poses: np.ndarray
    targets: np.ndarray
    sequence: np.ndarray
    frame: np.ndarray


def evaluate(
    family: Family,
    model: keras.Model,
    config: TrainingConfig,
    windows: Windows,
    show_progress: bool = False,
) -> Iterator[Evaluation]:
    """Runs every setting in turn.

    Only frames that are reported as predicted or interpolated between are predicted.

    Args:
        family: The model's family.
        model: With its weights.
        config: Its config; settings come from it.
        windows: Over the test sequences, cut with the family's spec for `"test"`.
        show_progress: Show a progress bar per setting.

    Yields:
        One `Evaluation` per setting.
    """
    sequence, frame = windows.centre_frames()
    rows = windows.store.offsets[sequence] + frame
    targets = windows.store.arrays["pose_3d"][rows]
    actions = windows.store.action_ids[sequence]
    root = family.root_joint(config)
    for label, setting in family.evaluation_settings(config):
        keyframe_stride = family.keyframe_stride(setting)
        numbers = frames_to_predict(family, setting, windows, also_stride=keyframe_stride)
        with Progress(len(numbers), f"evaluating {label}".strip()) as progress:
            count = (lambda done, bar=progress: bar.update(steps=done)) if show_progress else None
            every, poses = predict_every_frame(family, model, setting, windows, numbers, count)
        names = windows.store.actions
        results = {"all_frames": evaluate_poses(every, targets, actions, names, root)}
        if keyframe_stride is not None:
            key = frame % keyframe_stride == 0
            results["keyframes"] = evaluate_poses(poses[key], targets[key], actions[key], names, root)
        yield Evaluation(label, results, every, targets, sequence, frame)


def validate(
    family: Family, model: keras.Model, config: TrainingConfig, windows: Windows, action_wise: bool
) -> dict[str, float]:
    """Metrics of the validation windows' centre frames.

    Args:
        action_wise: Also average over actions; for data sets that have them.

    Returns:
        `loss`, and `MPJPE`, `NMPJPE`, `PAMPJPE` over frames and (`AW-...`) over actions, in mm.
    """
    count = None if config.VALIDATION_EXAMPLES < 0 else config.VALIDATION_EXAMPLES
    poses, targets, actions, loss = predict_with_loss(
        model,
        windows,
        config.BATCH_SIZE,
        family.validation_loss(config),
        count,
        flip=config.EVAL_FLIP,
        jit_compile=config.JIT_COMPILE,
    )
    root = family.root_joint(config)
    metrics = {"loss": loss}
    if action_wise:
        results = evaluate_poses(poses, targets, actions, windows.store.actions, root)
        for prefix, part in (("", "frame_wise"), ("AW-", "action_wise_average")):
            metrics.update({prefix + name.upper(): value for name, value in results[part].items()})
        return metrics
    errors = {
        "MPJPE": mpjpe(poses, targets, root=root),
        "NMPJPE": nmpjpe(poses, targets, root=root),
        "PAMPJPE": pampjpe(poses, targets),
    }
    return {**metrics, **{name: 1000 * float(values.mean()) for name, values in errors.items()}}


def format_evaluation(evaluation: Evaluation, action_wise: bool = True) -> str:
    """The tables of one setting as text."""
    titles = {"all_frames": "all frames", "keyframes": "keyframes (frames with 2D input) only"}
    blocks = []
    for part, results in evaluation.results.items():
        title = f"{evaluation.label}, {titles[part]}".lstrip(", ")
        blocks.append(str(frame_wise_table(results, f"Frame-wise errors in mm, {title}")))
        if action_wise:
            blocks.append(str(action_wise_table(results, f"Action-wise errors in mm, {title}")))
            if results["absent_actions"]:
                absent = ", ".join(results["absent_actions"])
                blocks.append(f"Not in the data and so not in the average: {absent}")
    return "\n".join(blocks)


def save_predictions(path: str | Path, evaluations: list[Evaluation], windows: Windows) -> None:
    """Writes every setting's poses as npz, the file whole or not at all.

    Keys: `pose_3d` (`LABEL/pose_3d` where there are several settings) `(N, J, 3)` metres, root-centred,
    camera frame; `target (N, J, 3)`; `frame`, `sequence` `(N,)`; `subject`, `action`, `camera` per
    sequence `(S,)`; `joints (J,)`.
    """
    store, first = windows.store, evaluations[0]
    arrays = {
        f"{evaluation.label}/pose_3d".lstrip("/"): evaluation.poses.astype(np.float32)
        for evaluation in evaluations
    }
    arrays.update(
        target=first.targets,
        frame=first.frame.astype(np.int32),
        sequence=first.sequence.astype(np.int32),
        subject=np.array([store.subjects[i] for i in store.subject_ids]),
        action=np.array(store.names),
        camera=np.array(store.camera_ids),
        joints=np.array(store.skeleton.joints),
    )
    with write_whole(path) as file:
        np.savez_compressed(file, **arrays)
