"""A Rauch-Tung-Striebel smoother for clips: each frame counts by how sure the lifter is of it."""

from __future__ import annotations

import math

import numpy as np

from tf_pose3d.inference.motion.chain import constant_velocity, solve_chain
from tf_pose3d.inference.motion.smoothing import SHORTEST, check_cutoff, present_runs

__all__ = ["smooth_by_uncertainty"]

# How much more or less than the median a frame's variance may count.
_RANGE = 16.0


def smooth_by_uncertainty(
    positions: np.ndarray,
    present: np.ndarray,
    fps: float,
    cutoff: float,
    uncertainty: np.ndarray | None = None,
) -> tuple[np.ndarray, int]:
    """Positions whose acceleration is white noise, seen with errors: the smoother of Rauch, Tung and Striebel
    (1965).

    Forward Kalman filter and backward pass in one (`tf_pose3d.inference.motion.chain`), so that nothing is
    delayed. Where all frames are equally sure, half the amplitude is left at the cutoff, and twice as fast 6
    %.

    Args:
        positions: `(F, J, C)` in any unit; NaN where not `present`.
        present: `(F,)` bool; each run is smoothed on its own.
        fps: Frames per second.
        cutoff: Hz, below half of `fps`.
        uncertainty: `(F, J)` of each joint, in any one unit, 0 where it is exact; None: all alike.

    Returns:
        Positions of the same shape and dtype, and how many frames lie in runs too short to smooth.

    Raises:
        Pose3DError: A cutoff that the rate cannot show.
    """
    check_cutoff(cutoff, fps)
    smooth, left = positions.copy(), 0
    weights = _weights(uncertainty, present, positions.shape[:2])
    step, inverse = constant_velocity(1 / fps, (2 * math.pi * cutoff) ** 4 / fps)
    before, across, after = step.T @ inverse @ step, -step.T @ inverse, inverse
    for first, end in present_runs(present):
        count = end - first
        if count < SHORTEST:
            left += count
            continue
        seen = weights[first:end]
        diagonal = np.zeros((count, positions.shape[1], 2, 2))
        diagonal[..., 0, 0] = seen
        diagonal[:-1] += before
        diagonal[1:] += after
        upper = np.broadcast_to(across, (count - 1, positions.shape[1], 2, 2))
        right = np.zeros((count, positions.shape[1], 2, positions.shape[2]))
        right[:, :, 0] = seen[..., None] * positions[first:end]
        smooth[first:end] = solve_chain(diagonal, upper, right)[:, :, 0]
    return smooth, left


def _weights(uncertainty: np.ndarray | None, present: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`(F, J)` inverse variances, each joint's median 1."""
    if uncertainty is None or not present.any():
        return np.ones(shape)
    variance = np.square(uncertainty.astype(np.float64))
    median = np.median(variance[present], axis=0)
    variance = np.where(median > 0, variance / np.where(median > 0, median, 1), 1.0)
    return 1 / np.clip(np.nan_to_num(variance, nan=1.0), 1 / _RANGE, _RANGE)
