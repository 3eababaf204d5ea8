"""How motion moves, apart from where joints are: smoothness, bones, feet, floor and path, with truth or
without.

All take poses `(F, J, 3)` in metres of consecutive frames; frames without a pose are NaN and count for
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.metrics import mpjpe
from tf_pose3d.skeleton import Skeleton

__all__ = [
    "acceleration_error",
    "bone_variation",
    "floor_penetration",
    "foot_skate",
    "jitter",
    "metrics_table",
    "motion_metrics",
    "pck_and_auc",
    "root_drift",
    "step_errors",
]

Floats = npt.NDArray[np.floating]
# Millimetres of the thresholds of the area under the curve (Mehta et al., MPI-INF-3DHP, 3DV 2017).
_THRESHOLDS = np.linspace(0, 150, 31)
_FEET = ("toe", "big_toe", "foot_index", "foot", "ankle")
# Metres above the lowest foot below which a foot counts as on the floor.
_ON_FLOOR = 0.05


def acceleration_error(poses: Floats, truth: Floats, fps: float | None = None) -> float:
    """Mean distance of second differences, millimetres a frame squared (Kanazawa et al. 2019), or, with
    `fps`, metres a second squared.

    Raises:
        Pose3DError: Shapes differ, or no three frames in a row have poses.
    """
    _same(poses, truth)
    distance = np.linalg.norm(_second(poses) - _second(truth), axis=-1)
    return _mean(distance, "three frames in a row") * (1000 if fps is None else fps**2)


def jitter(poses: Floats, fps: float) -> float:
    """Mean length of the third difference, metres a second cubed times 1e-2 (jerk, as Yi et al., TransPose,
    2021).

    Raises:
        Pose3DError: No four frames in a row have poses.
    """
    distance = np.linalg.norm(np.diff(np.asarray(poses, np.float64), 3, axis=0), axis=-1)
    return _mean(distance, "four frames in a row") * fps**3 / 100


def step_errors(poses: Floats, truth: Floats) -> npt.NDArray[np.float64]:
    """`(F - 1,)` mean distance, mm, between how joints move from frame to frame and how they truly do."""
    _same(poses, truth)
    moved = np.diff(np.asarray(poses, np.float64), axis=0) - np.diff(np.asarray(truth, np.float64), axis=0)
    return 1000 * np.linalg.norm(moved, axis=-1).mean(axis=1)


def bone_variation(poses: Floats, skeleton: Skeleton) -> npt.NDArray[np.float64]:
    """`(bones,)` standard deviation of each bone's length over its mean.

    Raises:
        Pose3DError: No frame has a pose.
    """
    held = _present(poses)
    pairs = np.array(skeleton.bones)
    lengths = np.linalg.norm(held[:, pairs[:, 1]] - held[:, pairs[:, 0]], axis=-1)
    return lengths.std(axis=0) / np.maximum(lengths.mean(axis=0), 1e-6)


def foot_skate(
    poses: Floats, skeleton: Skeleton, resting: npt.NDArray[np.bool_] | None = None, up: int = 2
) -> float:
    """Mean millimetres a frame that feet move while they rest.

    Args:
        poses: World axes.
        skeleton: Names the joints.
        resting: `(F, 2)` the left, the right foot rests; None: where it is within 5 cm of the lowest that any
            foot gets (its 2 % quantile).
        up: The axis that is up.

    Returns:
        NaN where no foot rests in two frames in a row, or the layout has no feet.
    """
    feet = _feet(skeleton)
    if feet is None:
        return float("nan")
    points = np.asarray(poses, np.float64)[:, feet]
    if resting is None:
        known = np.isfinite(points[..., up]).all(axis=1)
        if not known.any():
            return float("nan")
        floor = np.quantile(points[known][..., up].min(axis=1), 0.02)
        resting = np.nan_to_num(points[..., up], nan=np.inf) < floor + _ON_FLOOR
    both = resting[1:] & resting[:-1]
    across = [axis for axis in range(3) if axis != up]
    moved = np.linalg.norm(np.diff(points[..., across], axis=0), axis=-1)[both]
    return 1000 * _mean_or_nan(moved)


def floor_penetration(poses: Floats, up: int = 2, floor: float = 0.0) -> float:
    """Mean millimetres by which the lowest joint of a frame is below the floor; above counts 0."""
    lowest = _present(poses)[..., up].min(axis=1)
    return 1000 * float(np.maximum(floor - lowest, 0).mean())


def root_drift(poses: Floats, truth: Floats, root: int) -> tuple[float, float]:
    """How far the root is from the true one, both paths about their means and turned upon each other.

    Returns:
        Mean millimetres, and the same over the way that was walked (NaN below 0.5 m).
    """
    _same(poses, truth)
    known = np.isfinite(poses[:, root]).all(axis=1) & np.isfinite(truth[:, root]).all(axis=1)
    paths = [np.asarray(held[known, root], np.float64) for held in (poses, truth)]
    if len(paths[0]) < 2:
        raise Pose3DError("a root's path needs two frames with a pose")
    walked = float(np.linalg.norm(np.diff(paths[1], axis=0), axis=1).sum())
    centred = [path - path.mean(axis=0) for path in paths]
    # Turned about the vertical alone: which way is up is not forgiven.
    cross = centred[0][:, 0] @ centred[1][:, 1] - centred[0][:, 1] @ centred[1][:, 0]
    along = (centred[0][:, :2] * centred[1][:, :2]).sum()
    turn = float(np.arctan2(cross, along))
    c, s = np.cos(turn), np.sin(turn)
    turned = centred[0] @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    error = float(np.linalg.norm(turned - centred[1], axis=1).mean())
    return 1000 * error, error / walked if walked > 0.5 else float("nan")


def pck_and_auc(errors_mm: Floats) -> tuple[float, float]:
    """Share of joints within 150 mm, and its mean over the thresholds 0, 5, ... 150 mm (MPI-INF-3DHP).

    Args:
        errors_mm: Of any shape.
    """
    errors = np.asarray(errors_mm, np.float64).ravel()
    errors = np.sort(errors[np.isfinite(errors)])
    if not len(errors):
        raise Pose3DError("no joint error to count")
    shares = np.searchsorted(errors, _THRESHOLDS, side="right") / len(errors)
    return float(shares[-1]), float(shares.mean())


def motion_metrics(
    poses: Floats,
    skeleton: Skeleton,
    fps: float,
    root: int,
    truth: Floats | None = None,
    *,
    in_world: bool = False,
    resting: npt.NDArray[np.bool_] | None = None,
    joins: npt.NDArray[np.int64] | None = None,
) -> dict[str, float]:
    """All of them by name, with their units in the names.

    Args:
        poses: `(F, J, 3)` metres.
        skeleton: Names the joints.
        fps: Frames per second.
        root: The joint at which errors are aligned.
        truth: `(F, J, 3)` of the same frames, or None.
        in_world: The poses lie in a world with z up and the floor at 0: feet, floor and path count.
        resting: See `foot_skate`.
        joins: `(n,)` frames whose step from the frame before is measured apart from the others'.

    Raises:
        Pose3DError: Shapes differ, or there are too few frames.
    """
    variation = bone_variation(poses, skeleton)
    found = {
        "jitter_100m_s3": jitter(poses, fps),
        "bone_variation_worst_percent": 100 * float(variation.max()),
        "bone_variation_median_percent": 100 * float(np.median(variation)),
    }
    if in_world:
        found["foot_skate_mm_frame"] = foot_skate(poses, skeleton, resting)
        found["floor_penetration_mm"] = floor_penetration(poses)
    if truth is not None:
        _same(poses, truth)
        known = np.isfinite(poses).all(axis=(1, 2)) & np.isfinite(truth).all(axis=(1, 2))
        errors = 1000 * mpjpe(poses[known], truth[known], root=root)
        pck, auc = pck_and_auc(errors)
        found |= {
            "mpjpe_mm": float(errors.mean()),
            "pck_150_percent": 100 * pck,
            "auc_percent": 100 * auc,
            "acceleration_error_mm_frame2": acceleration_error(
                poses - poses[:, root : root + 1], truth - truth[:, root : root + 1]
            ),
            "jitter_of_truth_100m_s3": jitter(truth, fps),
        }
        if joins is not None:
            steps = step_errors(poses - poses[:, root : root + 1], truth - truth[:, root : root + 1])
            at_join = np.isin(np.arange(1, len(poses)), joins)
            found["step_error_at_joins_mm_frame"] = _mean_or_nan(steps[at_join])
            found["step_error_elsewhere_mm_frame"] = _mean_or_nan(steps[~at_join])
        if in_world:
            drift, share = root_drift(poses, truth, root)
            found |= {"root_drift_mm": drift, "root_drift_percent_of_way": 100 * share}
    return found


def metrics_table(found: Mapping[str, float]) -> str:
    """A line for each figure."""
    width = max(map(len, found))
    return "\n".join(f"{name:{width}s} {value:10.3f}" for name, value in found.items())


def _second(poses: Floats) -> npt.NDArray[np.float64]:
    return np.diff(np.asarray(poses, np.float64), 2, axis=0)


def _mean(values: npt.NDArray[np.float64], what: str) -> float:
    values = values[np.isfinite(values)]
    if not len(values):
        raise Pose3DError(f"no {what} have poses")
    return float(values.mean())


def _mean_or_nan(values: npt.NDArray[np.float64]) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else float("nan")


def _present(poses: Floats) -> npt.NDArray[np.float64]:
    held = np.asarray(poses, np.float64)
    held = held[np.isfinite(held).all(axis=(1, 2))]
    if not len(held):
        raise Pose3DError("no frame has a pose")
    return held


def _feet(skeleton: Skeleton) -> list[int] | None:
    for name in _FEET:
        if {f"l_{name}", f"r_{name}"} <= set(skeleton.joints):
            return [skeleton.index(f"l_{name}"), skeleton.index(f"r_{name}")]
    return None


def _same(poses: Floats, truth: Floats) -> None:
    if poses.shape != truth.shape or poses.ndim != 3:
        raise Pose3DError(f"poses of shape {poses.shape} against true ones of shape {truth.shape}")
