"""Names of a rig's joints as animation programs know them."""

from __future__ import annotations

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.rig import Rig

__all__ = ["RIG_NAMES", "rig_names"]

_LIMBS = {
    "clavicle": "Shoulder",
    "shoulder": "Arm",
    "elbow": "ForeArm",
    "wrist": "Hand",
    "hip": "UpLeg",
    "knee": "Leg",
    "ankle": "Foot",
    "foot": "ToeBase",
}


def _sided(limbs: dict[str, str], left: str, right: str) -> dict[str, str]:
    return {
        f"{side}_{joint}": f"{prefix}{name}"
        for side, prefix in (("l", left), ("r", right))
        for joint, name in limbs.items()
    }


# Convention -> joint of this package -> its name there. Mixamo's rigs; the BVH conversion of CMU's database
# by B. Hahne (cgspeed), whose Spine1 carries neck and shoulders; the names of Human3.6M in VideoPose3D's
# release.
RIG_NAMES = {
    "mixamo": {
        "pelvis": "Hips",
        "spine": "Spine",
        "spine2": "Spine1",
        "spine3": "Spine2",
        "spine4": "Spine3",
        "neck": "Neck",
        "head": "Head",
        **_sided(_LIMBS, "Left", "Right"),
    },
    "cmu": {
        "pelvis": "Hips",
        "spine": "Spine1",
        "neck": "Neck",
        "head": "Head",
        **_sided(_LIMBS, "Left", "Right"),
    },
    "h36m": {
        "pelvis": "Hip",
        "spine": "Spine",
        "neck": "Thorax",
        "head": "Head",
        **_sided(
            {
                "clavicle": "Clavicle",
                "shoulder": "Shoulder",
                "elbow": "Elbow",
                "wrist": "Wrist",
                "hip": "Hip",
                "knee": "Knee",
                "ankle": "Foot",
                "foot": "Toe",
            },
            "L",
            "R",
        ),
    },
}


def rig_names(rig: Rig, convention: str) -> tuple[str, ...]:
    """A name for each joint; joints that a convention does not know keep this package's.

    Raises:
        Pose3DError: An unknown convention.
    """
    if convention not in RIG_NAMES:
        raise Pose3DError(f"names of bones {convention!r}, expected {', '.join(RIG_NAMES)}")
    known = RIG_NAMES[convention]
    return tuple(known.get(name, name) for name in rig.names)
