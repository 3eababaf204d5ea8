"""Lengths of a typical adult's bones, where nothing tells a person's own."""

from __future__ import annotations

from collections.abc import Mapping

from tf_pose3d.skeleton import Skeleton

__all__ = ["BONE_LENGTHS", "typical_bones"]

# Metres, rounded, of the first subject of Human3.6M; by (parent, child) without sides.
BONE_LENGTHS: Mapping[tuple[str, str], float] = {
    ("pelvis", "hip"): 0.133,
    ("hip", "knee"): 0.443,
    ("knee", "ankle"): 0.454,
    ("pelvis", "spine"): 0.233,
    ("spine", "neck"): 0.257,
    ("neck", "head"): 0.121,
    ("head", "head_top"): 0.115,
    ("neck", "head_top"): 0.236,
    ("neck", "shoulder"): 0.151,
    ("shoulder", "elbow"): 0.279,
    ("elbow", "wrist"): 0.252,
}


def typical_bones(skeleton: Skeleton) -> dict[tuple[int, int], float]:
    """(parent, child) -> metres of those bones of a layout whose typical length is known."""
    names = [joint.removeprefix("l_").removeprefix("r_") for joint in skeleton.joints]
    lengths = {bone: BONE_LENGTHS.get((names[bone[0]], names[bone[1]])) for bone in skeleton.bones}
    return {bone: length for bone, length in lengths.items() if length is not None}
