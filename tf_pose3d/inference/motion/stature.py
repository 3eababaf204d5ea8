"""How tall the person of some poses is."""

from __future__ import annotations

import numpy as np

from tf_pose3d.inference.motion.constant_bones import bone_lengths
from tf_pose3d.skeleton import Skeleton

__all__ = ["standing_height"]

# Share of the stature from floor to ankle (Drillis and Contini 1966).
_ANKLE = 0.039


def standing_height(poses: np.ndarray, skeleton: Skeleton) -> float | None:
    """Metres from the floor to the crown of a person who stands straight, from the lengths of the bones.

    Legs, trunk, neck and head end to end, and from the ankle to the floor 3.9 % of the whole; None in layouts
    that lack any of it, and without poses.

    Args:
        poses: `(F, J, 3)` metres, finite.
        skeleton: Names the joints.
    """
    if not {"l_ankle", "r_ankle", "l_hip", "r_hip", "head_top"} <= set(skeleton.joints) or not len(poses):
        return None
    lengths = bone_lengths(poses, skeleton)

    def up_to(joint: int, end: str) -> float:
        total = 0.0
        while joint >= 0 and skeleton.joints[joint] != end:
            total += float(lengths[joint])
            joint = skeleton.parents[joint]
        return total

    legs = [up_to(skeleton.index(f"{side}_ankle"), f"{side}_hip") for side in "lr"]
    trunk = up_to(skeleton.index("head_top"), skeleton.joints[skeleton.root])
    return (sum(legs) / 2 + trunk) / (1 - _ANKLE)
