"""Cameras and points from correspondences alone: a first pair, then camera after camera."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.calibration.bundle import adjust, point_layout
from tf_pose3d.calibration.relative import Pair, relative_pose, resected, two_view_points
from tf_pose3d.data.calibration.evidence import triangulated
from tf_pose3d.data.calibration.record import CalibratedCamera
from tf_pose3d.errors import Pose3DError

__all__ = ["EXTRINSICS", "reconstructed"]

Floats = npt.NDArray[np.float64]

# What a camera's place may do, with nothing known of it.
EXTRINSICS = {"turn": np.inf, "shift": np.inf}
# Rays of a pair should meet at this angle or more; flatter ones leave depth open.
_FLAT, _WIDE = np.radians(5), np.radians(40)


def reconstructed(
    cameras: Sequence[CalibratedCamera],
    pixels: Floats,
    weights: Floats,
    tolerance: float,
    spread: Sequence[dict[str, float]],
    draws: np.random.Generator,
) -> tuple[list[CalibratedCamera], Floats]:
    """Places of cameras, up to one scale, and points.

    Args:
        cameras: C cameras whose lenses are about right; their places are ignored.
        pixels: `(C, N, 2)`.
        weights: `(C, N)`, 0 where a point is not seen.
        tolerance: Pixels up to which views agree at first.
        spread: Per camera, what of its lens may change (`bundle.adjust`).
        draws: Of random samples.

    Returns:
        The cameras, in the frame of one of them, and `(N, 3)` points, NaN where fewer than two see one.

    Raises:
        Pose3DError: Cameras that see too little together; the message names them.
    """
    rays = np.stack([camera.rays(part) for camera, part in zip(cameras, pixels, strict=True)])
    seen = (weights > 0) & np.isfinite(rays).all(axis=-1)
    focal = np.array([camera.matrix[0, 0] for camera in cameras])
    one, two, pair = _first_pair(cameras, rays, seen, tolerance / focal, draws)
    placed = {
        one: _at(cameras[one], np.eye(3), np.zeros(3)),
        two: _at(cameras[two], pair.rotation, pair.translation),
    }
    both = np.flatnonzero(seen[one] & seen[two])[pair.inliers]
    points = np.full((pixels.shape[1], 3), np.nan)
    points[both] = two_view_points(pair.rotation, pair.translation, rays[one, both], rays[two, both])
    placed, points = _refined(placed, points, pixels, weights, tolerance, spread)
    while len(placed) < len(cameras):
        known = np.isfinite(points).all(axis=1)
        waiting = [number for number in range(len(cameras)) if number not in placed]
        waiting.sort(key=lambda number: -int((seen[number] & known).sum()))
        # Strictly first: a focal length that is wrong by a fifth misplaces points by dozens of pixels.
        for number, strictness in ((number, factor) for factor in (2, 5, 10) for number in waiting):
            common = np.flatnonzero(seen[number] & known)
            reach = strictness * tolerance / focal[number]
            found = resected(points[common], rays[number, common], reach, draws)
            if found is not None and found[2].sum() >= 0.4 * len(common):
                break
        else:
            names = ", ".join(cameras[number].name for number in waiting)
            raise Pose3DError(
                f"{names}: too few keypoints agree with the other cameras; are they of the same time "
                "(--offsets) and of one person, and are the intrinsics about right?"
            )
        placed[number] = _at(cameras[number], found[0], found[1])
        placed, points = _refined(placed, points, pixels, weights, tolerance, spread)
    return [placed[number] for number in range(len(cameras))], points


def _at(camera: CalibratedCamera, rotation: Floats, translation: Floats) -> CalibratedCamera:
    return dataclasses.replace(camera, rotation=rotation, translation=translation)


def _first_pair(
    cameras: Sequence[CalibratedCamera],
    rays: Floats,
    seen: npt.NDArray[np.bool_],
    tolerances: Floats,
    draws: np.random.Generator,
) -> tuple[int, int, Pair]:
    """The two cameras that agree on most points, seen under a good angle."""
    best: tuple[float, int, int, Pair] | None = None
    for one in range(len(cameras)):
        for two in range(one + 1, len(cameras)):
            common = np.flatnonzero(seen[one] & seen[two])
            tolerance = float(np.hypot(tolerances[one], tolerances[two]))
            pair = relative_pose(rays[one, common], rays[two, common], tolerance, draws)
            if pair is None:
                continue
            # Beyond a right angle rays are as flat again.
            angle = min(pair.angle, np.pi - pair.angle)
            score = float(pair.inliers.sum()) * float(np.clip(angle, _FLAT / 10, _WIDE))
            if best is None or score > best[0]:
                best = score, one, two, pair
    if best is None:
        raise Pose3DError(
            "no two cameras agree on the motion: are the videos of the same time (--offsets), of one person, "
            "and not all of one direction?"
        )
    return best[1:]


def _refined(
    placed: dict[int, CalibratedCamera],
    points: Floats,
    pixels: Floats,
    weights: Floats,
    tolerance: float,
    spread: Sequence[dict[str, float]],
) -> tuple[dict[int, CalibratedCamera], Floats]:
    """The cameras that are placed, adjusted with all points that they see, and those points."""
    numbers = sorted(placed)
    cameras = [placed[number] for number in numbers]
    fresh = triangulated(cameras, pixels[numbers], weights[numbers])
    usable = np.flatnonzero(np.isfinite(fresh).all(axis=1))
    free = [(EXTRINSICS if place else {}) | spread[number] for place, number in enumerate(numbers)]
    adjusted = adjust(
        cameras,
        fresh[usable],
        point_layout(),
        pixels[numbers][:, usable, None],
        weights[numbers][:, usable, None] / tolerance**2,
        free,
        loss=tolerance / 2,
        steps=12,
    )
    points = np.full_like(points, np.nan)
    points[usable] = adjusted.blocks
    return dict(zip(numbers, adjusted.cameras, strict=True)), points
