"""What is left of a pose's error when it is shifted, turned and resized to the truth, in closed form."""

from __future__ import annotations

from keras import ops

from tf_pose3d.types import Tensor

__all__ = ["aligned_residual"]


_SMALL = 1e-6


def aligned_residual(poses: Tensor, targets: Tensor) -> Tensor:
    """Errors after the best shift, small rotation and change of size.

    Procrustes alignment to first order: for a turn `w` and a change of size `s`, the error of a centred
    target `t` is `w x t + s t`, and both are least squares of the error. It has gradients everywhere, and no
    decomposition.

    Args:
        poses: `(..., J, 3)`.
        targets: `(..., J, 3)`.

    Returns:
        `(..., J, 3)`.
    """
    poses, targets = ops.convert_to_tensor(poses), ops.convert_to_tensor(targets)
    centred = targets - ops.mean(targets, axis=-2, keepdims=True)
    error = poses - targets
    error = error - ops.mean(error, axis=-2, keepdims=True)
    square = ops.sum(ops.square(centred), axis=(-2, -1))[..., None, None]
    size = ops.sum(error * centred, axis=(-2, -1))[..., None, None] / ops.maximum(square, _SMALL)
    # The inertia of the target times the turn is the moment of the error.
    inertia = square * ops.eye(3, dtype=centred.dtype) - ops.matmul(ops.swapaxes(centred, -1, -2), centred)
    inertia = inertia + _SMALL * ops.eye(3, dtype=centred.dtype)
    moment = ops.sum(ops.cross(centred, error), axis=-2)
    turn = _solve(inertia, moment)
    turn = ops.broadcast_to(ops.expand_dims(turn, -2), ops.shape(centred))
    return error - ops.cross(turn, centred) - size * centred


def _solve(matrix: Tensor, vector: Tensor) -> Tensor:
    """`(..., 3)` solutions of symmetric systems of three equations, by cofactors."""
    rows = [matrix[..., number, :] for number in range(3)]
    cofactors = [ops.cross(rows[1], rows[2]), ops.cross(rows[2], rows[0]), ops.cross(rows[0], rows[1])]
    determinant = ops.sum(rows[0] * cofactors[0], axis=-1, keepdims=True)
    parts = [vector[..., number : number + 1] * cofactors[number] for number in range(3)]
    return (parts[0] + parts[1] + parts[2]) / determinant
