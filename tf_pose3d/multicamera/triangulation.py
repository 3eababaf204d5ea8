"""Points from rays of several views: all frames and joints at once, bad views found one by one.

Everything works on N points (frames times joints, in any order) of V views. Sums over views are 3x3 normal
equations, so that the cost is linear in views; a point whose views do not agree loses the view without which
the others agree best, in closed form from the same sums, and again while they do not agree. So no subset of
views is ever listed.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tf_pose3d.multicamera.rig import Rig

__all__ = [
    "Points",
    "covariances",
    "reprojection_errors",
    "solve_symmetric",
    "triangulate_linear",
    "triangulate_robust",
]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# Metres: nearer to a camera's plane than this, or behind it, nothing is seen.
_NEAREST = 0.05
# Passes of the linear solution with weights of the depth found before.
_PASSES = 3
# Points below which all views are worked on at once.
_FEW = 1500
# A determinant below this share of the trace cubed: the rays do not cross.
_SINGULAR = 1e-12
# Standard deviation in metres along the worst axis above which two rays tell no depth.
_VAGUE = 0.25


@dataclasses.dataclass(frozen=True, eq=False)
class Points:
    """N triangulated points.

    Attributes:
        position: `(N, 3)` metres, world; NaN where fewer than two views agree.
        used: `(V, N)` the views that made it.
        error: `(V, N)` pixels from each view's keypoint to the point's image, of all views with a keypoint,
            used or not; NaN where there is no keypoint or no point.
    """

    position: Floats
    used: Bools
    error: Floats


def solve_symmetric(matrix: Floats, vector: Floats) -> Floats:
    """Solutions of N symmetric 3x3 systems.

    Args:
        matrix: `(6, N)`: elements 00, 01, 02, 11, 12, 22.
        vector: `(3, N)`.

    Returns:
        `(3, N)`, NaN where a matrix is singular.
    """
    a, b, c, d, e, f = matrix
    c00, c01, c02 = d * f - e * e, c * e - b * f, b * e - c * d
    c11, c12, c22 = a * f - c * c, b * c - a * e, a * d - b * b
    determinant = a * c00 + b * c01 + c * c02
    scale = (a + d + f) ** 3
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(determinant > _SINGULAR * scale, 1 / determinant, np.nan)
    x, y, z = vector
    return np.stack(
        [c00 * x + c01 * y + c02 * z, c01 * x + c11 * y + c12 * z, c02 * x + c12 * y + c22 * z]
    ) * (inverse)


def covariances(matrix: Floats) -> Floats:
    """`(N,)` largest diagonal element of the inverses of matrices `(6, N)`; NaN where singular."""
    a, b, c, d, e, f = matrix
    c00, c11, c22 = d * f - e * e, a * f - c * c, a * d - b * b
    determinant = a * c00 + b * (c * e - b * f) + c * (b * e - c * d)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(determinant > _SINGULAR * (a + d + f) ** 3, 1 / determinant, np.nan)
    return np.maximum(np.maximum(c00, c11), c22) * inverse


def _rows(rig: Rig, view: int, rays: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Two rows `(3, N)` and right sides `(N,)` of the linear equations of one view."""
    rotation, translation = rig.rotation[view], rig.translation[view]
    x, y = rays[:, 0], rays[:, 1]
    first = rotation[0][:, None] - rotation[2][:, None] * x
    second = rotation[1][:, None] - rotation[2][:, None] * y
    return first, second, translation[2] * x - translation[0], translation[2] * y - translation[1]


def _normal(
    first: Floats, second: Floats, b1: Floats, b2: Floats, weight: Floats
) -> tuple[Floats, Floats, Floats]:
    """Normal matrix `(6, N)`, right side `(3, N)` and constant `(N,)` of one view's weighted rows."""
    f, s = first * weight, second * weight
    matrix = np.stack(
        [
            f[0] * first[0] + s[0] * second[0],
            f[0] * first[1] + s[0] * second[1],
            f[0] * first[2] + s[0] * second[2],
            f[1] * first[1] + s[1] * second[1],
            f[1] * first[2] + s[1] * second[2],
            f[2] * first[2] + s[2] * second[2],
        ]
    )
    return matrix, f * b1 + s * b2, (b1 * b1 + b2 * b2) * weight


