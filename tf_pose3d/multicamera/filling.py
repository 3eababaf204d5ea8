"""Joints that only one view sees, supposed from the general lifter's pose of that view."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tf_pose3d.errors import Pose3DError
from tf_pose3d.multicamera.rig import Rig
from tf_pose3d.skeleton import Skeleton

__all__ = ["fill_single_views"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

# Joints that must be known in a frame so that the lifted pose can be laid onto them.
_LEAST = 4


def fill_single_views(
    rig: Rig, keypoints: Singles, poses: Singles, skeleton: Skeleton, fps: float
) -> tuple[Singles, Bools]:
    """Poses in which joints of one view are where the general lifter puts them, laid onto the joints that are
    known.

    Args:
        rig: V cameras in the poses' world.
        keypoints: `(V, F, J, 3)` of one person.
        poses: `(F, J, 3)` metres, world, NaN where missing.
        skeleton: Names the joints.
        fps: Frames per second.

    Returns:
        `(F, J, 3)`, and `(F, J)` which joints were filled.

    Raises:
        Pose3DError: The layout lacks joints that the lifter reads, or a camera's image size is unknown.
    """
    # The lifter is loaded where there is something to fill.
    from tf_pose3d.inference.lifter import load

    missing = ~np.isfinite(poses[..., 0])
    seen = np.isfinite(keypoints[..., 0])
    wanted = missing & seen.any(axis=0)
    result, filled = poses.copy(), np.zeros(missing.shape, bool)
    if not wanted.any():
        return result, filled
    lifter = load("general")
    shared = [joint for joint in lifter.skeleton.joints if joint in skeleton.joints]
    ours = [skeleton.joints.index(joint) for joint in shared]
    theirs = [lifter.skeleton.joints.index(joint) for joint in shared]
    for view in np.argsort(-seen.sum(axis=(1, 2))):
        open_joints = ~np.isfinite(result[..., 0]) & seen[view]
        if not open_joints[:, ours].any():
            continue
        camera = rig.cameras[view]
        if camera.size is None:
            raise Pose3DError(
                f"camera {camera.name}: --fill needs its image size, which the calibration lacks"
            )
        lifted = lifter.lift(
            keypoints[view], camera.size[0], camera.size[1], fps, skeleton, float(rig.focal[view])
        )
        turned = lifted.pose_3d[:, theirs] @ camera.rotation.astype(np.float32)
        known = np.isfinite(poses[:, ours, 0]) & np.isfinite(turned[..., 0])
        laid = _laid_onto(turned, poses[:, ours], known)
        take = open_joints[:, ours] & np.isfinite(laid[..., 0])
        frames, places = np.nonzero(take)
        joints = np.array(ours)[places]
        result[frames, joints] = laid[frames, places]
        filled[frames, joints] = True
    return result, filled


def _laid_onto(poses: Singles, target: Singles, known: Bools) -> Singles:
    """Poses `(F, J, 3)` moved, turned and scaled frame by frame to lie nearest the known joints of a target;
    NaN in frames with too few of them.
    """
    count = known.sum(axis=1)
    weight = known[..., None].astype(np.float64)
    total = np.maximum(count, 1)[:, None, None]
    source, goal = np.nan_to_num(poses.astype(np.float64)), np.nan_to_num(target.astype(np.float64))
    middle = (source * weight).sum(axis=1, keepdims=True) / total
    aim = (goal * weight).sum(axis=1, keepdims=True) / total
    a, b = (source - middle) * weight, (goal - aim) * weight
    u, size, vt = np.linalg.svd(np.einsum("fji,fjk->fik", b, a))
    sign = np.sign(np.linalg.det(u @ vt))
    u[:, :, 2] *= sign[:, None]
    size[:, 2] *= sign
    rotation = u @ vt
    scale = size.sum(axis=1) / np.maximum((a * a).sum(axis=(1, 2)), 1e-9)
    laid = np.einsum("fik,fjk->fji", rotation, source - middle) * scale[:, None, None] + aim
    bad = (count < _LEAST)[:, None, None] | ~np.isfinite(poses)
    return np.where(bad, np.nan, laid).astype(np.float32)
