"""How well views agree before anything is left out."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import numpy.typing as npt

from tf_pose3d.multicamera.known import median_known
from tf_pose3d.multicamera.rig import Rig
from tf_pose3d.multicamera.swaps import epipolar_distances
from tf_pose3d.multicamera.triangulation import reprojection_errors, triangulate_linear

__all__ = ["Geometry", "measure_geometry", "median_error", "telling_frames"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

# Frames that tell the geometry, spread over the clip.
_FRAMES = 120
# Share of the points that tell of each pair of five cameras.
_PAIR_SHARE = 0.7


@dataclasses.dataclass(frozen=True, eq=False)
class Geometry:
    """How well the views agree before anything is left out.

    Attributes:
        error: Median pixels over all confident keypoints.
        mean: Mean pixels over the same.
        camera: `(V,)` median pixels of each view.
        pairs: `(V, V)` median pixels from the epipolar lines, NaN on the diagonal and where two views share
            nothing.
        size: Median diagonal of a person's box in pixels.
        count: How many points tell this.
    """

    error: float
    mean: float
    camera: Floats
    pairs: Floats
    size: float
    count: int


def telling_frames(keypoints: Singles, weights: Floats) -> npt.NDArray[np.int64]:
    """Frames that tell: spread over those in which two views see someone."""
    seen = ((weights > 0).sum(axis=2) >= 3).sum(axis=0) >= 2
    frames = np.flatnonzero(seen)
    if len(frames) > _FRAMES:
        frames = frames[np.linspace(0, len(frames) - 1, _FRAMES).astype(int)]
    return frames


def median_error(rig: Rig, rays: Floats, weights: Floats) -> float:
    """Median pixels of all confident keypoints `(V, N)` from points made of all of them."""
    errors = _errors(rig, rays, weights)
    told = errors[~np.isnan(errors)]
    return float(np.median(told)) if len(told) else np.inf


def _errors(rig: Rig, rays: Floats, weights: Floats) -> Floats:
    points = triangulate_linear(rig, rays, weights)
    errors = reprojection_errors(rig, points, rays)
    count = (weights > 0).sum(axis=0)
    # Rays that do not cross at all, or behind a camera, are as wrong as can be.
    errors = np.where(np.isfinite(errors), errors, 1e6)
    return np.where((weights > 0) & (count >= 2), errors, np.nan)


def measure_geometry(rig: Rig, keypoints: Singles, weights: Floats) -> Geometry:
    """How well the views agree.

    Args:
        rig: V cameras.
        keypoints: `(V, F, J, 3)` of one person.
        weights: `(V, F, J)`, 0 for what does not count.
    """
    frames = telling_frames(keypoints, weights)
    part, weight = keypoints[:, frames], weights[:, frames]
    rays = rig.rays(part)
    views = len(rig)
    flat, flat_weight = rays.reshape(views, -1, 2), weight.reshape(views, -1)
    errors = _errors(rig, flat, flat_weight)
    told = errors[~np.isnan(errors)]
    pairs = np.full((views, views), np.nan)
    # Many cameras have many pairs: each is told by fewer points, so that the whole grows with the cameras.
    thin = max(round(flat.shape[1] * _PAIR_SHARE * 4 / max(views - 1, 1)), 1)
    every = np.unique(np.linspace(0, flat.shape[1] - 1, min(thin, flat.shape[1])).astype(int))
    seen = np.where(flat_weight[:, every, None] > 0, flat[:, every], np.nan)
    for a, b in itertools.combinations(range(views), 2):
        apart = epipolar_distances(rig, a, b, seen[a], seen[b])
        # Of the two numbers of an error, a line sees one.
        pairs[a, b] = pairs[b, a] = float(median_known(apart)) if np.isfinite(apart).any() else np.nan
    box = []
    for axis in (0, 1):
        values = part[..., axis].astype(np.float64)
        top = np.where(weight > 0, values, -np.inf).max(axis=-1, initial=-np.inf)
        bottom = np.where(weight > 0, values, np.inf).min(axis=-1, initial=np.inf)
        box.append(np.where(np.isfinite(top) & np.isfinite(bottom), top - bottom, np.nan))
    sizes = np.hypot(*box)
    size = float(median_known(sizes.ravel()))
    return Geometry(
        error=float(np.median(told)) if len(told) else np.nan,
        mean=float(np.minimum(told, 1e4).mean()) if len(told) else np.nan,
        camera=median_known(errors, axis=1),
        pairs=pairs,
        size=size if np.isfinite(size) else 500.0,
        count=int((~np.isnan(errors)).any(axis=0).sum()),
    )
