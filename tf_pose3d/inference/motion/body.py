"""The joints from which joint rotations are made, whatever layout poses come in."""

from __future__ import annotations

import numpy as np

from tf_pose3d.inference.motion.constant_bones import find_pelvis
from tf_pose3d.skeleton import Skeleton, convert_joints, get_skeleton, make_skeleton, missing_joints

__all__ = ["as_body", "lacks_body", "to_body"]

# The skeleton that rotations and the stage know best; toes, where they are known, tell how feet are held.
_BODY = "h36m_17"
_TOES = ("l_big_toe", "r_big_toe")
# What limbs and head hang on.
_TRUNK = ("pelvis", "l_hip", "r_hip", "spine", "neck")


def lacks_body(skeleton: Skeleton) -> list[str]:
    """The joints that a layout lacks to make a pelvis and a spine; none where it has them."""
    if find_pelvis(skeleton) is not None and "spine" in skeleton.joints:
        return []
    return [joint for joint in missing_joints(skeleton, _BODY) if joint in _TRUNK]


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

    Joints that a layout does not tell are left out.

    Args:
        poses: `(F, J, 3)`, joints missing or not.
        skeleton: Names the J joints.

    Returns:
        Poses `(F, K, 3)` and their layout, of 17 joints, 19 with toes, or fewer.
    """
    target, missing = get_skeleton(_BODY), missing_joints(skeleton, _BODY)
    if missing:
        names = tuple(joint for joint in target.joints if joint not in missing)
        target = make_skeleton("part of h36m_17", names)
    body = convert_joints(poses, skeleton, target)
    known = [toe for toe in _TOES if toe in skeleton.joints and f"{toe[:2]}ankle" in target.joints]
    if known:
        toes = poses[:, [skeleton.index(name) for name in known]]
        body = np.concatenate([body, toes.astype(body.dtype)], axis=1)
        target = make_skeleton(f"{target.name} and toes", (*target.joints, *known))
    return body, target
