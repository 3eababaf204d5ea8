"""The evaluation protocol of the Uplift and Upsample release on Human3.6M, whatever model predicts.

Predictions at every s_out-th frame are interpolated to all frames; errors are then averaged over frames and,
separately, over actions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.every_frame import frames_to_predict, predict_every_frame
from tf_pose3d.evaluation.metrics import mpjpe, nmpjpe, pampjpe
from tf_pose3d.evaluation.prediction import predict_with_loss
from tf_pose3d.evaluation.protocols.protocol import ConfigT, Protocol
from tf_pose3d.evaluation.tables import action_wise_table, frame_wise_table
from tf_pose3d.files import write_whole
from tf_pose3d.progress import Progress

__all__ = ["Evaluation", "UpliftProtocol", "evaluate_poses", "save_window_predictions"]

_MILLIMETRES = 1000.0


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What one setting (e.g. one s_in) gives.

    Attributes:
        label: `"s_in=5"`, or empty where a family has one setting only.
        results: `{"all_frames": ..., "keyframes": ...}`, each as `evaluate_poses` returns, in mm;
            keyframes only where the family has them.
        poses: `(N, J, 3)` predictions for every frame, metres, root-centred, camera frame.
        targets: `(N, J, 3)` true poses, metres, camera frame.
        sequence, frame: `(N,)` which sequence of the data, and which frame of it.
    """

    label: str
    results: dict[str, Any]
    poses: np.ndarray
    targets: np.ndarray
    sequence: np.ndarray
    frame: np.ndarray


class UpliftProtocol(Protocol[ConfigT, Windows, Evaluation]):
    """MPJPE, N-MPJPE and PA-MPJPE of all frames, and of keyframes where a family has them."""

    def evaluate(
        self, model: keras.Model, config: ConfigT, data: Windows, show_progress: bool = False
    ) -> Iterator[Evaluation]:
        """Runs every setting in turn.

        Only frames that are reported as predicted or interpolated between are predicted.
        """
        sequence, frame = data.centre_frames()
        rows = data.store.offsets[sequence] + frame
        targets = data.store.arrays["pose_3d"][rows]
        actions = data.store.action_ids[sequence]
        root = self.family.root_joint(config)
        for label, setting in config.evaluation_settings():
            keyframe_stride = setting.keyframe_stride
            indices = frames_to_predict(setting, data, also_stride=keyframe_stride)
            with Progress(len(indices), f"evaluating {label}".strip()) as progress:
                count = (lambda done, bar=progress: bar.update(steps=done)) if show_progress else None
                every, poses = predict_every_frame(self.family, model, setting, data, indices, count)
            names = data.store.actions
            results = {"all_frames": evaluate_poses(every, targets, actions, names, root)}
            if keyframe_stride is not None:
                key = frame % keyframe_stride == 0
                results["keyframes"] = evaluate_poses(poses[key], targets[key], actions[key], names, root)
            yield Evaluation(label, results, every, targets, sequence, frame)

    def validate(
        self, model: keras.Model, config: ConfigT, data: Windows, action_wise: bool = True
    ) -> dict[str, float]:
        """Metrics of the windows' centre frames.

        Returns:
            `loss`, and `MPJPE`, `NMPJPE`, `PAMPJPE` over frames and (`AW-...`) over actions, in mm.
        """
        count = None if config.VALIDATION_EXAMPLES < 0 else config.VALIDATION_EXAMPLES
        poses, targets, actions, loss = predict_with_loss(
            model,
            data,
            config.BATCH_SIZE,
            self.family.loss(config, "val"),
            count,
            flip=config.EVAL_FLIP,
            jit_compile=config.JIT_COMPILE,
        )
        root = self.family.root_joint(config)
        metrics = {"loss": loss}
        if action_wise:
            results = evaluate_poses(poses, targets, actions, data.store.actions, root)
            for prefix, part in (("", "frame_wise"), ("AW-", "action_wise_average")):
                metrics.update({prefix + name.upper(): value for name, value in results[part].items()})
            return metrics
        errors = {
            "MPJPE": mpjpe(poses, targets, root=root),
            "NMPJPE": nmpjpe(poses, targets, root=root),
            "PAMPJPE": pampjpe(poses, targets),
        }
        return {**metrics, **{name: 1000 * float(values.mean()) for name, values in errors.items()}}

    def tables(self, evaluation: Evaluation, action_wise: bool = True) -> str:
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

    def save_predictions(self, path: str | Path, evaluations: Sequence[Evaluation], data: Windows) -> None:
        save_window_predictions(path, evaluations, data)


def save_window_predictions(path: str | Path, evaluations: Sequence[Evaluation], windows: Windows) -> None:
    """Writes every setting's poses as npz, the file whole or not at all.

    Keys: `pose_3d` (`LABEL/pose_3d` where there are several settings) `(N, J, 3)` metres, root-centred,
    camera frame; `target (N, J, 3)`; `frame`, `sequence` `(N,)`; `subject`, `action`, `camera` per
    sequence `(S,)`; `joints (J,)`.
    """
    store, first = windows.store, evaluations[0]
    arrays: dict[str, Any] = {
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
