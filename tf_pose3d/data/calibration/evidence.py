"""What people seen by several cameras say about a calibration: which reading, which unit, which direction."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.calibration.assembly import METRES
from tf_pose3d.data.calibration.formats.opencv import inverted
from tf_pose3d.data.calibration.record import CalibratedCamera, Calibration
from tf_pose3d.errors import Pose3DError

__all__ = ["Agreement", "agreement", "settled", "triangulated"]

Floats = npt.NDArray[np.float64]

# Points that are looked at, spread over the clip: a median of so many is good to a percent.
_MOST_POINTS = 4000
# Another reading must be that much better: noise of detectors hides small differences.
_BETTER = 0.7
# Joints of one person in a frame span this many metres: crouching children to tall people reaching up.
_SMALLEST, _TALLEST = 0.5, 2.8
# Points in front of all cameras that see them, of a calibration that is right.
_IN_FRONT = 0.8


def triangulated(
    cameras: Sequence[CalibratedCamera], pixels: npt.ArrayLike, weights: npt.ArrayLike
) -> Floats:
    """World points by linear least squares over all views, without leaving out any.

    Args:
        cameras: C cameras.
        pixels: `(C, N, 2)` of the distorted images.
        weights: `(C, N)`, 0 where a point is not seen.

    Returns:
        `(N, 3)` metres, NaN where fewer than two views have a weight.
    """
    pixels, weights = np.asarray(pixels, np.float64), np.asarray(weights, np.float64)
    normal = np.zeros((pixels.shape[1], 4, 4))
    views = np.zeros(pixels.shape[1])
    for camera, points, weight in zip(cameras, pixels, weights, strict=True):
        rays = camera.rays(np.where(weight[:, None] > 0, points, np.nan))
        seen = np.asarray(np.isfinite(rays).all(axis=1))
        matrix = camera.extrinsic_matrix
        rows = np.where(seen[:, None], rays, 0.0)[..., None] * matrix[2] - matrix[:2]
        rows *= np.where(seen, np.sqrt(weight), 0.0)[:, None, None]
        normal += np.einsum("nij,nik->njk", rows, rows)
        views += seen
    points = np.linalg.eigh(normal)[1][:, :, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        result = points[:, :3] / points[:, 3:]
    return np.where((views >= 2)[:, None] & np.isfinite(result), result, np.nan)


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How well cameras and keypoints fit.

    Attributes:
        error: Median reprojection error over all views, none left out, pixels; infinite without any point.
        in_front: Share of the points that lie in front of every camera that sees them.
        extent: Median over frames of the largest distance between a person's joints, metres.
        points: How many points were looked at.
    """

    error: float
    in_front: float
    extent: float
    points: int


