"""Least squares over a chain of frames, each tied to the next: the equations of a Kalman smoother, all at
once.

Where states are Gaussian, the mean of a Rauch-Tung-Striebel smoother is the solution of one symmetric system
that is tridiagonal in blocks. Odd frames are eliminated, then every second of those left, and so on (cyclic
reduction), which NumPy does for all frames at once instead of one after the other.
"""

from __future__ import annotations

import numpy as np

__all__ = ["constant_velocity", "solve_chain"]


def solve_chain(diagonal: np.ndarray, upper: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solves a symmetric positive definite system that is tridiagonal in blocks.

    Args:
        diagonal: `(n, ..., k, k)` blocks of each frame; further axes are systems of their own.
        upper: `(n - 1, ..., k, k)` blocks of each frame (rows) and the next (columns).
        right: `(n, ..., k, m)` right hand sides.

    Returns:
        `(n, ..., k, m)`.
    """
    count = len(diagonal)
    if count == 1:
        return np.linalg.solve(diagonal, right)
    odd, inner = diagonal[1::2], count // 2
    left, ahead = upper[::2], upper[1::2]
    size = left.shape[-1]
    # Frames before and after each odd one; the last of an even count has nothing after it.
    after = np.zeros_like(left)
    after[: len(ahead)] = ahead
    solved = np.linalg.solve(odd, np.concatenate([_transposed(left), after, right[1::2]], axis=-1))
    to_left, to_right, constant = solved[..., :size], solved[..., size : 2 * size], solved[..., 2 * size :]
    even, even_right = diagonal[::2].copy(), right[::2].copy()
    even[:inner] -= left @ to_left
    even_right[:inner] -= left @ constant
    reach = len(ahead)
    even[1 : reach + 1] -= _transposed(ahead) @ to_right[:reach]
    even_right[1 : reach + 1] -= _transposed(ahead) @ constant[:reach]
    coarse = solve_chain(even, -(left[:reach] @ to_right[:reach]), even_right)
    result = np.empty_like(right)
    result[::2] = coarse
    between = constant - to_left @ coarse[:inner]
    between[:reach] -= to_right[:reach] @ coarse[1 : reach + 1]
    result[1::2] = between
    return result


def constant_velocity(interval: float, density: float) -> tuple[np.ndarray, np.ndarray]:
    """How place and velocity follow from the frame before where white noise accelerates.

    Args:
        interval: Seconds between frames.
        density: Power of the acceleration's noise, metres squared per second cubed.

    Returns:
        `(2, 2)` transition, and `(2, 2)` the inverse of the noise's covariance (Bar-Shalom, Li, Kirubarajan,
        Estimation with Applications to Tracking and Navigation, section 6.2.2).
    """
    step = np.array([[1.0, interval], [0.0, 1.0]])
    noise = np.array([[interval**3 / 3, interval**2 / 2], [interval**2 / 2, interval]]) * density
    return step, np.linalg.inv(noise)


def _transposed(blocks: np.ndarray) -> np.ndarray:
    return np.swapaxes(blocks, -1, -2)
