"""Errors of poses of the normalised image, as MotionBERT and MotionAGFormer report them on Human3.6M."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_pose3d.evaluation.metrics import pampjpe
from tf_pose3d.evaluation.tables import error_table

__all__ = [
    "LEFT_OUT",
    "FrameErrors",
    "image_space_metrics",
    "image_space_results",
    "image_space_table",
    "is_left_out",
]

# Recordings whose labels are wrong, left out by the releases.
LEFT_OUT = ("s_09_act_05_subact_02", "s_09_act_10_subact_02", "s_09_act_13_subact_01")
_CAMERA_SUFFIX = len("_ca_01")
_COLUMNS = {"mpjpe": "MPJPE", "pampjpe": "P-MPJPE", "acceleration": "Acceleration"}


class FrameErrors:
    """Errors of frames, averaged over the clips that hold them.

    Args:
        frames: Frames of all videos, N.
        joints: Joints J.

    Attributes:
        count: `(N,)` clips that hold a frame.
    """

    def __init__(self, frames: int, joints: int) -> None:
        self.joint = np.zeros((frames, joints))
        self.aligned = np.zeros(frames)
        self.acceleration = np.zeros(frames)
        self.count = np.zeros(frames)

    def add(self, rows: np.ndarray, pred: np.ndarray, target: np.ndarray) -> None:
        """One clip's poses.

        Args:
            rows: `(F,)` its frames; of a frame that it holds twice the last one counts.
            pred, target: `(F, J, 3)` relative to the root, mm.
        """
        pred, target = pred.astype(np.float64), target.astype(np.float64)
        self.joint[rows] += np.linalg.norm(pred - target, axis=-1)
        self.aligned[rows] += pampjpe(pred, target).mean(axis=1)
        difference = pred - target
        bend = difference[:-2] - 2 * difference[1:-1] + difference[2:]
        if len(bend):
            # The clip's last two frames count as 0.
            self.acceleration[rows[:-2]] += np.linalg.norm(bend, axis=-1).mean(axis=1)
        self.count[rows] += 1


def image_space_results(
    errors: FrameErrors, actions: np.ndarray, action_names: Sequence[str], left_out: Sequence[str] = ()
) -> dict[str, Any]:
    """Means over covered frames, by action, and over actions.

    Args:
        errors: Of all frames, mm.
        actions: `(N,)` index of each frame's action.
        action_names: Their names.
        left_out: Names of videos that do not count, for the record.

    Returns:
        `{"frame_wise": {metric: mm}, "action_wise_average": {...}, "per_action": {action: {...}},
        "per_joint": [mm], "frames": {...}, "left_out": [...]}` with the metrics `mpjpe`, `pampjpe` and
        `acceleration` (mm per squared frame).
    """
    seen = errors.count > 0
    share = np.maximum(errors.count, 1)
    joint = errors.joint / share[:, None]
    values = {
        "mpjpe": joint.mean(axis=1),
        "pampjpe": errors.aligned / share,
        "acceleration": errors.acceleration / share,
    }

    def means(rows: np.ndarray) -> dict[str, float]:
        return {name: float(value[rows].mean()) for name, value in values.items()}

    groups = {
        name: seen & (actions == index)
        for index, name in enumerate(action_names)
        if (seen & (actions == index)).any()
    }
    per_action = {name: means(rows) for name, rows in groups.items()}
    return {
        "frame_wise": means(seen),
        "action_wise_average": {
            name: float(np.mean([one[name] for one in per_action.values()])) for name in values
        },
        "per_action": per_action,
        "per_joint": np.mean([joint[rows].mean(axis=0) for rows in groups.values()], axis=0).tolist(),
        "frames": {
            "total": int(seen.sum()),
            "uncovered": int((~seen).sum()),
            "per_action": {name: int(rows.sum()) for name, rows in groups.items()},
        },
        "left_out": list(left_out),
    }


def is_left_out(name: str) -> bool:
    """Whether a video's recording is one that the releases leave out."""
    return name[:-_CAMERA_SUFFIX] in LEFT_OUT


def image_space_metrics(results: dict[str, Any], action_wise: bool) -> dict[str, float]:
    """What validation reports of `image_space_results`."""
    metrics = {"loss": results["frame_wise"]["mpjpe"] / 1000}
    # The releases choose weights by the mean over actions and call it MPJPE.
    for prefix in ("", "AW-")[: 2 if action_wise else 1]:
        part = results["action_wise_average" if action_wise else "frame_wise"]
        metrics.update({prefix + name.upper(): value for name, value in part.items()})
    return metrics


def image_space_table(results: dict[str, Any], action_wise: bool = True) -> str:
    """`image_space_results` as printed."""
    rows = {"All frames": results["frame_wise"]}
    if action_wise:
        rows = {**results["per_action"], "Average": results["action_wise_average"], **rows}
    table = error_table(
        list(rows),
        list(_COLUMNS.values()),
        [[row[metric] for metric in _COLUMNS] for row in rows.values()],
        corner="Action" if action_wise else "",
        title="Errors in mm by each frame's true scale, roots aligned (acceleration: mm per frame^2)",
        summary_rows=2 if action_wise else 0,
    )
    lines = [str(table)]
    if results["left_out"]:
        lines.append(f"left out, as their labels are wrong: {len(results['left_out'])} videos")
    if results["frames"]["uncovered"]:
        lines.append(f"{results['frames']['uncovered']} frames in no whole clip, or left out")
    return "\n".join(lines)
