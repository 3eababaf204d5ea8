"""The seventeen joints of the general lifter's motion, found by name in a file's own skeleton."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from tf_pose3d.data.motion_files.skeleton_motion import Floats, SkeletonMotion
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton

__all__ = ["find_joints", "seventeen_joints"]

_WANTED = get_skeleton("h36m_17")

# Names of joints by what they are called elsewhere, in small letters without spaces and marks; of several
# that a file has, the first counts. {} is left, then right, or l and r. Shoulders that are collars in other
# files come last.
_SIDED = {
    "hip": (
        "{side}upleg",
        "{side}thigh",
        "{s}thigh",
        "thigh{s}",
        "{s}thighbend",
        "upleg{s}",
        "{side}hip",
        "{s}hip",
    ),
    "knee": (
        "{side}leg",
        "{side}knee",
        "{side}lowleg",
        "{side}lowerleg",
        "{side}shin",
        "{s}shin",
        "shin{s}",
        "{s}calf",
        "calf{s}",
        "{s}leg",
        "leg{s}",
        "{s}knee",
    ),
    "ankle": ("{side}foot", "{side}ankle", "{s}foot", "foot{s}", "{s}ankle"),
    "shoulder": (
        "{side}arm",
        "{side}uparm",
        "{side}upperarm",
        "{s}shldr",
        "{s}shldrbend",
        "{s}upperarm",
        "upperarm{s}",
        "{side}shoulder",
        "{s}shoulder",
    ),
    "elbow": (
        "{side}forearm",
        "{side}elbow",
        "{side}lowarm",
        "{side}lowerarm",
        "{s}forearm",
        "{s}forearmbend",
        "forearm{s}",
        "lowerarm{s}",
        "{s}elbow",
    ),
    "wrist": ("{side}hand", "{side}wrist", "{s}hand", "hand{s}", "{s}wrist"),
}
_MIDDLE = {
    "neck": ("neck", "neck1", "necklower", "neck01", "lowerneck"),
    "head": ("head",),
    "spine": ("spine", "abdomen", "spine1", "spine01", "abdomenlower", "chest", "torso"),
}
_TOPS = ("headtopend", "headend", "headtop", "headnub", "topofhead")
# Bones of Acclaim's files are called by what lies before their ends.
_ACCLAIM = {
    "spine": "lowerback",
    "neck": "thorax",
    "head": "upperneck",
    "head_top": "head",
    **{
        f"{side}_{joint}": f"{side}{bone}"
        for side in "lr"
        for joint, bone in {
            "hip": "hipjoint",
            "knee": "femur",
            "ankle": "tibia",
            "shoulder": "clavicle",
            "elbow": "humerus",
            "wrist": "wrist",
        }.items()
    },
}
# Below this share of a thigh a spine's joint is the pelvis once more.
_SAME_PLACE = 0.1


def _plain(name: str) -> str:
    """A name without the character's, spaces and marks: `mixamorig:LeftArm` is leftarm."""
    name = name.rpartition(":")[2]
    name = re.sub(r"^(mixamorig\d*|bip\d*|character\d*)[\W_]*(?=\w)", "", name, flags=re.IGNORECASE)
    return re.sub(r"[\W_]", "", name).lower()


def find_joints(motion: SkeletonMotion, where: str, given: Mapping[str, str] | None = None) -> dict[str, int]:
    """Which joint of a file is which of the seventeen.

    The pelvis is the middle of the hips, as keypoints of detectors have it, and not looked for.

    Args:
        motion: The file's.
        where: Names it in messages.
        given: Joint of `h36m_17` -> the file's name, for those that are known otherwise.

    Raises:
        Pose3DError: A joint that is not found, with the file's names, or a given one that is not there.
    """
    given = dict(given or {})
    _check_given(motion, where, given)
    plain: dict[str, int] = {}
    for number, name in enumerate(motion.names):
        plain.setdefault(_plain(name), number)
    found = {joint: motion.index(name) for joint, name in given.items()}
    if set(_ACCLAIM.values()) <= set(motion.names):
        found = {joint: motion.index(name) for joint, name in _ACCLAIM.items()} | found
    for joint in _WANTED.joints:
        if joint != "pelvis" and joint not in found:
            place = _find(joint, motion, plain, found)
            if place is None:
                raise Pose3DError(
                    f"{where}: no joint that is {joint}, expected a usual name such as "
                    f"{_candidates(joint)[0] if joint != 'head_top' else 'an end of the head'}; say which it "
                    f'is (--joints \'{{"{joint}": "NAME"}}\') of {", ".join(motion.names[:40])}'
                )
            found[joint] = place
    return found


def _check_given(motion: SkeletonMotion, where: str, given: Mapping[str, str]) -> None:
    for joint, name in given.items():
        if joint not in _WANTED.joints[1:]:
            raise Pose3DError(f"no joint {joint!r} to name, expected {', '.join(_WANTED.joints[1:])}")
        if name not in motion.names:
            raise Pose3DError(
                f"{where}: no joint {name!r} for {joint}, it has {', '.join(motion.names[:40])}"
            )


def _candidates(joint: str) -> tuple[str, ...]:
    if joint in _MIDDLE:
        return _MIDDLE[joint]
    side, _, part = joint.partition("_")
    return tuple(name.format(side={"l": "left", "r": "right"}[side], s=side) for name in _SIDED.get(part, ()))


def _find(joint: str, motion: SkeletonMotion, plain: dict[str, int], found: dict[str, int]) -> int | None:
    if joint == "head_top":
        return _top_of_head(motion, plain, found["head"])
    here = [plain[name] for name in _candidates(joint) if name in plain]
    if joint == "spine":
        hips = [motion.positions[:1, found[f"{side}_hip"]] for side in "lr"]
        thigh = np.linalg.norm(motion.positions[0, found["l_knee"]] - hips[0][0])
        middle = (hips[0] + hips[1])[0] / 2
        here = [
            number
            for number in here
            if np.linalg.norm(motion.positions[0, number] - middle) > _SAME_PLACE * thigh
        ]
    return here[0] if here else None


def _top_of_head(motion: SkeletonMotion, plain: dict[str, int], head: int) -> int | None:
    for name in _TOPS:
        if name in plain:
            return plain[name]
    # Of what hangs on the head, the farthest from it: eyes and jaws are nearer than the crown.
    children = [number for number, parent in enumerate(motion.parents) if parent == head]
    lengths = [float(np.linalg.norm(motion.offsets[number])) for number in children]
    return children[int(np.argmax(lengths))] if children and max(lengths) > 0 else None


def seventeen_joints(motion: SkeletonMotion, found: Mapping[str, int]) -> Floats:
    """`(F, 17, 3)` in the file's unit and axes, layout `h36m_17`.

    Args:
        motion: The file's.
        found: Of `find_joints`.
    """
    columns = [motion.positions[:, found[joint]] for joint in _WANTED.joints[1:]]
    hips = [motion.positions[:, found[f"{side}_hip"]] for side in "lr"]
    return np.stack([(hips[0] + hips[1]) / 2, *columns], axis=1)
