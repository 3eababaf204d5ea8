"""Joint position errors between predicted and true poses.

All functions take poses of shape `(N, J, 3)` in any one unit and floating type, compute in float64 and
answer in that unit. The work is cut into chunks, so that the memory they need beside their input and output
stays small whatever N is.

Non-finite coordinates never raise. A metric that fits a transform to all joints (NMPJPE, PA-MPJPE) is NaN for
every joint of a pose that holds NaN or infinity; MPJPE is not finite at that joint alone, or at every joint
when it is the root. Other poses are not touched. A prediction whose joints all coincide has no scale or
rotation to find; it is aligned by translation only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tf_pose3d.errors import Pose3DError

__all__ = [
    "mpjpe",
    "mpjve",
    "n_mpjpe",
    "nmpjpe",
    "p_mpjpe",
    "pampjpe",
    "procrustes_align",
    "protocol_1",
]

_INVALID = -1.0
_CHUNK = 8192  # poses; the float64 copies of one chunk stay within a processor's cache
_POINT = 1e-13  # a pose whose extent is below this share of its distance to the origin is rounding noise


def mpjpe(
    pred: np.ndarray, target: np.ndarray, root: int | None = None, valid: np.ndarray | None = None
) -> np.ndarray:
    """Distance of each predicted joint to the true one (MPJPE before the mean is taken).

    Args:
        pred: `(N, J, 3)` predicted poses.
        target: `(N, J, 3)` true poses.
        root: Joint that is moved to the origin in both poses first; None compares them as they are.
        valid: `(N, J)` true where the ground truth is known; None means everywhere.

    Returns:
        `(N, J)` float64, -1 where `valid` is false.

    Raises:
        Pose3DError: shapes differ, or `root` is not one of the joints.
    """
    pred, target, valid = _checked(pred, target, valid)
    _check_root(root, pred.shape[1])

    def errors(p: np.ndarray, t: np.ndarray, _: np.ndarray | None) -> np.ndarray:
        return _distance(_root_centred(p, root), _root_centred(t, root))

    return _joint_errors(errors, pred, target, valid)


def nmpjpe(
    pred: np.ndarray,
    target: np.ndarray,
    alignment: str = "root",
    root: int | None = 0,
    valid: np.ndarray | None = None,
) -> np.ndarray:
    """Joint distances after the prediction is moved and scaled, not rotated, onto the truth (NMPJPE).

    The scale is the least-squares one over the valid joints (Rhodin et al., "Unsupervised Geometry-Aware
    Representation for 3D Human Pose Estimation", ECCV 2018).

    Args:
        pred: `(N, J, 3)` predicted poses.
        target: `(N, J, 3)` true poses.
        alignment: `"root"` moves joint `root` of both poses to the origin, `"mean"` the mean of the valid
            joints.
        root: The joint for `"root"`; None leaves the poses where they are.
        valid: `(N, J)` true where the ground truth is known; None means everywhere.

    Returns:
        `(N, J)` float64, -1 where `valid` is false.

    Raises:
        Pose3DError: shapes differ, `root` is not one of the joints, or `alignment` is unknown.
    """
    pred, target, valid = _checked(pred, target, valid)
    if alignment not in ("root", "mean"):
        raise Pose3DError(f'alignment is {alignment!r}, expected "root" or "mean"')
    if alignment == "root":
        _check_root(root, pred.shape[1])

    def errors(p: np.ndarray, t: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
        original = p
        if alignment == "root":
            p, t = _root_centred(p, root), _root_centred(t, root)
        else:
            p, t = p - _mean(p, seen), t - _mean(t, seen)
        p_seen = _zeroed(p, seen)
        scale = _ratio(_dot(p_seen, _zeroed(t, seen)), _spread(p_seen, _zeroed(original, seen)))
        return _distance(p * scale[:, None, None], t)

    return _joint_errors(errors, pred, target, valid)


def pampjpe(
    pred: np.ndarray, target: np.ndarray, valid: np.ndarray | None = None, reflection: bool = False
) -> np.ndarray:
    """Joint distances after the best similarity transform of the prediction onto the truth (PA-MPJPE).

    As in the Uplift and Upsample release, the transform is fitted to all joints, those outside `valid`
    included; `valid` only says whose distance is reported.

    Args:
        pred: `(N, J, 3)` predicted poses.
        target: `(N, J, 3)` true poses.
        valid: `(N, J)` true where the ground truth is known; None means everywhere.
        reflection: Whether the transform may mirror the pose.

    Returns:
        `(N, J)` float64, -1 where `valid` is false.

    Raises:
        Pose3DError: shapes differ.
    """
    pred, target, valid = _checked(pred, target, valid)

    def errors(p: np.ndarray, t: np.ndarray, _: np.ndarray | None) -> np.ndarray:
        return _distance(_procrustes(p, t, reflection, scale=True), t)

    return _joint_errors(errors, pred, target, valid)


def procrustes_align(
    pred: np.ndarray, target: np.ndarray, *, reflection: bool = False, scale: bool = True
) -> np.ndarray:
    """The predictions, each moved onto its true pose by the least-squares similarity transform.

    Closed form by singular value decomposition (Umeyama, PAMI 1991).

    Args:
        pred: `(N, J, 3)` predicted poses.
        target: `(N, J, 3)` true poses.
        reflection: Whether the transform may mirror the pose; LCN's protocol 2 allows it.
        scale: Whether the transform may scale the pose.

    Returns:
        `(N, J, 3)` float64 in the frame of `target`.

    Raises:
        Pose3DError: shapes differ.
    """
    pred, target, _ = _checked(pred, target, None)
    aligned = np.empty(pred.shape)

    def align(rows: slice) -> None:
        p, t = pred[rows].astype(np.float64), target[rows].astype(np.float64)
        aligned[rows] = _procrustes(p, t, reflection, scale)

    _for_each_chunk(align, len(pred))
    return aligned


def protocol_1(pred: np.ndarray, target: np.ndarray) -> float:
    """Mean joint distance without any alignment: VideoPose3D's protocol 1, MPJPE.

    Args:
        pred: `(N, J, 3)` predicted poses, usually root-centred already.
        target: `(N, J, 3)` true poses in the same frame.

    Raises:
        Pose3DError: shapes differ, or there is no pose.
    """
    return _mean_error(mpjpe(pred, target))


def p_mpjpe(pred: np.ndarray, target: np.ndarray) -> float:
    """Mean joint distance after a similarity transform without reflection: protocol 2, P-MPJPE.

    Arguments and errors are those of `protocol_1`.
    """
    return _mean_error(pampjpe(pred, target))


def n_mpjpe(pred: np.ndarray, target: np.ndarray) -> float:
    """Mean joint distance after scaling about the origin: VideoPose3D's protocol 3, N-MPJPE.

    Arguments and errors are those of `protocol_1`.
    """
    return _mean_error(nmpjpe(pred, target, root=None))


def mpjve(pred: np.ndarray, target: np.ndarray) -> float:
    """Mean joint velocity error: mean distance between the frame-to-frame movements (VideoPose3D, MPJVE).

    Args:
        pred: `(N, J, 3)` predicted poses of consecutive frames of one video.
        target: `(N, J, 3)` true poses of the same frames.

    Returns:
        The error per frame interval, in the unit of the poses.

    Raises:
        Pose3DError: shapes differ, or there are fewer than two frames.
    """
    pred, target, _ = _checked(pred, target, None)
    if len(pred) < 2:
        raise Pose3DError(f"a velocity error needs two or more consecutive frames, got {len(pred)}")
    moved_pred = np.diff(pred.astype(np.float64), axis=0)
    moved_target = np.diff(target.astype(np.float64), axis=0)
    return _mean_error(_distance(moved_pred, moved_target))


def _checked(
    pred: np.ndarray, target: np.ndarray, valid: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    pred, target = np.asarray(pred), np.asarray(target)
    if pred.ndim != 3 or pred.shape[1] == 0 or pred.shape[2] != 3:
        raise Pose3DError(f"predicted poses have shape {pred.shape}, expected (poses, joints, 3)")
    if target.shape != pred.shape:
        raise Pose3DError(f"true poses have shape {target.shape}, the predicted ones {pred.shape}")
    if valid is not None:
        valid = np.asarray(valid)
        if valid.shape != pred.shape[:2]:
            raise Pose3DError(f"valid has shape {valid.shape}, expected {pred.shape[:2]}")
        valid = valid.astype(bool)
    return pred, target, valid


def _check_root(root: int | None, joints: int) -> None:
    if root is not None and not 0 <= root < joints:
        raise Pose3DError(f"root joint is {root}, expected 0 to {joints - 1}")


def _joint_errors(
    errors: Callable[[np.ndarray, np.ndarray, np.ndarray | None], np.ndarray],
    pred: np.ndarray,
    target: np.ndarray,
    valid: np.ndarray | None,
) -> np.ndarray:
    """`errors` of every chunk of poses, in one `(N, J)` array with invalid joints marked."""
    result = np.empty(pred.shape[:2])

    def fill(rows: slice) -> None:
        seen = None if valid is None else valid[rows]
        result[rows] = errors(pred[rows].astype(np.float64), target[rows].astype(np.float64), seen)
        if seen is not None:
            result[rows][~seen] = _INVALID

    _for_each_chunk(fill, len(pred))
    return result


def _for_each_chunk(work: Callable[[slice], None], count: int) -> None:
    """Calls `work` for slices that cover `count` poses; numpy's kernels let threads run side by side."""

    def quietly(rows: slice) -> None:
        with np.errstate(invalid="ignore", over="ignore"):  # holds for the calling thread only
            work(rows)

    chunks = [slice(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    workers = min(len(chunks), os.cpu_count() or 1, 8)
    if workers < 2:
        for rows in chunks:
            quietly(rows)
        return
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(quietly, chunks):
            pass


def _procrustes(pred: np.ndarray, target: np.ndarray, reflection: bool, scale: bool) -> np.ndarray:
    centre = _mean(target, None)
    p, t = pred - _mean(pred, None), target - centre
    spread = _spread(p, pred)
    covariance = np.swapaxes(p, 1, 2) @ t
    # LAPACK gives up on the whole batch where one matrix is not finite.
    unusable = ~(np.isfinite(covariance).all((1, 2)) & np.isfinite(spread))
    covariance[unusable] = 0.0
    u, singular, vt = np.linalg.svd(covariance)
    if not reflection:
        mirrored = np.linalg.det(u) * np.linalg.det(vt) < 0
        singular[mirrored, 2] *= -1.0
        u[mirrored, :, 2] *= -1.0
    rotation = u @ vt
    if scale:
        rotation *= _ratio(singular.sum(-1), spread)[:, None, None]
    aligned = p @ rotation + centre
    aligned[unusable] = np.nan
    return aligned


def _root_centred(pose: np.ndarray, root: int | None) -> np.ndarray:
    return pose if root is None else pose - pose[:, root : root + 1]


def _mean(pose: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """`(N, 1, 3)` mean of the joints, of those seen only when given."""
    count = pose.shape[1] if seen is None else np.maximum(seen.sum(1), 1)[:, None]
    return (np.einsum("njk->nk", _zeroed(pose, seen)) / count)[:, None]


def _zeroed(pose: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """Unseen joints at zero, NaN included, so that they add nothing to sums; as it is where all are seen."""
    return pose if seen is None else np.where(seen[..., None], pose, 0.0)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("njk,njk->n", a, b)


def _spread(centred: np.ndarray, original: np.ndarray) -> np.ndarray:
    """`(N,)` squared extent of centred poses; 0 where it is rounding of `original`, NaN where not finite."""
    spread, size = _dot(centred, centred), _dot(original, original)
    spread[spread <= _POINT**2 * size] = 0.0
    spread[~np.isfinite(spread + size)] = np.nan
    return spread


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, 1 where the denominator is zero: a pose without extent has no scale to find."""
    return np.divide(numerator, denominator, out=np.ones_like(numerator), where=denominator != 0)


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    difference = a - b
    return np.sqrt(np.einsum("njk,njk->nj", difference, difference))


def _mean_error(errors: np.ndarray) -> float:
    if len(errors) == 0:
        raise Pose3DError("there is no pose to evaluate")
    return float(errors.mean())
