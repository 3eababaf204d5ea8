"""Joints by the names that people and tools give them."""

from __future__ import annotations

import re

__all__ = ["find_joint"]

# Words for the same point, without side.
_SYNONYMS = {
    "pelvis": "pelvis",
    "midhip": "pelvis",
    "hipcenter": "pelvis",
    "hipscenter": "pelvis",
    "root": "pelvis",
    "spinebase": "pelvis",
    "spine": "spine",
    "spinemid": "spine",
    "spinenavel": "spine",
    "spinechest": "spine4",
    "spineshoulder": "neck",
    "torso": "spine",
    "belly": "spine",
    "neck": "neck",
    "thorax": "neck",
    "upperneck": "mpii_upper_neck",
    "headbottom": "mpii_upper_neck",
    "chin": "mpii_upper_neck",
    "forehead": "mpii_head_top",
    "nose": "nose",
    "head": "head",
    "headtop": "head_top",
    "topofhead": "head_top",
    "tophead": "head_top",
    "crown": "head_top",
    "hip": "hip",
    "knee": "knee",
    "ankle": "ankle",
    "foot": "foot",
    "heel": "heel",
    "toe": "toe",
    "bigtoe": "big_toe",
    "smalltoe": "small_toe",
    "shoulder": "shoulder",
    "elbow": "elbow",
    "wrist": "wrist",
    "hand": "hand",
    "eye": "eye",
    "ear": "ear",
}
_MIDDLE = {
    "pelvis",
    "spine",
    "spine4",
    "neck",
    "mpii_upper_neck",
    "mpii_head_top",
    "nose",
    "head",
    "head_top",
}
# DeepLabCut's human model and its forerunners number the sides: 1 is right, 2 is left.
_SIDES = {"left": "l", "l": "l", "2": "l", "right": "r", "r": "r", "1": "r"}


def find_joint(name: str) -> str | None:
    """The joint that a name like `left_hip`, `LHip`, `Hip.L` or `hip2` means; None where it means none.

    Args:
        name: As a tool writes it.

    Returns:
        A joint name of `tf_pose3d.skeleton`.
    """
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d", name)
    words = [word.lower() for word in words]
    sides = [_SIDES[word] for word in words if word in _SIDES]
    rest = "".join(word for word in words if word not in _SIDES)
    if not sides and rest not in _SYNONYMS and rest[:1] in ("l", "r"):
        sides, rest = [rest[0]], rest[1:]
    point = _SYNONYMS.get(rest)
    if point is None or (point in _MIDDLE) == bool(sides) or len(sides) > 1:
        return None
    return f"{sides[0]}_{point}" if sides else point
