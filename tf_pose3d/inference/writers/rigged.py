"""A motion as joint rotations, for the formats that hold those."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.body import lacks_body, to_body
from tf_pose3d.inference.motion.constant_bones import find_pelvis, fit_skeleton
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.rig import Rig, fit_rig
from tf_pose3d.skeleton import Skeleton

__all__ = ["check_frames", "rig_of"]

# Share by which the bones of one skeleton differ from frame to frame.
_SAME = 1e-4


def check_frames(path: Path, num_frames: int | None) -> None:
    """Checks that there is a frame, from whose pose the skeleton's lengths come.

    Raises:
        Pose3DError: There is none.
    """
    if num_frames == 0:
        raise Pose3DError(f"{path}: a {path.suffix[1:].upper()} file holds 1 frame or more, these are 0")


def rig_of(path: Path, motion: Motion) -> Rig:
    """The motion's joint rotations, y up; frames without a pose repeat the last.

    Poses that are not of one skeleton yet are fitted. Layouts without a pelvis that carries hips and spine,
    such as COCO's, are turned into h36m_17, from the joints that they have.

    Raises:
        Pose3DError: No frame has a pose, or a layout that lacks limbs.
    """
    if not motion.present.any():
        raise Pose3DError(f"{path}: none of the {motion.num_frames} frames has a pose, expected one or more")
    whole = motion.without_gaps()
    poses, skeleton = whole.upright(), whole.skeleton
    if find_pelvis(skeleton) is None:
        lacking = lacks_body(skeleton)
        if lacking:
            raise Pose3DError(
                f"{path}: joint rotations need a pelvis with both hips and a spine; layout {skeleton.name} "
                f"lacks {', '.join(lacking)} to make one; .trc and .c3d hold any layout"
            )
        poses, skeleton = to_body(poses, skeleton)
    if not _of_one_skeleton(poses, skeleton):
        poses = fit_skeleton(poses, skeleton)
    return fit_rig(poses, skeleton, motion.fps)


def _of_one_skeleton(poses: np.ndarray, skeleton: Skeleton) -> bool:
    """Whether bones have one length, and the pelvis one shape."""
    pelvis = find_pelvis(skeleton)
    assert pelvis is not None
    left, right, spine = pelvis
    for one, other in (*skeleton.bones, (left, right), (left, spine), (right, spine)):
        lengths = np.linalg.norm(poses[:, one] - poses[:, other], axis=-1)
        if np.ptp(lengths) > _SAME * max(float(lengths.max()), 1e-3):
            return False
    return True
