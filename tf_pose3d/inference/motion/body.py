"""The joints from which joint rotations are made, whatever layout poses come in."""

from __future__ import annotations

import numpy as np

from tf_pose3d.inference.motion.constant_bones import find_pelvis
from tf_pose3d.skeleton import Skeleton, convert_joints, get_skeleton, make_skeleton, missing_joints

__all__ = ["as_body", "lacks_body", "to_body"]

# The skeleton that rotations and the stage know best; toes, where they are known, tell how feet are held.
_BODY = "h36m_17"
_TOES = ("l_big_toe", "r_big_toe")


def lacks_body(skeleton: Skeleton) -> list[str]:
    """The joints that a layout lacks to make a pelvis, a spine and limbs; none where it has them."""
    if find_pelvis(skeleton) is not None and "spine" in skeleton.joints:
        return []
    return list(missing_joints(skeleton, _BODY))


def to_body(poses: np.ndarray, skeleton: Skeleton) -> tuple[np.ndarray, Skeleton]:
    """Poses with a pelvis that carries hips and spine, as animation programs have them.

    Detectors' layouts, which have points of the face and no spine, become h36m_17 and the big toes; those
    with pelvis and spine, and those that lack too much for it (`lacks_body`), stay as they are.

    Args:
        poses: `(F, J, 3)`, joints missing or not.
        skeleton: Names the J joints.

    Returns:
        Poses `(F, K, 3)` and their layout.
    """
    if (find_pelvis(skeleton) is not None and "spine" in skeleton.joints) or lacks_body(skeleton):
        return poses, skeleton
    return as_body(poses, skeleton)


def as_body(poses: np.ndarray, skeleton: Skeleton) -> tuple[np.ndarray, Skeleton]:
    """Poses of any layout as h36m_17 and, where the layout has them, the big toes.

    Args:
        poses: `(F, J, 3)`, joints missing or not.
        skeleton: Names the J joints.

    Returns:
        Poses `(F, 17 or 19, 3)` and their layout.

    Raises:
        Pose3DError: A layout that lacks joints for it.
    """
    body, target = convert_joints(poses, skeleton, _BODY), get_skeleton(_BODY)
    if set(_TOES) <= set(skeleton.joints):
        toes = poses[:, [skeleton.index(name) for name in _TOES]]
        body = np.concatenate([body, toes.astype(body.dtype)], axis=1)
        target = make_skeleton("h36m_17 and toes", (*target.joints, *_TOES))
    return body, target
