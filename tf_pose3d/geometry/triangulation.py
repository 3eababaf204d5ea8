"""3D points from their projections in several views."""

from __future__ import annotations

import itertools

import keras
import numpy as np
from keras import ops

from tf_pose3d.geometry.views import dehomogenise, project_points
from tf_pose3d.types import Tensor

__all__ = ["agreeing_views", "smallest_singular_vector", "triangulate"]


_SWEEPS = 5
_TINY = 1e-30


def smallest_singular_vector(columns: list[Tensor]) -> Tensor:
    """Right singular vectors of the smallest singular value, of many matrices at once.

    One-sided Jacobi rotations make the columns orthogonal. Unlike methods that square the matrix, they
    keep the accuracy of columns of very different length.

    Args:
        columns: Four columns of N matrices with R rows, each `(R, N)`.

    Returns:
        `(4, N)` unit vectors; their sign is arbitrary.
    """
    count = len(columns)
    rows = columns[0].shape[0]
    ones, zeros = ops.ones_like(columns[0][:1]), ops.zeros_like(columns[0][:1])
    # Below each column lies what the rotations have made of a column of the identity.
    tall = [
        ops.concatenate([column, *(ones if i == index else zeros for i in range(count))], axis=0)
        for index, column in enumerate(columns)
    ]
    for _ in range(_SWEEPS):
        for p, q in itertools.combinations(range(count), 2):
            first, second = tall[p], tall[q]
            alpha = ops.sum(ops.square(first[:rows]), axis=0)
            beta = ops.sum(ops.square(second[:rows]), axis=0)
            gamma = ops.sum(first[:rows] * second[:rows], axis=0)
            # tan of the angle, |angle| <= 45 degrees: 2 gamma / (d + sign(d) sqrt(d^2 + 4 gamma^2)).
            difference = beta - alpha
            root = ops.sqrt(ops.square(difference) + 4 * ops.square(gamma))
            larger = ops.where(difference < 0, difference - root, difference + root)
            tangent = 2 * gamma / ops.where(larger == 0, ops.ones_like(larger), larger)
            cosine = ops.rsqrt(1 + ops.square(tangent))
            sine = cosine * tangent
            tall[p] = cosine * first - sine * second
            tall[q] = sine * first + cosine * second
    stacked = ops.stack(tall)
    lengths = ops.sum(ops.square(stacked[:, :rows]), axis=1)
    smallest = ops.one_hot(ops.argmin(lengths, axis=0), count, axis=0, dtype=stacked.dtype)
    return ops.sum(stacked[:, rows:] * smallest[:, None], axis=0)


def _solve(points: Tensor, projection: Tensor, weights: Tensor) -> Tensor:
    """Points `(N, 3)` of `(N, V, 2)`, `(N, V, 3, 4)` and weights `(N, V)` of the views, all float64."""
    equations = points[..., None] * projection[:, :, 2:3] - projection[:, :, :2]
    equations = equations * weights[..., None, None]
    rows = ops.transpose(ops.reshape(equations, (-1, 2 * points.shape[1], 4)), (2, 1, 0))
    solution = smallest_singular_vector([rows[index] for index in range(4)])
    return dehomogenise(ops.transpose(solution, (1, 0)))


def _errors(solution: Tensor, points: Tensor, projection: Tensor) -> Tensor:
    """Reprojection errors, pixels: of `(N, 3)` in the views `(N, V, ...)`: `(N, V)`."""
    found = project_points(solution[:, None, None, :], projection)[:, :, 0]
    return ops.sqrt(ops.sum(ops.square(found - points), axis=-1))


