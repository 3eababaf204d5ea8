"""Distances between predicted and true joints in `keras.ops`: any backend, differentiable but for Procrustes.

`tf_pose3d.evaluation.metrics` computes the same in NumPy and float64. Everything here takes poses of shape
`(..., J, 3)` in any one unit and answers with `(..., J)` in that unit.
"""

from __future__ import annotations

import keras
from keras import ops

from tf_pose3d.errors import Pose3DError
from tf_pose3d.types import Tensor

__all__ = [
    "aligned_errors",
    "check_poses",
    "joint_weights",
    "known_poses",
    "position_errors",
    "scaled_errors",
    "velocity_errors",
]


# A pose whose extent is below this share of its distance to the origin is rounding noise.
_POINT = {"float64": 1e-13, "float32": 5e-5}


def check_poses(true: Tensor, pred: Tensor, root: int | None = None, video: bool = False) -> None:
    """Checks shapes as far as they are known.

    Args:
        true, pred: Tensors, expected `(..., J, 3)`, of one shape.
        root: A joint, or None.
        video: Whether an axis of two or more frames must stand before the joints.

    Raises:
        Pose3DError: They are otherwise; the message has the shapes.
    """
    for name, poses in (("true", true), ("predicted", pred)):
        shape = tuple(poses.shape)
        if len(shape) < 2 or shape[-1] not in (3, None):
            raise Pose3DError(f"{name} poses have shape {shape}, expected (..., joints, 3)")
    shapes = tuple(true.shape), tuple(pred.shape)
    same = len(shapes[0]) == len(shapes[1]) and all(
        a is None or b is None or a == b for a, b in zip(*shapes, strict=True)
    )
    if not same:
        raise Pose3DError(f"true poses have shape {shapes[0]}, the predicted ones {shapes[1]}")
    joints = shapes[1][-2]
    if root is not None and joints is not None and not 0 <= root < joints:
        raise Pose3DError(f"root joint is {root}, expected 0 to {joints - 1}")
    if video:
        frames = shapes[1][-3] if len(shapes[1]) > 3 else 0
        if frames is not None and frames < 2:
            raise Pose3DError(
                f"a velocity error needs two or more consecutive frames, (..., frames, joints, 3), "
                f"got {shapes[1]}"
            )


def joint_weights(weights: Tensor, poses: Tensor) -> Tensor:
    """Weights of samples, frames or joints as weights of every joint.

    Args:
        weights: `(B,)`, or further axes of the poses in their order, the joints' the last.
        poses: `(B, ..., J, 3)`.

    Returns:
        `(B, ..., J)`.

    Raises:
        Pose3DError: Another shape.
    """
    given, wanted = tuple(weights.shape), tuple(poses.shape)[:-1]
    fits = 0 < len(given) <= len(wanted) and all(
        a is None or b is None or a in (1, b) for a, b in zip(given, wanted, strict=False)
    )
    if not fits:
        raise Pose3DError(
            f"sample weights have shape {given}, expected {wanted[:1]} or more of the axes {wanted}"
        )
    for _ in range(len(wanted) - len(given)):
        weights = weights[..., None]
    return weights * ops.ones_like(poses[..., 0])


def known_poses(true: Tensor, pred: Tensor, counted: Tensor) -> Tensor:
    """True poses whose unknown coordinates (NaN, at joints that do not count) are the prediction's.

    A weight of 0 would not take a NaN out of a sum or a gradient.
    """
    known = counted[..., None] | ops.isfinite(true)
    return ops.where(known, true, ops.stop_gradient(pred))


def position_errors(true: Tensor, pred: Tensor, root: int | None = None) -> Tensor:
    """Distance of each predicted joint to the true one.

    Args:
        true, pred: `(..., J, 3)`.
        root: Joint that is moved to the origin in both first; None compares them as they are.
    """
    return _distances(_at_root(pred, root), _at_root(true, root))


def scaled_errors(
    true: Tensor,
    pred: Tensor,
    alignment: str = "root",
    root: int | None = 0,
    counted: Tensor | None = None,
) -> Tensor:
    """Distances after the prediction is moved and scaled, not rotated, onto the truth.

    The scale is the least-squares one (Rhodin et al., ECCV 2018).

    Args:
        true, pred: `(..., J, 3)`.
        alignment: `"root"` moves joint `root` of both to the origin, `"mean"` the mean of the joints.
        root: The joint for `"root"`; None leaves the poses where they are.
        counted: `(..., J)` bool: joints that the scale and the mean are made of; None: all.
    """
    original = pred
    if alignment == "root":
        pred, true = _at_root(pred, root), _at_root(true, root)
    else:
        pred, true = pred - _mean(pred, counted), true - _mean(true, counted)
    seen = _zeroed(pred, counted)
    spread = _spread(seen, _zeroed(original, counted))
    scale = _ratio(_dot(seen, _zeroed(true, counted)), spread)
    return _distances(pred * scale[..., None, None], true)


