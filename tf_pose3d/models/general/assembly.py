"""The general lifter's skeleton, and poses of what its network says of each frame, in NumPy alone.

Nothing here needs Keras: an exported network and this module lift clips of any length.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.motion_clips import MOTION_SKELETON
from tf_pose3d.skeleton import get_skeleton

__all__ = ["BONE_LENGTHS", "KNEE_MARGIN", "assemble_clip", "bone_chain", "bone_groups"]

Floats = npt.NDArray[np.float32]

# Lengths in metres round which the network predicts, by the joint at the bone's end: a typical adult's.
BONE_LENGTHS = {
    "hip": 0.09,
    "knee": 0.40,
    "ankle": 0.41,
    "spine": 0.22,
    "neck": 0.25,
    "head": 0.16,
    "head_top": 0.12,
    "shoulder": 0.18,
    "elbow": 0.28,
    "wrist": 0.26,
}
# How far a knee may lie behind the line from hip to ankle, metres.
KNEE_MARGIN = 0.035
_JOINTS = get_skeleton(MOTION_SKELETON).joints[1:]
_SMALL = 1e-8


def bone_groups() -> tuple[list[str], npt.NDArray[np.int64]]:
    """Names of the bones that have one length on both sides, and which of them each of the 16 bones is."""
    names = [joint.removeprefix("l_").removeprefix("r_") for joint in _JOINTS]
    kinds = list(dict.fromkeys(names))
    return kinds, np.array([kinds.index(name) for name in names])


def bone_chain() -> Floats:
    """`(16, 17)`: 1 where a bone lies between the root and a joint."""
    skeleton = get_skeleton(MOTION_SKELETON)
    matrix = np.zeros((skeleton.num_joints - 1, skeleton.num_joints), np.float32)
    for joint in range(skeleton.num_joints):
        ancestor = joint
        while ancestor != skeleton.root:
            matrix[ancestor - 1, joint] = 1
            ancestor = skeleton.parents[ancestor]
    return matrix


def assemble_clip(bones: Floats, log_lengths: Floats, settings: Mapping[str, object]) -> Floats:
    """Poses of a clip: what `GeneralNet.assemble` gives, with bone lengths that are means over the clip.

    Args:
        bones: `(F, 16, 3)` of the network, in the camera.
        log_lengths: `(F, kinds)` natural logarithms of metres; `(F, 0)` where joints are free.
        settings: The network's: `constant_bones`, `knees_forward`.

    Returns:
        `(F, 17, 3)` metres, root at 0.
    """
    bones = np.array(bones, np.float32)
    if settings["constant_bones"]:
        _, kinds = bone_groups()
        bones *= np.exp(log_lengths.mean(axis=0, dtype=np.float64))[kinds].astype(np.float32)[:, None]
    if settings["knees_forward"]:
        _bend_knees(bones)
    return np.einsum("fbc,bj->fjc", bones, bone_chain())


def _bend_knees(bones: Floats) -> None:
    """As `geometry/knees.py` in the network: no knee behind its margin."""
    at = {joint: number for number, joint in enumerate(_JOINTS)}
    across = bones[:, at["l_hip"]] - bones[:, at["r_hip"]]
    front = np.cross(across, bones[:, at["spine"]] + bones[:, at["neck"]])
    front /= np.sqrt(np.maximum(np.sum(front * front, axis=-1, keepdims=True), _SMALL))
    for side in "lr":
        thigh, shin = bones[:, at[f"{side}_knee"]], bones[:, at[f"{side}_ankle"]]
        along = np.sum(shin * front, axis=-1, keepdims=True)
        ahead = np.sum(thigh * front, axis=-1, keepdims=True)
        square = np.sum(shin * shin, axis=-1, keepdims=True)
        length = np.sqrt(np.maximum(square, _SMALL))
        most = np.clip(ahead + 2 * KNEE_MARGIN, -0.999 * length, 0.999 * length)
        rest = shin - along * front + 1e-3 * (thigh - ahead * front)
        rest /= np.sqrt(np.maximum(np.sum(rest * rest, axis=-1, keepdims=True), _SMALL))
        bent = most * front + np.sqrt(np.maximum(square - most * most, _SMALL)) * rest
        bones[:, at[f"{side}_ankle"]] = np.where(along > most, bent, shin)
