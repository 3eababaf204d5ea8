"""Suspicions about a rig, each tried out: what the error would be if it were true."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import numpy.typing as npt

from tf_pose3d.lens import rotation_vector_to_matrix
from tf_pose3d.multicamera.agreement import median_error, telling_frames
from tf_pose3d.multicamera.known import mean_known, median_known
from tf_pose3d.multicamera.rig import Rig, make_rig
from tf_pose3d.multicamera.swaps import epipolar_distances, view_pairs
from tf_pose3d.multicamera.triangulation import triangulate_linear

__all__ = ["Finding", "exchanged", "inverted", "late", "moved", "other_unit"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

# Units that are taken for another.
_UNITS = {
    0.001: "millimetres where the others have metres",
    1000.0: "metres where the others have millimetres",
    0.01: "centimetres where the others have metres",
    100.0: "metres where the others have centimetres",
    0.1: "millimetres where the others have centimetres",
    10.0: "centimetres where the others have millimetres",
    0.0254: "inches where the others have metres",
    0.3048: "feet where the others have metres",
}
# A camera in another unit stands so many times farther from the middle of all than is usual, or nearer.
_FAR_OFF = 4.0
# Offsets in frames that are tried, frames that are asked, and the share to which the distance from epipolar
# lines must fall.
_LATE, _LATE_FRAMES = 30, 20
# The way from coarse to fine, in frames.
_LATE_STEP = 3
_LATER = 0.75


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something wrong with the rig.

    Attributes:
        kind: `"rotated"`, `"exchanged"`, `"late"`, `"unit"`, `"inverted"`, `"moved"` or `"geometry"`.
        cameras: Names of the cameras concerned.
        text: One line that names them, with the evidence.
        before, after: Median error in pixels as calibrated, and with the cure.
    """

    kind: str
    cameras: tuple[str, ...]
    text: str
    before: float
    after: float


def inverted(rig: Rig, rays: Floats, weights: Floats) -> list[Finding]:
    """All cameras taken the other way round: camera to world for world to camera.

    Args:
        rig: V cameras.
        rays: `(V, N, 2)` of one person's keypoints.
        weights: `(V, N)`, 0 for what does not count.
    """
    turned = make_rig(
        [
            dataclasses.replace(
                camera, rotation=camera.rotation.T, translation=-camera.rotation.T @ camera.translation
            )
            for camera in rig.cameras
        ]
    )
    before, after = median_error(rig, rays, weights), median_error(turned, rays, weights)
    text = (
        f"the calibration seems to hold camera-to-world where world-to-camera is expected, for all cameras "
        f"from {rig.names[0]} to {rig.names[-1]}: {before:.1f} px as it is, {after:.1f} px the other way"
    )
    return [Finding("inverted", rig.names, text, before, after)]


def exchanged(rig: Rig, keypoints: Singles, weights: Floats) -> list[Finding]:
    """The two cameras whose calibrations, exchanged, give the least error.

    Args:
        rig: V cameras.
        keypoints: `(V, F, J, 3)` pixels of one person.
        weights: `(V, F * J)`.
    """
    findings = []
    views = len(rig)
    before = np.nan
    for a, b in itertools.combinations(range(views), 2):
        order = list(range(views))
        order[a], order[b] = b, a
        other = rig.take(order)
        error = median_error(other, other.rays(keypoints).reshape(views, -1, 2), weights)
        if np.isnan(before):
            before = median_error(rig, rig.rays(keypoints).reshape(views, -1, 2), weights)
        text = (
            f"cameras {rig.names[a]} and {rig.names[b]} seem exchanged: {before:.1f} px over all keypoints "
            f"as they are, {error:.1f} px with the two calibrations exchanged"
        )
        findings.append(Finding("exchanged", (rig.names[a], rig.names[b]), text, before, error))
    return sorted(findings, key=lambda finding: finding.after)[:1]