def aligned_errors(true: Tensor, pred: Tensor, reflection: bool = False) -> Tensor:
    """Distances after the best similarity transform of the prediction onto the truth.

    Closed form by singular value decomposition (Umeyama, PAMI 1991). Its gradient does not exist where two
    singular values are equal, so this is for measuring, not for training.

    Args:
        true, pred: `(..., J, 3)`. A pose that is not finite gives NaN for each of its joints.
        reflection: Whether the transform may mirror the pose.
    """
    centre = _mean(true, None)
    p, t = pred - _mean(pred, None), true - centre
    covariance = ops.matmul(ops.swapaxes(p, -1, -2), t)
    spread = _spread(p, pred)
    usable = ops.all(ops.isfinite(covariance), axis=(-2, -1)) & ops.isfinite(spread)
    # LAPACK gives up on the whole batch where one matrix is not finite.
    covariance = ops.where(usable[..., None, None], covariance, ops.zeros_like(covariance))
    u, singular, vt = ops.svd(covariance, full_matrices=False)
    if not reflection:
        mirrored = ops.linalg.det(u) * ops.linalg.det(vt) < 0
        last = ops.where(mirrored, -ops.ones_like(spread), ops.ones_like(spread))
        signs = ops.stack([ops.ones_like(last), ops.ones_like(last), last], axis=-1)
        singular, u = singular * signs, u * signs[..., None, :]
    scale = _ratio(ops.sum(singular, axis=-1), spread)
    aligned = ops.matmul(p, ops.matmul(u, vt)) * scale[..., None, None] + centre
    errors = _distances(aligned, true)
    return ops.where(usable[..., None], errors, ops.full_like(errors, float("nan")))


def velocity_errors(true: Tensor, pred: Tensor) -> Tensor:
    """Distances between the movements from frame to frame, per frame interval.

    Args:
        true, pred: `(..., N, J, 3)`, N >= 2 consecutive frames.

    Returns:
        `(..., N - 1, J)`.
    """

    def moved(poses: Tensor) -> Tensor:
        return poses[..., 1:, :, :] - poses[..., :-1, :, :]

    return _distances(moved(pred), moved(true))


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Distances whose gradient is 0, and not NaN, where they are 0."""
    squared = ops.sum(ops.square(a - b), axis=-1)
    exact = squared == 0
    one = ops.ones_like(squared)
    return ops.where(exact, ops.zeros_like(squared), ops.sqrt(ops.where(exact, one, squared)))


def _at_root(poses: Tensor, root: int | None) -> Tensor:
    return poses if root is None else poses - poses[..., root : root + 1, :]


def _zeroed(poses: Tensor, counted: Tensor | None) -> Tensor:
    """Joints that do not count at zero, NaN included, so that they add nothing to sums."""
    return poses if counted is None else ops.where(counted[..., None], poses, ops.zeros_like(poses))


def _mean(poses: Tensor, counted: Tensor | None) -> Tensor:
    """`(..., 1, 3)` mean of the joints that count."""
    if counted is None:
        return ops.mean(poses, axis=-2, keepdims=True)
    count = ops.maximum(ops.sum(ops.cast(counted, poses.dtype), axis=-1), 1)
    return ops.sum(_zeroed(poses, counted), axis=-2, keepdims=True) / count[..., None, None]


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return ops.sum(a * b, axis=(-2, -1))


def _spread(centred: Tensor, original: Tensor) -> Tensor:
    """`(...)` squared extent of centred poses; 0 where it is rounding of `original`."""
    spread, size = _dot(centred, centred), _dot(original, original)
    point = _POINT.get(keras.backend.standardize_dtype(spread.dtype), _POINT["float32"])
    return ops.where(spread <= point**2 * size, ops.zeros_like(spread), spread)


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Quotient, 1 where the denominator is zero: a pose without extent has no scale to find."""
    one, zero = ops.ones_like(denominator), denominator == 0
    return ops.where(zero, one, numerator / ops.where(zero, one, denominator))
