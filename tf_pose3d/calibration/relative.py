"""Where two cameras stand to each other, and where a camera stands to known points: from rays alone.

Rays are X/Z, Y/Z of undistorted points. Both problems are solved for many random small samples at once, the
best of which is refined on all that agree with it (RANSAC).
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

__all__ = ["Pair", "relative_pose", "resected", "sampson_distances", "two_view_points"]

Floats = npt.NDArray[np.float64]

_TRIALS = 600
# The best samples are refined, for the one that agrees with most.
_FINALISTS = 6
# A sample is judged by so many correspondences at most.
_JUDGES = 2000


@dataclasses.dataclass(frozen=True)
class Pair:
    """How the second camera stands to the first.

    Attributes:
        rotation: `(3, 3)` from the first camera's frame to the second's.
        translation: `(3,)` of length 1.
        inliers: `(N,)` bool, the correspondences that agree.
        angle: Median angle between the rays of the agreeing ones, radians.
    """

    rotation: Floats
    translation: Floats
    inliers: npt.NDArray[np.bool_]
    angle: float


def _homogeneous(rays: Floats) -> Floats:
    return np.concatenate([rays, np.ones((*rays.shape[:-1], 1))], axis=-1)


def sampson_distances(essential: Floats, first: Floats, second: Floats) -> Floats:
    """First-order distances of correspondences from the epipolar constraint, in units of the rays.

    Args:
        essential: `(..., 3, 3)`, `x2^T E x1 = 0`.
        first, second: `(N, 2)` rays.

    Returns:
        `(..., N)`.
    """
    one, two = _homogeneous(first), _homogeneous(second)
    lines = one @ np.swapaxes(essential, -1, -2)
    back = two @ essential
    value = np.abs((lines * two).sum(axis=-1))
    length = (lines[..., :2] ** 2).sum(axis=-1) + (back[..., :2] ** 2).sum(axis=-1)
    return value / np.sqrt(np.maximum(length, 1e-30))


def _essentials(first: Floats, second: Floats, weights: Floats | None = None) -> Floats:
    """Essential matrices `(..., 3, 3)` of correspondences `(..., N, 2)`, N >= 8, by eight points or more."""
    (one, turn_one), (two, turn_two) = _normalised(first), _normalised(second)
    rows = (two[..., :, None] * one[..., None, :]).reshape(*one.shape[:-1], 9)
    if weights is not None:
        rows = rows * weights[..., None]
    solution = np.linalg.eigh(np.swapaxes(rows, -1, -2) @ rows)[1][..., 0].reshape(*one.shape[:-2], 3, 3)
    solution = np.swapaxes(turn_two, -1, -2) @ solution @ turn_one
    left, _, right = np.linalg.svd(solution)
    return left @ np.diag([1.0, 1.0, 0.0]) @ right


def _normalised(rays: Floats) -> tuple[Floats, Floats]:
    """Homogeneous rays with mean 0 and distance 1.4 on average, and the matrices that do it."""
    middle = rays.mean(axis=-2, keepdims=True)
    spread = np.sqrt(((rays - middle) ** 2).sum(axis=-1).mean(axis=-1))
    scale = np.sqrt(2) / np.maximum(spread, 1e-12)
    matrix = np.zeros((*rays.shape[:-2], 3, 3))
    matrix[..., 0, 0] = matrix[..., 1, 1] = scale
    matrix[..., :2, 2] = -scale[..., None] * middle[..., 0, :]
    matrix[..., 2, 2] = 1
    return _homogeneous(rays) @ np.swapaxes(matrix, -1, -2), matrix


def two_view_points(rotation: Floats, translation: Floats, first: Floats, second: Floats) -> Floats:
    """Points `(..., N, 3)` in the first camera's frame, by the middle of the rays' closest approach."""
    one, two = _homogeneous(first), _homogeneous(second) @ rotation
    centre = -(translation[..., None, :] @ rotation)
    a, b, c = (one * one).sum(-1), (one * two).sum(-1), (two * two).sum(-1)
    d, e = (one * centre).sum(-1), (two * centre).sum(-1)
    below = np.maximum(a * c - b * b, 1e-12)
    s, t = (c * d - b * e) / below, (b * d - a * e) / below
    return (s[..., None] * one + centre + t[..., None] * two) / 2


def relative_pose(first: Floats, second: Floats, tolerance: float, draws: np.random.Generator) -> Pair | None:
    """How the second camera stands to the first; None where too few correspondences agree.

    Args:
        first, second: `(N, 2)` rays of the same points.
        tolerance: Distance from the epipolar constraint, in units of the rays, up to which they agree.
        draws: Of the samples.
    """
    count = len(first)
    if count < 16:
        return None
    samples = draws.integers(0, count, (_TRIALS, 8))
    trials = _essentials(first[samples], second[samples])
    judges = draws.permutation(count)[:_JUDGES]
    distances = np.minimum(sampson_distances(trials, first[judges], second[judges]), tolerance)
    finalists = trials[np.argsort((distances**2).sum(axis=-1))[:_FINALISTS]]
    best: tuple[float, Floats] | None = None
    for essential in finalists:
        for _ in range(6):
            distance = sampson_distances(essential, first, second)
            inliers = distance < tolerance
            if inliers.sum() < 16:
                break
            weights = 1 / (1 + (distance[inliers] / (0.3 * tolerance)) ** 2)
            essential = _essentials(first[inliers], second[inliers], weights)
        else:
            distance = np.minimum(sampson_distances(essential, first, second), tolerance)
            score = float((distance**2).sum())
            if best is None or score < best[0]:
                best = score, essential
    if best is None:
        return None
    return _placed(best[1], first, second, sampson_distances(best[1], first, second) < tolerance)


def _placed(essential: Floats, first: Floats, second: Floats, inliers: npt.NDArray[np.bool_]) -> Pair | None:
    """The one of the four poses of an essential matrix that has the points in front of both cameras."""
    left, _, right = np.linalg.svd(essential)
    left, right = left * np.sign(np.linalg.det(left)), right * np.sign(np.linalg.det(right))
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    best: tuple[int, Floats, Floats, Floats] | None = None
    one, two = first[inliers], second[inliers]
    for turn in (quarter, quarter.T):
        for sign in (1.0, -1.0):
            rotation, translation = left @ turn @ right, sign * left[:, 2]
            points = two_view_points(rotation, translation, one, two)
            front = (points[:, 2] > 0) & ((points @ rotation.T + translation)[:, 2] > 0)
            if best is None or front.sum() > best[0]:
                best = int(front.sum()), rotation, translation, front
    if best is None or best[0] < 0.6 * inliers.sum() or best[0] < 16:
        return None
    _, rotation, translation, front = best
    rays, others = _homogeneous(one[front]), _homogeneous(two[front]) @ rotation
    cosine = (rays * others).sum(-1) / np.linalg.norm(rays, axis=-1) / np.linalg.norm(others, axis=-1)
    kept = inliers.copy()
    kept[inliers] = front
    return Pair(rotation, translation, kept, float(np.median(np.arccos(np.clip(cosine, -1, 1)))))


def resected(
    points: Floats, rays: Floats, tolerance: float, draws: np.random.Generator
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]] | None:
    """Where a camera stands that sees known points: rotation `(3, 3)`, translation `(3,)`, agreeing points.

    Args:
        points: `(N, 3)`.
        rays: `(N, 2)`.
        tolerance: Distance between rays up to which they agree.
        draws: Of the samples.

    Returns:
        None where too few agree.
    """
    count = len(points)
    if count < 12:
        return None
    samples = draws.integers(0, count, (_TRIALS, 6))
    trials = _resections(points[samples], rays[samples])
    judges = draws.permutation(count)[:_JUDGES]
    distances = np.minimum(_ray_distances(trials, points[judges], rays[judges]), tolerance)
    best = trials[np.argmin((distances**2).sum(axis=-1))]
    inliers = _ray_distances(best, points, rays) < tolerance
    for _ in range(5):
        if inliers.sum() < 12:
            return None
        best = _resections(points[inliers][None], rays[inliers][None])[0]
        inliers = _ray_distances(best, points, rays) < tolerance
    return best[:, :3], best[:, 3], inliers


def _ray_distances(cameras: Floats, points: Floats, rays: Floats) -> Floats:
    seen = points @ np.swapaxes(cameras[..., :3], -1, -2) + cameras[..., None, :, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = np.linalg.norm(seen[..., :2] / seen[..., 2:] - rays, axis=-1)
    return np.where((seen[..., 2] > 0) & np.isfinite(distance), distance, np.inf)


def _resections(points: Floats, rays: Floats) -> Floats:
    """`(T, 3, 4)` [R | t] of samples of six or more points, by the direct linear transformation."""
    middle = points.mean(axis=-2, keepdims=True)
    spread = np.sqrt(((points - middle) ** 2).sum(axis=-1).mean(axis=-1))[..., None, None] + 1e-12
    known = _homogeneous((points - middle) / spread)
    zero = np.zeros_like(known)
    rows = np.concatenate(
        [
            np.concatenate([known, zero, -rays[..., :1] * known], axis=-1),
            np.concatenate([zero, known, -rays[..., 1:] * known], axis=-1),
        ],
        axis=-2,
    )
    solution = np.linalg.eigh(np.swapaxes(rows, -1, -2) @ rows)[1][..., 0].reshape(*points.shape[:-2], 3, 4)
    left, size, right = np.linalg.svd(solution[..., :3])
    sign = np.sign(np.linalg.det(left @ right))[..., None, None]
    rotation = sign * left @ right
    scale = sign / np.maximum(size.mean(axis=-1)[..., None, None], 1e-30)
    translation = solution[..., 3:] * scale
    # x = R (X - m) / s + t', so that [R | s t' - R m] up to the scale s.
    shift = translation * spread - rotation @ np.swapaxes(middle, -1, -2)
    return np.concatenate([rotation, shift], axis=-1)