def other_unit(rig: Rig, rays: Floats, weights: Floats) -> list[Finding]:
    """The camera that stands far out, or in the middle of all, in the unit that gives the least error.

    Args:
        rig, rays, weights: See `inverted`.
    """
    before = median_error(rig, rays, weights)
    findings = []
    # How far each camera stands from the middle of all: one in another unit is far out, or in the middle.
    middle = np.median(rig.centres, axis=0)
    away = np.linalg.norm(rig.centres - middle, axis=1)
    usual = max(float(np.median(away)), 1e-6)
    for view, (factor, words) in itertools.product(range(len(rig)), _UNITS.items()):
        if usual / _FAR_OFF < away[view] < usual * _FAR_OFF:
            continue
        cameras = list(rig.cameras)
        cameras[view] = cameras[view].scaled(factor)
        after = median_error(make_rig(cameras), rays, weights)
        text = (
            f"camera {rig.names[view]} seems to be in another unit ({words}): {before:.1f} px over all "
            f"keypoints as it is, {after:.1f} px with its position times {factor:g}"
        )
        findings.append(Finding("unit", (rig.names[view],), text, before, after))
    return sorted(findings, key=lambda finding: finding.after)[:1]


def late(rig: Rig, keypoints: Singles, weights: Floats) -> list[Finding]:
    """The camera that fits best at another time, by the distances from epipolar lines; empty where none does.

    Args:
        rig: V cameras.
        keypoints: `(V, F, J, 3)` pixels of one person, sides put right.
        weights: `(V, F, J)`.
    """
    total, views = keypoints.shape[1], len(rig)
    reach = min(_LATE, total // 3)
    frames = telling_frames(keypoints, weights)
    inner = frames[(frames >= reach) & (frames < total - reach)]
    if reach < 2 or len(inner) < 4:
        return []
    inner = inner[np.unique(np.linspace(0, len(inner) - 1, _LATE_FRAMES).astype(int))]
    near = np.unique(inner[:, None] + np.arange(-reach, reach + 1))
    rays = np.full((*keypoints.shape[:3], 2), np.nan)
    rays[:, near] = np.where(weights[:, near, :, None] > 0, rig.rays(keypoints[:, near]), np.nan)
    pairs = view_pairs(views)
    still = [epipolar_distances(rig, a, b, rays[a, inner], rays[b, inner]) for a, b in pairs]
    cap = 4 * float(median_known(np.stack(still).ravel()))
    if not np.isfinite(cap):
        return []

    def costs(view: int, lags: npt.NDArray[np.int64]) -> Floats:
        """`(L,)` mean pixels at each lag of a view."""
        moved = inner + lags[:, None]
        apart = []
        for a, b in pairs:
            if view in (a, b):
                still, moving = (b, a) if view == a else (a, b)
                apart.append(
                    epipolar_distances(rig, still, moving, rays[still, inner][None], rays[moving, moved])
                )
        return mean_known(np.minimum(np.concatenate(apart, axis=1), cap).reshape(len(lags), -1))

    coarse = np.arange(-(reach // _LATE_STEP), reach // _LATE_STEP + 1) * _LATE_STEP
    cost = np.stack([costs(view, coarse) for view in range(views)])
    now = cost[:, reach // _LATE_STEP]
    share = np.where(np.isfinite(cost), cost, np.inf).min(axis=1) / now
    view = int(np.argmin(np.where(np.isfinite(share), share, np.inf)))
    if not np.isfinite(share[view]) or share[view] >= 1:
        return []
    best = int(coarse[np.nanargmin(cost[view])])
    fine = np.arange(max(best - _LATE_STEP + 1, -reach), min(best + _LATE_STEP, reach + 1))
    found = costs(view, fine)
    lag, after = int(fine[np.nanargmin(found)]), float(np.nanmin(found))
    if not after < _LATER * now[view] or lag == 0:
        return []
    # What it shows at the lag belongs to now: it began so much later than its numbers say.
    name = rig.names[view]
    word = "late" if lag < 0 else "early"
    text = (
        f"camera {name} seems to be {abs(lag)} frames {word}: {now[view]:.1f} px from the epipolar lines of "
        f"the others as it is, {after:.1f} px with --offsets {name}={-lag} (or --sync auto)"
    )
    return [Finding("late", (name,), text, float(now[view]), after)]


def moved(rig: Rig, rays: Floats, weights: Floats) -> list[Finding]:
    """The camera that, put anew to where it sees the points of the others, gives the least error.

    Args:
        rig, rays, weights: See `inverted`.
    """
    if len(rig) < 3:
        return []
    before = median_error(rig, rays, weights)
    findings = []
    for view in range(len(rig)):
        others = weights.copy()
        others[view] = 0.0
        points = triangulate_linear(rig, rays, others)
        seen = (weights[view] > 0) & np.isfinite(points).all(axis=1)
        if seen.sum() < 12:
            continue
        camera = rig.cameras[view]
        rotation, translation = _resection(
            camera.rotation, camera.translation, points[seen], rays[view, seen]
        )
        turn = rotation @ camera.rotation.T
        angle = float(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
        shift = float(np.linalg.norm(rotation.T @ translation - camera.rotation.T @ camera.translation))
        cameras = list(rig.cameras)
        cameras[view] = dataclasses.replace(camera, rotation=rotation, translation=translation)
        after = median_error(make_rig(cameras), rays, weights)
        moved = f" and moved by {shift:.2f} m" if shift > 0.1 else ""
        text = (
            f"camera {camera.name} seems to be rotated by {angle:.2f} rad ({np.degrees(angle):.1f} "
            f"degrees){moved} against its calibration: {before:.1f} px over all keypoints as it is, "
            f"{after:.1f} px put right"
        )
        findings.append(Finding("rotated", (camera.name,), text, before, after))
    return sorted(findings, key=lambda finding: finding.after)[:1]


def _resection(rotation: Floats, translation: Floats, points: Floats, rays: Floats) -> tuple[Floats, Floats]:
    """Rotation and translation of a camera that sees points `(N, 3)` at rays `(N, 2)`, from near ones.

    Gauss-Newton on the rays' distances, first of the rotation in place, then of both.
    """
    centre = -rotation.T @ translation
    for step in range(14):
        seen = points @ rotation.T - rotation @ centre
        front = seen[:, 2] > 0.05
        if front.sum() < 6:
            break
        x, y, z = seen[front].T
        u, v = x / z, y / z
        off = rays[front] - np.stack([u, v], axis=1)
        size = np.linalg.norm(off, axis=1)
        weight = 1 / (1 + (size / max(2 * float(np.median(size)), 1e-9)) ** 2) ** 2
        zero = np.zeros_like(u)
        # Derivatives by a small rotation in the camera's frame, and by a shift of the camera in it.
        turn = np.stack(
            [np.stack([-u * v, 1 + u * u, -v], axis=1), np.stack([-1 - v * v, u * v, u], axis=1)], axis=1
        )
        shift = -np.stack(
            [np.stack([1 / z, zero, -u / z], axis=1), np.stack([zero, 1 / z, -v / z], axis=1)], axis=1
        )
        jacobian = turn if step < 6 else np.concatenate([turn, shift], axis=2)
        rows = jacobian.reshape(-1, jacobian.shape[2])
        scaled = rows * np.repeat(weight, 2)[:, None]
        damping = 1e-9 * np.trace(scaled.T @ rows) * np.eye(rows.shape[1])
        change = np.linalg.solve(scaled.T @ rows + damping, scaled.T @ off.ravel())
        if step >= 6:
            centre = centre + rotation.T @ change[3:]
        rotation = rotation_vector_to_matrix(change[:3]) @ rotation
    return rotation, -rotation @ centre