def agreeing_views(points: Tensor, projection: Tensor, usable: Tensor, threshold: float) -> Tensor:
    """For each point the largest set of views that agree on one place.

    The release draws ten random pairs of views; here every pair is tried. Each pair is triangulated, the
    views that see the result within the threshold agree with it, and the largest set is kept; of two equally
    large ones that with the smaller mean error. Where fewer than two agree, all usable views are kept.

    Args:
        points: `(N, V, 2)` pixels.
        projection: `(N, V, 3, 4)`.
        usable: `(N, V)` bool.
        threshold: Largest reprojection error of a view that agrees, pixels.

    Returns:
        `(N, V)` bool.
    """
    views = points.shape[1]
    pairs = np.array(list(itertools.combinations(range(views), 2)))
    chosen = np.zeros((len(pairs), views), keras.backend.standardize_dtype(points.dtype))
    chosen[np.arange(len(pairs))[:, None], pairs] = 1
    count = ops.shape(points)[0]

    def for_each_pair(value: Tensor) -> Tensor:
        repeated = ops.broadcast_to(value[None], (len(pairs), *ops.shape(value)))
        return ops.reshape(repeated, (-1, *value.shape[1:]))

    weights = ops.reshape(ops.broadcast_to(chosen[:, None], (len(pairs), count, views)), (-1, views))
    all_points, all_projection, all_usable = map(for_each_pair, (points, projection, usable))
    errors = _errors(_solve(all_points, all_projection, weights), all_points, all_projection)
    agree = (errors < threshold) & all_usable
    # A pair with an unusable view proves nothing.
    agree = agree & ops.all(all_usable | (weights == 0), axis=-1, keepdims=True)
    size = ops.sum(ops.cast(agree, errors.dtype), axis=-1)
    mean = ops.sum(ops.where(agree, errors, 0.0), axis=-1) / ops.maximum(size, 1.0)
    # The mean error of a set is below the threshold, hence breaks ties only.
    score = ops.reshape(size - mean / (threshold + _TINY), (len(pairs), count))
    best = ops.argmax(score, axis=0)
    sets = ops.reshape(ops.cast(agree, "float32"), (len(pairs), count, views))
    found = ops.sum(sets * ops.one_hot(best, len(pairs), axis=0, dtype="float32")[..., None], axis=0) > 0
    enough = ops.sum(ops.cast(found, "int32"), axis=-1, keepdims=True) >= 2
    return ops.where(enough, found, usable)


def triangulate(
    points: Tensor,
    projection: Tensor,
    confidence: Tensor | None = None,
    method: str = "dlt",
    least: float = 0.0,
    threshold: float = 15.0,
) -> tuple[Tensor, Tensor]:
    """Places of joints from their pixels in V views, by the direct linear transform.

    Each view gives two homogeneous equations; the solution is the right singular vector of the smallest
    singular value, in the units of `projection`.

    Args:
        points: `(..., V, J, 2)` pixels.
        projection: `(..., V, 3, 4)`, world to those pixels.
        confidence: `(..., V, J)`; None: 1.
        method: `"dlt"`, all usable views alike; `"confidence"`, equations weighted by it; `"ransac"`, the
            views of `agreeing_views`.
        least: A view is usable for a joint when its confidence is above this; 0: all views are.
        threshold: Of `agreeing_views`, pixels.

    Returns:
        `(..., J, 3)` places in the unit of the world, NaN where fewer than two views are usable; `(..., J)`
        bool, where two or more are. No gradients flow back.

    Raises:
        ValueError: Unknown method.
    """
    if method not in ("dlt", "confidence", "ransac"):
        raise ValueError(f"method is {method!r}, expected dlt, confidence or ransac")
    # In float64, as NumPy has it in the release: where views disagree, the solution is badly conditioned.
    points = ops.cast(ops.stop_gradient(ops.convert_to_tensor(points)), "float64")
    projection = ops.cast(ops.stop_gradient(ops.convert_to_tensor(projection)), "float64")
    *lead, views, joints, _ = ops.shape(points)
    by_joint = ops.reshape(ops.swapaxes(points, -2, -3), (-1, points.shape[-3], 2))
    matrices = ops.broadcast_to(projection[..., None, :, :, :], (*lead, joints, views, 3, 4))
    matrices = ops.reshape(matrices, (-1, points.shape[-3], 3, 4))
    certainty = ops.ones_like(by_joint[..., 0])
    if confidence is not None:
        confidence = ops.cast(ops.stop_gradient(ops.convert_to_tensor(confidence)), "float64")
        certainty = ops.reshape(ops.swapaxes(confidence, -1, -2), (-1, points.shape[-3]))
    usable = ops.isfinite(by_joint[..., 0]) & ops.isfinite(by_joint[..., 1]) & ops.isfinite(certainty)
    if least > 0:
        usable = usable & (certainty > least)
    by_joint = ops.where(usable[..., None], by_joint, 0.0)
    enough = ops.sum(ops.cast(usable, "int32"), axis=-1) >= 2
    weights = ops.cast(usable, "float64")
    if method == "ransac":
        weights = ops.cast(agreeing_views(by_joint, matrices, usable, threshold), "float64")
    elif method == "confidence":
        weights = weights * ops.maximum(ops.where(usable, certainty, 0.0), 0.0)
    places = ops.cast(_solve(by_joint, matrices, weights), "float32")
    places = ops.where(enough[:, None], places, float("nan"))
    return ops.reshape(places, (*lead, joints, 3)), ops.reshape(enough, (*lead, joints))