def _depths(rig: Rig, view: int, points: Floats) -> Floats:
    return points @ rig.rotation[view, 2] + rig.translation[view, 2]


def _sums(rig: Rig, rays: Floats, weights: Floats, points: Floats | None) -> tuple[Floats, Floats, Floats]:
    """Each view's normal equations: `(V, 6, N)`, `(V, 3, N)`, `(V, N)`, in pixels squared once depths are
    known.

    Args:
        rig: V cameras.
        rays: `(V, N, 2)`, finite.
        weights: `(V, N)` of squared pixels, 0 where there is no ray.
        points: `(N, 3)`, whose depths weigh the rows; None: all depths are one.
    """
    if rays.shape[1] < _FEW:
        return _sums_at_once(rig, rays, weights, points)
    matrices, sides, constants = [], [], []
    for view in range(len(rig)):
        weight = weights[view] * rig.focal[view] ** 2
        if points is not None:
            depth = _depths(rig, view, points)
            with np.errstate(invalid="ignore"):
                weight = weight / np.where(depth > _NEAREST, depth, np.inf) ** 2
        matrix, side, constant = _normal(*_rows(rig, view, rays[view]), weight)
        matrices.append(matrix)
        sides.append(side)
        constants.append(constant)
    return np.stack(matrices), np.stack(sides), np.stack(constants)


_ROW, _COLUMN = [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2]


def _sums_at_once(
    rig: Rig, rays: Floats, weights: Floats, points: Floats | None
) -> tuple[Floats, Floats, Floats]:
    """`_sums` of all views in one array: for few points the number of operations is what takes time."""
    weight = weights * rig.focal[:, None] ** 2
    if points is not None:
        depth = rig.rotation[:, 2] @ points.T + rig.translation[:, 2:]
        with np.errstate(invalid="ignore"):
            weight = weight / np.where(depth > _NEAREST, depth, np.inf) ** 2
    x, y = rays[..., 0], rays[..., 1]
    rotation, shift = rig.rotation[..., None], rig.translation[..., None]
    first = rotation[:, 0] - rotation[:, 2] * x[:, None]
    second = rotation[:, 1] - rotation[:, 2] * y[:, None]
    b1, b2 = shift[:, 2] * x - shift[:, 0], shift[:, 2] * y - shift[:, 1]
    f, s = first * weight[:, None], second * weight[:, None]
    matrix = f[:, _ROW] * first[:, _COLUMN] + s[:, _ROW] * second[:, _COLUMN]
    return matrix, f * b1[:, None] + s * b2[:, None], (b1 * b1 + b2 * b2) * weight


def triangulate_linear(rig: Rig, rays: Floats, weights: Floats, passes: int = _PASSES) -> Floats:
    """Weighted least squares of the linear equations, weighed anew by the depths of each pass.

    Args:
        rig: V cameras.
        rays: `(V, N, 2)`; NaN where missing.
        weights: `(V, N)`, 0 for views that do not count.
        passes: How often; after three the result is that of the reprojection error to well below its noise.

    Returns:
        `(N, 3)` metres, world; NaN where fewer than two views count or their rays do not cross.
    """
    weights = np.where(np.isfinite(rays).all(axis=-1), weights, 0.0)
    rays = np.nan_to_num(rays)
    enough = (weights > 0).sum(axis=0) >= 2
    points: Floats | None = None
    for _ in range(passes):
        matrix, side, _ = _sums(rig, rays, weights, points)
        points = solve_symmetric(matrix.sum(axis=0), side.sum(axis=0)).T
    assert points is not None
    return np.where(enough[:, None], points, np.nan)


