"""Errors of DenseWarper and of its backbone.

3D poses are moved so that the root joint lies on the true one. Errors in the world, without that, are told
beside it: aligned roots hide how far off whole people are. Joints that fewer than two of the shown images see
count as 0 in the mean, as in the release; how many they are is told, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.tables import error_table
from tf_pose3d.types import Parsed

__all__ = [
    "DETECTION_THRESHOLDS",
    "HeatmapPeaks",
    "detection_rates",
    "detection_table",
    "heatmap_accuracy",
    "heatmap_peaks",
    "multiview_errors",
    "rates_by_name",
]

# Shares of the person's box, which is two metres wide: 150, 100, 50, 25 and 12.5 mm.
DETECTION_THRESHOLDS = (0.075, 0.05, 0.025, 0.0125, 0.00625)
# Of a tenth of the heat map's size.
_ACCURACY_THRESHOLD = 0.083
_SEEN_BY = 2


@dataclasses.dataclass(frozen=True)
class HeatmapPeaks:
    """Where heat maps are largest: `positions (..., J, 2)` heat-map pixels and `values (..., J)`."""

    positions: np.ndarray
    values: np.ndarray


def heatmap_peaks(heatmaps: np.ndarray, shift: bool = False) -> HeatmapPeaks:
    """Maxima of heat maps `(..., h, w, J)`; (0, 0) where nothing is above zero.

    Args:
        heatmaps: As the networks give them.
        shift: Move each maximum that is not at the border a quarter of a pixel towards its higher neighbour,
            along x and y (the release's POST_PROCESS).
    """
    height, width, joints = heatmaps.shape[-3:]
    flat = heatmaps.reshape(-1, height * width, joints)
    index = flat.argmax(axis=1)
    values = np.take_along_axis(flat, index[:, None], axis=1)[:, 0]
    y, x = np.divmod(index, width)
    positions = np.stack([x, y], axis=-1).astype(np.float32)
    if shift:
        maps = flat.reshape(-1, height, width, joints)
        rows, columns = np.arange(len(maps))[:, None], np.arange(joints)[None]
        inner = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
        left, right = np.clip(x - 1, 0, width - 1), np.clip(x + 1, 0, width - 1)
        above, below = np.clip(y - 1, 0, height - 1), np.clip(y + 1, 0, height - 1)
        slope = np.stack(
            [
                maps[rows, y, right, columns] - maps[rows, y, left, columns],
                maps[rows, below, x, columns] - maps[rows, above, x, columns],
            ],
            axis=-1,
        )
        positions += np.where(inner[..., None], 0.25 * np.sign(slope), 0).astype(np.float32)
    positions *= (values > 0)[..., None]
    shape = heatmaps.shape[:-3]
    return HeatmapPeaks(positions.reshape(*shape, joints, 2), values.reshape(*shape, joints))


def heatmap_accuracy(
    predicted: np.ndarray, target: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, float]:
    """Share of joints whose heat map peaks near the target's peak, as the release logs it.

    Near is 0.083 of a tenth of the heat map's size. Targets within a pixel of the upper or left border count
    as missing; joints without any target are left out of the mean.

    Args:
        predicted, target: `(N, J, 2)` positions of peaks, heat-map pixels.
        size: Width and height of the heat maps.

    Returns:
        `(J,)` shares, NaN for joints without a target, and their mean.
    """
    held = (target > 1).all(axis=-1)
    # The release divides x by the height and y by the width; both are equal in its configs.
    distance = np.linalg.norm((predicted - target) / (np.array(size) / 10), axis=-1)
    near = (distance < _ACCURACY_THRESHOLD) & held
    count = held.sum(axis=0)
    with np.errstate(invalid="ignore"):
        rates = np.where(count > 0, near.sum(axis=0) / np.maximum(count, 1), np.nan)
    return rates, float(np.nanmean(rates)) if count.any() else float("nan")


def detection_rates(
    predicted: np.ndarray,
    target: np.ndarray,
    box: np.ndarray,
    thresholds: Sequence[float] = DETECTION_THRESHOLDS,
) -> np.ndarray:
    """Share of joints found within a threshold, in pixels of the original image.

    Args:
        predicted, target: `(N, J, 2)` pixels of the original image.
        box: `(N, 2)` width and height of each person's box, pixels; thresholds are shares of their mean.
        thresholds: K shares.

    Returns:
        `(K, J)` shares from 0 to 1.
    """
    distance = np.linalg.norm(predicted - target, axis=-1)
    limits = np.asarray(thresholds)[:, None] * box.mean(axis=1)
    return (distance[None] <= limits[..., None]).mean(axis=1)


def rates_by_name(rates: np.ndarray, joints: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Detection rates `(K, J)` by threshold and joint, with their mean."""
    return {
        f"{threshold:g}": {
            **dict(zip(joints, map(float, row), strict=True)),
            "mean": float(row.mean()),
        }
        for threshold, row in zip(DETECTION_THRESHOLDS, rates, strict=True)
    }


def detection_table(rates: Mapping[str, Mapping[str, float]]) -> str:
    """Detection rates in percent as text, a row per joint and their mean.

    Args:
        rates: Threshold -> joint (and `mean`) -> share.
    """
    columns = [f"{threshold} ({2000 * float(threshold):g} mm)" for threshold in rates]
    rows = list(next(iter(rates.values())))
    return str(
        error_table(
            rows,
            columns,
            [[100 * shares[row] for shares in rates.values()] for row in rows],
            corner="Joint",
            title="Detection rates in % by threshold (share of the person's box)",
            summary_rows=1,
        )
    )


def multiview_errors(
    poses: np.ndarray,
    targets: np.ndarray,
    seen: np.ndarray,
    actions: Sequence[str],
    joints: Sequence[str],
    root: int = 0,
) -> dict[str, Any]:
    """Errors of groups after moving the root onto the true one.

    Args:
        poses: `(G, T, J, 3)` millimetres; NaN where a joint could not be triangulated.
        targets: `(G, T, J, 3)` millimetres.
        seen: `(G, J)` how many of a group's images see each joint.
        actions: G names.
        joints: J names.
        root: Index of the joint that is moved.

    Returns:
        `mpjpe` as the release computes it (joints seen by fewer than two images count as 0), `mpjpe_seen`
        (they are left out), `mpjpe_world` (the same without moving the root), `not_seen` (their share),
        `not_triangulated` (joints seen without a 3D position), `per_action`, `action_wise_average` and
        `per_joint`, errors in mm.

    Raises:
        Pose3DError: The root of a pose could not be triangulated anywhere.
    """
    aligned = poses + (targets[:, :, root] - poses[:, :, root])[:, :, None]
    distance = np.linalg.norm(aligned - targets, axis=-1)
    counted = np.broadcast_to((seen >= _SEEN_BY)[:, None], distance.shape)
    failed = counted & ~np.isfinite(distance)
    valid = counted & ~failed
    if not valid.any():
        raise Pose3DError("no joint could be triangulated: fewer than two views see any joint")
    errors = np.where(valid, distance, 0.0)
    # What could not be triangulated has no error; it is left out and told, not counted as perfect.
    present = ~failed

    def mean(part: Parsed) -> float:
        return float(errors[part].sum() / max(present[part].sum(), 1))

    names = np.asarray(actions)
    per_action = {str(name): mean(names == name) for name in dict.fromkeys(actions)}
    world = np.linalg.norm(poses - targets, axis=-1)
    return {
        "mpjpe": mean(slice(None)),
        "mpjpe_world": float(world[valid].mean()),
        "mpjpe_seen": float(errors.sum() / valid.sum()),
        "not_seen": float(1 - counted.mean()),
        "not_triangulated": int(failed.sum()),
        "per_action": per_action,
        "action_wise_average": float(np.mean(list(per_action.values()))),
        "per_joint": {joint: mean((slice(None), slice(None), j)) for j, joint in enumerate(joints)},
    }
