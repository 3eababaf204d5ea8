"""P-STMO's test on MPI-INF-3DHP, for every family: MPJPE, PCK at 150 mm and AUC by sequence and scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_pose3d.config import TrainingConfig
from tf_pose3d.data.mpi_inf_3dhp import TRAINING_WIDTH, image_size
from tf_pose3d.data.windows import Windows
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.metrics import mpjpe
from tf_pose3d.evaluation.prediction import predictor_of
from tf_pose3d.evaluation.protocols.protocol import Protocol
from tf_pose3d.evaluation.protocols.uplift import Evaluation, save_window_predictions
from tf_pose3d.evaluation.sequence_prediction import FrameSequencePredictor
from tf_pose3d.evaluation.tables import error_table
from tf_pose3d.progress import Progress

__all__ = ["AUC_THRESHOLDS", "PCK_THRESHOLD", "MpiInf3dhpProtocol", "scene_results"]

PCK_THRESHOLD = 150.0
AUC_THRESHOLDS = np.arange(0.0, 151.0, 5.0)
# Joints that PCK and AUC do not count.
_NOT_COUNTED = ("pelvis", "spine", "head")
# Windows whose poses of all frames are held at once.
_WINDOWS = 256
_COLUMNS = {"mpjpe": "MPJPE (mm)", "pck": "PCK (%)", "auc": "AUC (%)"}


def scene_results(
    pred: np.ndarray, target: np.ndarray, names: np.ndarray, scenes: np.ndarray, joints: Sequence[str]
) -> dict[str, Any]:
    """MPJPE over all joints, PCK (below 150 mm) and AUC (mean over 0, 5 to 150 mm) over limbs and head top.

    Args:
        pred, target: `(N, J, 3)` metres, root at 0.
        names, scenes: `(N,)` the sequence and the scene of each frame.
        joints: Names of the J joints.

    Returns:
        `{"all": {"mpjpe": mm, "pck": %, "auc": %, "frames": N}, "per_sequence": {name: {the same}},
        "per_scene": {scene: {the same}}}`; means are over frames.
    """
    errors = 1000 * mpjpe(pred, target)
    counted = [index for index, name in enumerate(joints) if name not in _NOT_COUNTED]
    limbs = errors[:, counted]
    below = np.stack([(limbs < threshold).mean(axis=1) for threshold in AUC_THRESHOLDS], axis=1)
    values = {
        "mpjpe": errors.mean(axis=1),
        "pck": 100 * (limbs < PCK_THRESHOLD).mean(axis=1),
        "auc": 100 * below.mean(axis=1),
    }

    def means(rows: np.ndarray) -> dict[str, float]:
        return {**{name: float(one[rows].mean()) for name, one in values.items()}, "frames": int(rows.sum())}

    def groups(of: np.ndarray) -> dict[str, dict[str, float]]:
        return {name: means(of == name) for name in dict.fromkeys(of.tolist())}

    return {
        "all": means(np.ones(len(errors), bool)),
        "per_sequence": groups(names),
        "per_scene": groups(scenes),
    }


def _centres(
    model: keras.Model,
    setting: TrainingConfig,
    data: Windows,
    chosen: np.ndarray,
    progress: Callable[[int], None] | None,
) -> np.ndarray:
    """`(n, J, 3)` the middle frames of windows, of a network that gives all of them."""
    predictor = FrameSequencePredictor(model, setting.EVAL_FLIP, setting.JIT_COMPILE)
    keypoints, flip = data.store.arrays["keypoints_2d"], data.store.input_skeleton.flip_order
    middle, poses = data.spec.length // 2, []
    for first in range(0, len(chosen), _WINDOWS):
        rows = data.rows(tf.constant(chosen[first : first + _WINDOWS], tf.int64))["rows"].numpy()
        clips = predictor.clips(keypoints, rows, flip, setting.BATCH_SIZE, progress)
        poses.append(np.asarray(model.rooted(clips[:, middle])))
    return np.concatenate(poses)


class MpiInf3dhpProtocol(Protocol[TrainingConfig, Windows, Evaluation]):
    """Valid frames only, each the centre of a window; the predicted root is taken as 0.

    Networks that give every frame of a clip are run on clips side by side, MotionAGFormer, as its release, on
    a window round each frame; its release's own networks give TS5 and TS6 smaller by 1920 / 2048, as
    released.
    """

    def evaluate(
        self, model: keras.Model, config: TrainingConfig, data: Windows, show_progress: bool = False
    ) -> Iterator[Evaluation]:
        results, poses, chosen = self._measure(model, config, data, None, show_progress)
        sequence, frame = data.centre_frames(chosen)
        targets = data.store.arrays["pose_3d"][data.store.offsets[sequence] + frame]
        yield Evaluation("", {"mpi_inf_3dhp": results}, poses, targets, sequence, frame)

    def validate(
        self, model: keras.Model, config: TrainingConfig, data: Windows, action_wise: bool = True
    ) -> dict[str, float]:
        count = config.VALIDATION_EXAMPLES
        results, _, _ = self._measure(model, config, data, None if count < 0 else count)
        overall = results["all"]
        metrics = {"loss": overall["mpjpe"] / 1000, "MPJPE": overall["mpjpe"]}
        metrics.update(PCK=overall["pck"], AUC=overall["auc"])
        if action_wise:
            metrics["AW-MPJPE"] = float(np.mean([one["mpjpe"] for one in results["per_scene"].values()]))
        return metrics

    def _measure(
        self,
        model: keras.Model,
        config: TrainingConfig,
        data: Windows,
        count: int | None,
        show_progress: bool = False,
    ) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
        """Results, poses `(n, J, 3)` and the indices of the windows that count."""
        store = data.store
        if "valid" not in store.arrays:
            raise Pose3DError(
                "the sequences have no mask of valid frames; test on test, or one of TS1 to TS6"
            )
        sequence, frame = data.centre_frames()
        chosen = np.flatnonzero(store.arrays["valid"][store.offsets[sequence] + frame] > 0)[:count]
        if not len(chosen):
            raise Pose3DError("no valid frame to test")
        _, setting = config.evaluation_settings()[0]
        with Progress(len(chosen), "evaluating") as progress:
            shown = (lambda done: progress.update(steps=done)) if show_progress else None
            if getattr(setting, "window_per_frame", False):
                poses = _centres(model, setting, data, chosen, shown)
            else:
                predictor = predictor_of(model, setting.EVAL_FLIP, setting.JIT_COMPILE, setting.overlap)
                poses = predictor(data, setting.BATCH_SIZE, chosen, shown)
        if getattr(setting, "JOINT_ORDER", None) == "mpi_inf_3dhp":
            # The release multiplies with half of the width of each image, where training had 2048 pixels.
            scenes = np.array(store.actions)[store.action_ids[sequence[chosen]]]
            widths = np.array([image_size(scene)[0] for scene in scenes])
            poses *= (widths / TRAINING_WIDTH).astype(np.float32)[:, None, None]
        root = self.family.root_joint(config)
        poses[:, root] = 0
        sequence, frame = sequence[chosen], frame[chosen]
        targets = store.arrays["pose_3d"][store.offsets[sequence] + frame]
        results = scene_results(
            poses,
            targets - targets[:, root : root + 1],
            np.array(store.names)[sequence],
            np.array(store.actions)[store.action_ids[sequence]],
            store.skeleton.joints,
        )
        return results, poses, chosen

    def tables(self, evaluation: Evaluation, action_wise: bool = True) -> str:
        results = evaluation.results["mpi_inf_3dhp"]
        rows = {"All": results["all"]}
        if action_wise:
            rows = {**results["per_sequence"], **results["per_scene"], **rows}
        return str(
            error_table(
                list(rows),
                list(_COLUMNS.values()),
                [[row[metric] for metric in _COLUMNS] for row in rows.values()],
                corner="Sequence, scene" if action_wise else "",
                title="MPI-INF-3DHP by P-STMO's protocol: valid frames, PCK below 150 mm, AUC to 150 mm",
                summary_rows=1,
            )
        )

    def save_predictions(self, path: str | Path, evaluations: Sequence[Evaluation], data: Windows) -> None:
        save_window_predictions(path, evaluations, data)
