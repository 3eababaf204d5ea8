"""LCN's evaluation on Human3.6M: absolute joint errors with the true root depth, by action or by joint.

Predictions in the image frame go back to the camera frame with each item's box and the true depth of its
root. Roots are not aligned: the error of the root itself counts. Source: LCN's release, `evaluate.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from prettytable import PrettyTable

from tf_pose3d.data.lcn_pickles import ACTION_NAMES, LCNItems
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.metrics import mpjpe, pampjpe
from tf_pose3d.evaluation.tables import error_table
from tf_pose3d.skeleton import joint_indices

__all__ = [
    "denormalized",
    "evaluate_result",
    "joint_errors",
    "mean_by_action",
    "mean_by_joint",
    "result_table",
    "what_name",
]

_CHUNK = 65536


def what_name(per_joint: bool, protocol2: bool, data_type: str = "scale") -> str:
    """The release's name of a table: `scale_action`, `scale_joint`, each also with `_protocol2`."""
    return f"{data_type}_{'joint' if per_joint else 'action'}{'_protocol2' if protocol2 else ''}"


def denormalized(pose_image: np.ndarray, items: LCNItems) -> np.ndarray:
    """The network's output `(N, J, 3)` in pixels: what result files hold.

    Raises:
        Pose3DError: Another number of poses than of items.
    """
    _check_length(pose_image, items, "the prediction")
    sizes = np.array([(camera.width, camera.height) for camera in items.cameras], np.float64)[items.camera]
    width, height = sizes[:, 0, None, None], sizes[:, 1, None]
    pixels = np.asarray(pose_image, np.float64).copy()
    pixels[..., 0] += 1
    pixels[..., 1] += height / width[..., 0]
    pixels *= width / 2
    return pixels


def _check_length(poses: np.ndarray, items: LCNItems, source: str) -> None:
    if poses.ndim != 3 or poses.shape[1:] not in ((17, 3), (16, 3)):
        raise Pose3DError(f"{source} holds poses of shape {poses.shape}, expected (items, 17, 3)")
    if len(poses) != len(items):
        raise Pose3DError(
            f"{source} holds {len(poses)} poses, {items.source} {len(items)} items; make it anew"
        )


def joint_errors(
    result: np.ndarray, items: LCNItems, protocol2: bool = False, source: str = "the result"
) -> np.ndarray:
    """Distance of every joint to the true one.

    Args:
        result: `(N, J, 3)` pixels, image frame.
        items: What it was predicted for.
        protocol2: First align each pose by a similarity transform, which may reflect.
        source: Names the result in messages.

    Returns:
        `(N, J)` millimetres.

    Raises:
        Pose3DError: Another number of poses than of items, or numbers that are not finite.
    """
    _check_length(result, items, source)
    if not np.isfinite(result).all():
        number = int(np.argmin(np.isfinite(result).all((1, 2))))
        raise Pose3DError(f"{source}: pose {number} holds numbers that are not finite")
    joints = joint_indices("h36m_17", f"h36m_{result.shape[1]}")
    focal = np.array([camera.focal_length for camera in items.cameras])
    center = np.array([camera.center for camera in items.cameras])
    errors = np.empty(result.shape[:2])
    for begin in range(0, len(items), _CHUNK):
        rows = slice(begin, begin + _CHUNK)
        camera = items.camera[rows]
        pixels = np.asarray(result[rows], np.float64)
        scale = (items.box_width[rows] + 1) / 2  # pixels per metre of depth
        pose = np.empty_like(pixels)
        pose[..., 2] = pixels[..., 2] / scale[:, None] + items.root_depth[rows, None]
        pose[..., :2] = (pixels[..., :2] - center[camera][:, None]) / focal[camera][:, None]
        pose[..., :2] *= pose[..., 2:]
        truth = items.camera_pose[rows][:, joints]
        errors[rows] = 1000 * (pampjpe(pose, truth, reflection=True) if protocol2 else mpjpe(pose, truth))
    return errors


def mean_by_action(errors: np.ndarray, actions: np.ndarray) -> dict[str, float]:
    """Means in mm by action id, and their average; actions without items are left out of both.

    Args:
        errors: `(N, J)` mm.
        actions: `(N,)` ids 2 to 16.

    Returns:
        `{"2": mm, ..., "16": mm, "avg": mm}`, NaN for actions without items.
    """
    counts = np.bincount(actions, minlength=17)[2:17]
    sums = np.bincount(actions, weights=errors.mean(1), minlength=17)[2:17]
    means = np.divide(sums, counts, out=np.full(15, np.nan), where=counts > 0)
    by_action = {str(action): float(mean) for action, mean in zip(ACTION_NAMES, means, strict=True)}
    return {**by_action, "avg": float(means[counts > 0].mean())}


def mean_by_joint(errors: np.ndarray) -> dict[str, float]:
    """Means in mm by joint number, and their average."""
    means = errors.mean(0)
    return {**{str(joint): float(mean) for joint, mean in enumerate(means)}, "avg": float(means.mean())}


def evaluate_result(
    result: np.ndarray,
    items: LCNItems,
    per_joint: bool = False,
    protocol2: bool = False,
    source: str = "the result",
) -> dict[str, float]:
    """One row of the release's tables; see `joint_errors`, `mean_by_action` and `mean_by_joint`."""
    errors = joint_errors(result, items, protocol2, source)
    return mean_by_joint(errors) if per_joint else mean_by_action(errors, items.action)


def result_table(rows: dict[str, dict[str, float]], title: str | None = None) -> PrettyTable:
    """Rows of test names, columns of actions or joints and the average, as the release prints them."""
    columns: Sequence[str] = list(next(iter(rows.values())))
    values: list[list[Any]] = [
        [None if np.isnan(row[column]) else row[column] for column in columns] for row in rows.values()
    ]
    return error_table(list(rows), columns, values, corner="test_name", title=title)