def agreement(cameras: Sequence[CalibratedCamera], keypoints: npt.ArrayLike) -> Agreement:
    """How well cameras and the keypoints of one person fit.

    Args:
        cameras: C cameras.
        keypoints: `(C, F, J, 3)` pixels x, y and confidence; 0 or NaN where missing.
    """
    table = np.asarray(keypoints, np.float64)
    if table.ndim != 4 or table.shape[0] != len(cameras) or table.shape[3] != 3:
        raise Pose3DError(
            f"keypoints have the shape {table.shape}, expected ({len(cameras)} cameras, frames, joints, 3)"
        )
    seen = np.isfinite(table).all(axis=-1) & (table[..., 2] > 0)
    useful = np.flatnonzero((seen.sum(axis=0) >= 2).any(axis=1))
    if not useful.size:
        return Agreement(np.inf, 0.0, np.nan, 0)
    frames = useful[
        np.linspace(0, useful.size - 1, min(useful.size, 1 + _MOST_POINTS // table.shape[2])).astype(int)
    ]
    frames = np.unique(frames)
    table, seen = table[:, frames], seen[:, frames]
    flat = table.reshape(len(cameras), -1, 3)
    weights = np.where(seen.reshape(len(cameras), -1), flat[..., 2], 0.0)
    points = triangulated(cameras, flat[..., :2], weights)
    errors, front = [], np.ones(len(points), bool)
    for camera, pixels, weight in zip(cameras, flat[..., :2], weights, strict=True):
        there = (weight > 0) & np.isfinite(points).all(axis=1)
        front &= ~there | (camera.from_world(points)[:, 2] > 0)
        distance = np.linalg.norm(camera.project(points[there]) - pixels[there], axis=1)
        errors.append(np.where(np.isfinite(distance), distance, np.inf))
    there = np.isfinite(points).all(axis=1)
    joints = points.reshape(len(frames), -1, 3)
    joints = joints[np.isfinite(joints).all(axis=-1).sum(axis=1) >= 2]
    low, high = np.nanmin(joints, axis=1, initial=np.inf), np.nanmax(joints, axis=1, initial=-np.inf)
    return Agreement(
        error=float(np.median(np.concatenate(errors))) if there.any() else np.inf,
        in_front=float(front[there].mean()) if there.any() else 0.0,
        extent=float(np.median(np.linalg.norm(high - low, axis=1))) if len(joints) else np.nan,
        points=int(there.sum()),
    )


def settled(calibration: Calibration, keypoints: npt.ArrayLike) -> Calibration:
    """The calibration in the reading and the unit that the keypoints of a person speak for.

    A reading replaces the format's own where its error is clearly lower; a unit that was guessed is replaced
    where people would be giants or dwarfs. What the format states is not changed, only doubted in the notes.

    Args:
        calibration: Its cameras in the order of the keypoints (`Calibration.select`).
        keypoints: `(C, F, J, 3)` pixels x, y and confidence of one person; 0 or NaN where missing.

    Returns:
        With notes on what was decided, by which evidence, and without alternatives.
    """
    chosen = calibration.cameras
    first = best = agreement(chosen, keypoints)
    notes = list(calibration.notes)
    if not first.points:
        return dataclasses.replace(calibration, alternatives=())
    for reading in calibration.alternatives:
        found = agreement(reading.cameras, keypoints)
        if _beats(found, best):
            chosen, best = reading.cameras, found
            notes.append(
                f"{calibration.source}: read with {reading.what}: reprojection error {found.error:.3g} px "
                f"(as the format has it: {first.error:.3g} px)"
            )
    turned = agreement(inverted(chosen), keypoints)
    if _beats(turned, best):
        notes.append(
            f"{calibration.source}: rotation and translation look like camera to world: as such the "
            f"reprojection error is {turned.error:.3g} px, as the format has it {best.error:.3g} px"
        )
    calibration = dataclasses.replace(
        calibration, cameras=tuple(chosen), notes=tuple(dict.fromkeys(notes)), alternatives=()
    )
    return _with_unit_of_people(calibration, best)


def _beats(found: Agreement, best: Agreement) -> bool:
    if best.in_front < _IN_FRONT <= found.in_front:
        return found.error < best.error
    return found.in_front >= min(best.in_front, _IN_FRONT) and found.error < _BETTER * best.error


def _with_unit_of_people(calibration: Calibration, found: Agreement) -> Calibration:
    """Another unit where people have no human size; or a note, where the unit was stated."""
    if not np.isfinite(found.extent) or _SMALLEST <= found.extent <= _TALLEST:
        return calibration
    raw = found.extent / METRES[calibration.unit]
    fitting = [unit for unit in ("m", "cm", "mm") if _SMALLEST <= raw * METRES[unit] <= _TALLEST]
    said = f"{calibration.source}: people would span {found.extent:.3g} m with lengths in {calibration.unit}"
    if not fitting:
        note = f"{said}, and in no unit 0.5 to 2.8 m: calibrated without a scale, or with a wrong board size?"
        return dataclasses.replace(calibration, notes=(*calibration.notes, note))
    if calibration.unit_stated:
        note = f"{said}; in {fitting[0]} they would be right: --camera_unit {fitting[0]}"
        return dataclasses.replace(calibration, notes=(*calibration.notes, note))
    factor = METRES[fitting[0]] / METRES[calibration.unit]
    return dataclasses.replace(
        calibration,
        cameras=tuple(camera.scaled(factor) for camera in calibration.cameras),
        notes=(*calibration.notes, f"{said}: lengths taken as {fitting[0]}"),
        unit=fitting[0],
    )