def reprojection_errors(rig: Rig, points: Floats, rays: Floats) -> Floats:
    """`(V, N)` pixels between rays `(V, N, 2)` and the images of points `(N, 3)`, lens distortion taken out.

    NaN where either is missing, infinite where a point lies behind the camera.
    """
    errors = np.empty(rays.shape[:2])
    for view in range(len(rig)):
        seen = points @ rig.rotation[view].T + rig.translation[view]
        depth = seen[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            x, y = seen[:, 0] / depth - rays[view, :, 0], seen[:, 1] / depth - rays[view, :, 1]
            errors[view] = np.sqrt(x * x + y * y) * rig.focal[view]
            errors[view][depth <= _NEAREST] = np.inf
    return errors


def triangulate_robust(
    rig: Rig, rays: Floats, weights: Floats, threshold: float | Floats, least: int = 2
) -> Points:
    """Points of the views that agree.

    Where a view's keypoint lies farther from the point's image than the threshold, the view is left out
    without which the rest of the squared error is least; and so on while there are more than `least`. What
    remains of two views that do not agree is no point.

    Args:
        rig: V cameras.
        rays: `(V, N, 2)`; NaN where missing.
        weights: `(V, N)`, 0 for views that do not count.
        threshold: Pixels, one or `(N,)`.
        least: Views that a point needs.
    """
    weights = np.where(np.isfinite(rays).all(axis=-1), weights, 0.0)
    filled = np.nan_to_num(rays)
    points = triangulate_linear(rig, rays, weights)
    used = weights > 0
    limit = np.broadcast_to(np.asarray(threshold, np.float64), points.shape[:1])
    errors = reprojection_errors(rig, points, rays)
    for _ in range(len(rig)):
        worst = np.where(used, np.nan_to_num(errors, nan=np.inf), 0).max(axis=0)
        bad = np.flatnonzero((worst > limit) & (used.sum(axis=0) > least))
        if not len(bad):
            break
        kept = np.where(used[:, bad], weights[:, bad], 0.0)
        out = _worst_view(rig, filled[:, bad], kept, points[bad])
        used[out, bad] = False
        points[bad] = triangulate_linear(rig, rays[:, bad], np.where(used[:, bad], weights[:, bad], 0.0))
        errors[:, bad] = reprojection_errors(rig, points[bad], rays[:, bad])
    worst = np.where(used, np.nan_to_num(errors, nan=np.inf), 0).max(axis=0)
    wrong = (used.sum(axis=0) < least) | (worst > limit) | ~np.isfinite(points).all(axis=1)
    points[wrong], errors[:, wrong], used[:, wrong] = np.nan, np.nan, False
    return Points(points, used, errors)


def _worst_view(rig: Rig, rays: Floats, weights: Floats, points: Floats) -> npt.NDArray[np.int64]:
    """`(N,)` the view without which the others agree best: the least of what then remains."""
    finite = np.asarray(np.isfinite(points).all(axis=1))
    start = np.where(finite[:, None], points, np.nanmedian(rig.centres, axis=0))
    matrix, side, constant = _sums(rig, rays, weights, start if finite.any() else None)
    # A view that does not see the start at all (it lies behind) has no weight there and is the first to go.
    behind = np.stack([_depths(rig, view, start) <= _NEAREST for view in range(len(rig))]) & (weights > 0)
    total, right, rest = matrix.sum(axis=0), side.sum(axis=0), constant.sum(axis=0)
    remains = np.full(weights.shape, np.inf)
    for view in range(len(rig)):
        b = right - side[view]
        solution = solve_symmetric(total - matrix[view], b)
        left = rest - constant[view] - np.einsum("in,in->n", b, solution)
        counts = np.asarray(weights[view] > 0)
        remains[view, counts] = np.where(np.isfinite(left), left, np.inf)[counts]
    remains[behind] = -1.0
    # Where nothing can be solved without a view, any of those that count.
    remains[~(weights > 0)] = np.nan
    all_missing = np.isnan(remains).all(axis=0)
    remains[0, all_missing] = 0.0
    return np.nanargmin(remains, axis=0)
