"""One pose of several hypotheses, by how they are seen, in operations of Keras's backend.

Neither the true root nor the true camera is needed: the root is where the hypothesis fits the keypoints
best, seen by a camera of typical focal length that looks at the image's middle.
"""

from __future__ import annotations

from keras import ops

from tf_pose3d.types import Tensor

__all__ = ["TYPICAL_FOCAL", "best_seen_joints", "estimate_root", "spread"]

# Focal length in normalised screen coordinates, as Human3.6M's cameras have it.
TYPICAL_FOCAL = 2.29
# Metres: nearer joints are not divided by.
_NEAREST = 0.1


def estimate_root(poses: Tensor, keypoints: Tensor, focal: float = TYPICAL_FOCAL) -> Tensor:
    """The root's place at which poses fit their keypoints, by linear least squares.

    Args:
        poses: `(..., J, 3)` metres, root-centred, camera frame.
        keypoints: `(..., J, 2)` normalised screen coordinates.
        focal: In the same coordinates.

    Returns:
        `(..., 3)` metres, camera frame.
    """
    rays = keypoints / focal
    joints = poses.shape[-2]
    # Of each joint X + Tx = u (Z + Tz) and Y + Ty = v (Z + Tz); Tx and Ty are eliminated.
    right = rays * poses[..., 2:] - poses[..., :2]
    sum_rays, sum_right = ops.sum(rays, axis=-2), ops.sum(right, axis=-2)
    squares = ops.sum(rays * rays, axis=(-2, -1)) - ops.sum(sum_rays * sum_rays, axis=-1) / joints
    products = -ops.sum(rays * right, axis=(-2, -1)) + ops.sum(sum_rays * sum_right, axis=-1) / joints
    depth = products / ops.maximum(squares, 1e-9)
    across = (sum_right + sum_rays * depth[..., None]) / joints
    return ops.concatenate([across, depth[..., None]], axis=-1)


def best_seen_joints(hypotheses: Tensor, keypoints: Tensor, focal: float = TYPICAL_FOCAL) -> Tensor:
    """Of each joint the hypothesis that is seen nearest to its keypoint; D3DP's J-Agg without its truths.

    Shan et al., "Diffusion-based 3D human pose estimation with multi-hypothesis aggregation", ICCV 2023,
    project by the true root and camera.

    Args:
        hypotheses: `(B, H, F, J, 3)` metres, root-centred, camera frame.
        keypoints: `(B, F, J, 2)` normalised screen coordinates.
        focal: In the same coordinates.

    Returns:
        `(B, F, J, 3)`.
    """
    seen = keypoints[:, None, ..., :2] + ops.zeros_like(hypotheses[..., :2])
    places = hypotheses + estimate_root(hypotheses, seen, focal)[..., None, :]
    depth = ops.maximum(places[..., 2:], _NEAREST)
    errors = ops.sum(ops.square(focal * places[..., :2] / depth - seen), axis=-1)
    chosen = ops.one_hot(ops.argmin(errors, axis=1), hypotheses.shape[1], axis=1, dtype=hypotheses.dtype)
    return ops.sum(hypotheses * chosen[..., None], axis=1)


def spread(hypotheses: Tensor) -> Tensor:
    """`(B, F, J)` root mean square distance of `(B, H, F, J, 3)` hypotheses from their mean."""
    away = hypotheses - ops.mean(hypotheses, axis=1, keepdims=True)
    return ops.sqrt(ops.mean(ops.sum(ops.square(away), axis=-1), axis=1))
