"""Joint layouts: names, hierarchy, left/right, and the mapping between any two of them.

Joints have one name in all layouts, so that mapping is by name. Where data sets name the same point
differently, the names here are those of the Uplift and Upsample release and of the original motion
files: the point that VideoPose3D's list calls Spine is `spine` (Uplift: torso), Thorax is `neck`,
Neck/Nose is `head`, and Head is `head_top`. A detector's `nose` is another point than `head`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from tf_pose3d.errors import Pose3DError, shown

__all__ = [
    "LAYOUTS",
    "Skeleton",
    "convert_joints",
    "get_skeleton",
    "joint_indices",
    "layouts",
    "make_skeleton",
    "missing_joints",
    "used_joints",
]


@dataclass(frozen=True)
class Skeleton:
    """A joint layout.

    Attributes:
        name: The layout's name, e.g. `"h36m_17"`.
        joints: Joint names in storage order.
        parents: Index of each joint's parent, -1 for the root (and only for it).
        left: Indices of the joints on the person's left side.
        right: Indices of their mirror images, in the same order.
        root: Index of the root joint.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    root: int

    @property
    def num_joints(self) -> int:
        """J."""
        return len(self.joints)

    @cached_property
    def flip_order(self) -> tuple[int, ...]:
        """Index permutation that swaps left and right: `mirrored = pose[..., flip_order, :]`."""
        order = list(range(self.num_joints))
        for left, right in zip(self.left, self.right, strict=True):
            order[left], order[right] = right, left
        return tuple(order)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) index pairs, in the order of the children."""
        return tuple((parent, child) for child, parent in enumerate(self.parents) if parent >= 0)

    def index(self, joint: str) -> int:
        """Index of a joint by name. Raises Pose3DError when the layout lacks it."""
        if joint not in self.joints:
            raise Pose3DError(f"layout {self.name} has no joint {joint!r}; it has {', '.join(self.joints)}")
        return self.joints.index(joint)


# The hierarchy shared by all layouts. A joint's parent in a layout is the nearest ancestor it holds.
_ANCESTOR = {
    "hips_end": "pelvis",
    "spine": "hips_end",
    "spine2": "spine",
    "spine3": "spine2",
    "spine4": "spine3",
    "mpii_thorax": "spine4",
    "neck": "mpii_thorax",
    "mpii_upper_neck": "neck",
    "head": "mpii_upper_neck",
    "head_top": "head",
    "mpii_head_top": "head_top",
    "nose": "head",
}
for _side in ("l", "r"):
    _ANCESTOR |= {
        f"{_side}_{child}": parent if parent in ("pelvis", "neck", "nose") else f"{_side}_{parent}"
        for child, parent in {
            "hip": "pelvis",
            "knee": "hip",
            "ankle": "knee",
            "heel": "ankle",
            "foot": "ankle",
            "toe": "foot",
            "big_toe": "ankle",
            "small_toe": "ankle",
            "foot_index": "heel",
            "clavicle": "neck",
            "shoulder": "clavicle",
            "elbow": "shoulder",
            "wrist": "elbow",
            "hand": "wrist",
            "thumb": "wrist",
            "thumb_end": "thumb",
            "hand_end": "hand",
            "pinky": "wrist",
            "index": "wrist",
            "eye_inner": "nose",
            "eye": "eye_inner",
            "eye_outer": "eye",
            "ear": "eye_outer",
            "mouth": "nose",
        }.items()
    }


def _layout(name: str, joints: str, parents: Mapping[str, str] | None = None) -> Skeleton:
    """Build a layout from joint names in order, a mapping of parents overriding the hierarchy.

    The joint without an ancestor in the layout is the root.
    """
    names = tuple(joints.split())
    overrides = parents or {}

    def parent_of(joint: str) -> int:
        ancestor = overrides.get(joint, _ANCESTOR.get(joint))
        while ancestor is not None and ancestor not in names:
            ancestor = _ANCESTOR.get(ancestor)
        return -1 if ancestor is None else names.index(ancestor)

    indices = tuple(parent_of(joint) for joint in names)
    left = tuple(i for i, joint in enumerate(names) if joint.startswith("l_"))
    right = tuple(names.index("r_" + names[i][2:]) for i in left)
    return Skeleton(name, names, indices, left, right, root=indices.index(-1))


_H36M_17 = (
    "pelvis r_hip r_knee r_ankle l_hip l_knee l_ankle spine neck head head_top "
    "l_shoulder l_elbow l_wrist r_shoulder r_elbow r_wrist"
)
_COCO_17 = (
    "nose l_eye r_eye l_ear r_ear l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist "
    "l_hip r_hip l_knee r_knee l_ankle r_ankle"
)
_HUNG_FROM_NOSE = {"l_shoulder": "nose", "r_shoulder": "nose", "l_hip": "l_shoulder", "r_hip": "r_shoulder"}

_HUMANEVA_20 = (
    "pelvis torso_top head_base "
    "l_shoulder l_upper_elbow l_lower_elbow l_wrist r_shoulder r_upper_elbow r_lower_elbow r_wrist "
    "l_hip l_upper_knee l_lower_knee l_ankle r_hip r_upper_knee r_lower_knee r_ankle head",
    {"torso_top": "pelvis", "head_base": "torso_top", "head": "head_base"}
    | {
        f"{side}_{child}": parent if parent == "torso_top" else f"{side}_{parent}"
        for side in "lr"
        for child, parent in {
            "shoulder": "torso_top",
            "upper_elbow": "shoulder",
            "lower_elbow": "upper_elbow",
            "wrist": "lower_elbow",
            "upper_knee": "hip",
            "lower_knee": "upper_knee",
            "ankle": "lower_knee",
        }.items()
    },
)

LAYOUTS: Mapping[str, Skeleton] = {
    skeleton.name: skeleton
    for skeleton in (
        _layout(
            "h36m_32",
            "pelvis r_hip r_knee r_ankle r_foot r_toe l_hip l_knee l_ankle l_foot l_toe "
            "hips_end spine neck head head_top "
            "l_clavicle l_shoulder l_elbow l_wrist l_thumb l_thumb_end l_hand l_hand_end "
            "r_clavicle r_shoulder r_elbow r_wrist r_thumb r_thumb_end r_hand r_hand_end",
        ),
        _layout("h36m_17", _H36M_17),
        _layout("h36m_16", _H36M_17.replace(" head ", " ")),
        _layout(
            "uplift_17",
            "r_ankle r_knee r_hip l_hip l_knee l_ankle pelvis neck spine head head_top "
            "r_wrist r_elbow r_shoulder l_shoulder l_elbow l_wrist",
        ),
        _layout(
            "amass_17",
            "pelvis l_hip l_knee l_ankle r_hip r_knee r_ankle spine neck head head_top "
            "l_shoulder l_elbow l_wrist r_shoulder r_elbow r_wrist",
        ),
        _layout(
            "union_20",
            "pelvis r_hip r_knee r_ankle l_hip l_knee l_ankle spine mpii_thorax neck mpii_upper_neck "
            "head head_top mpii_head_top l_shoulder l_elbow l_wrist r_shoulder r_elbow r_wrist",
        ),
        _layout(
            "mpi_inf_3dhp_17",
            "pelvis head_top neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist "
            "r_hip r_knee r_ankle l_hip l_knee l_ankle spine head",
        ),
        _layout(
            "mpi_inf_3dhp_28",
            "spine3 spine4 spine2 spine pelvis neck head head_top "
            "l_clavicle l_shoulder l_elbow l_wrist l_hand r_clavicle r_shoulder r_elbow r_wrist r_hand "
            "l_hip l_knee l_ankle l_foot l_toe r_hip r_knee r_ankle r_foot r_toe",
        ),
        _layout(
            "humaneva_15",
            "pelvis neck l_shoulder l_elbow l_wrist r_shoulder r_elbow r_wrist "
            "l_hip l_knee l_ankle r_hip r_knee r_ankle head",
        ),
        # HumanEva's own markers: elbows and knees twice, as the ends of either limb.
        _layout("humaneva_20", *_HUMANEVA_20),
        _layout("coco_17", _COCO_17, _HUNG_FROM_NOSE),
        _layout(
            "openpose_25",
            "nose neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist pelvis r_hip r_knee r_ankle "
            "l_hip l_knee l_ankle r_eye l_eye r_ear l_ear l_big_toe l_small_toe l_heel "
            "r_big_toe r_small_toe r_heel",
        ),
        _layout(
            "openpose_18",
            "nose neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist r_hip r_knee r_ankle "
            "l_hip l_knee l_ankle r_eye l_eye r_ear l_ear",
            {"l_hip": "neck", "r_hip": "neck"},
        ),
        _layout(
            "mediapipe_33",
            "nose l_eye_inner l_eye l_eye_outer r_eye_inner r_eye r_eye_outer l_ear r_ear l_mouth r_mouth "
            "l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_pinky r_pinky l_index r_index "
            "l_thumb r_thumb l_hip r_hip l_knee r_knee l_ankle r_ankle l_heel r_heel "
            "l_foot_index r_foot_index",
            _HUNG_FROM_NOSE,
        ),
        _layout(
            "halpe_26",
            _COCO_17 + " head_top neck pelvis l_big_toe r_big_toe l_small_toe r_small_toe l_heel r_heel",
        ),
        _layout(
            "openpose_25b",
            _COCO_17 + " mpii_upper_neck mpii_head_top "
            "l_big_toe l_small_toe l_heel r_big_toe r_small_toe r_heel",
            {
                f"{side}_{joint}": parent
                for side in "lr"
                for joint, parent in (("shoulder", "mpii_upper_neck"), ("hip", f"{side}_shoulder"))
            },
        ),
        # OpenPose's MPI model: the 15 joints of MPII's annotations that it keeps, chest last.
        _layout(
            "openpose_15",
            "mpii_head_top neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist r_hip r_knee r_ankle "
            "l_hip l_knee l_ankle spine",
            {"l_hip": "spine", "r_hip": "spine", "neck": "spine"},
        ),
        _layout(
            "mpii_16",
            "r_ankle r_knee r_hip l_hip l_knee l_ankle pelvis mpii_thorax mpii_upper_neck mpii_head_top "
            "r_wrist r_elbow r_shoulder l_shoulder l_elbow l_wrist",
            {"l_shoulder": "mpii_thorax", "r_shoulder": "mpii_thorax"},
        ),
        _layout(
            "crowdpose_14",
            "l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_hip r_hip l_knee r_knee l_ankle r_ankle "
            "head_top neck",
            {"l_hip": "neck", "r_hip": "neck"},
        ),
        _layout(
            "aic_14",
            "r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist r_hip r_knee r_ankle l_hip l_knee l_ankle "
            "head_top neck",
            {"l_hip": "neck", "r_hip": "neck"},
        ),
        # Kinect's SpineMid is `spine`, SpineShoulder `neck`, Neck `mpii_upper_neck`, the hands' tips
        # `hand_end`.
        _layout(
            "kinect_25",
            "pelvis spine mpii_upper_neck head l_shoulder l_elbow l_wrist l_hand r_shoulder r_elbow r_wrist "
            "r_hand l_hip l_knee l_ankle l_foot r_hip r_knee r_ankle r_foot neck l_hand_end l_thumb "
            "r_hand_end r_thumb",
        ),
        # Azure Kinect's spine navel is `spine`, spine chest `spine4`.
        _layout(
            "azure_kinect_32",
            "pelvis spine spine4 neck l_clavicle l_shoulder l_elbow l_wrist l_hand l_hand_end l_thumb "
            "r_clavicle r_shoulder r_elbow r_wrist r_hand r_hand_end r_thumb l_hip l_knee l_ankle l_foot "
            "r_hip r_knee r_ankle r_foot head nose l_eye l_ear r_eye r_ear",
        ),
    )
}
_ALIASES = {
    "coco_18": "openpose_18",
    "body_25": "openpose_25",
    "body_25b": "openpose_25b",
    "mpi_15": "openpose_15",
}
# What people call a layout in short, for advice: the bare names of tools and data sets.
_SHORT = {
    "coco": "coco_17",
    "h36m": "h36m_17",
    "human36m": "h36m_17",
    "openpose": "openpose_25",
    "halpe": "halpe_26",
    "mediapipe": "mediapipe_33",
    "mpii": "mpii_16",
    "humaneva": "humaneva_15",
    "kinect": "kinect_25",
    "azure": "azure_kinect_32",
}

# How to make a joint that the source lacks: weights over other joints, which may be derived themselves.
# The first rule whose joints can be had is taken. Weights sum to one, so a rule holds in pixels and metres.
_RULES: Mapping[str, tuple[Mapping[str, float], ...]] = {
    "pelvis": ({"l_hip": 0.5, "r_hip": 0.5},),
    "neck": (
        {"torso_top": 0.5, "head_base": 0.5},
        {"l_shoulder": 0.5, "r_shoulder": 0.5},
        {"mpii_thorax": 1.0},
    ),
    **{
        f"{side}_{joint}": ({f"{side}_upper_{joint}": 0.5, f"{side}_lower_{joint}": 0.5},)
        for side in "lr"
        for joint in ("elbow", "knee")
    },
    "spine": ({"pelvis": 0.5, "neck": 0.5},),
    "head": ({"nose": 1.0}, {"l_ear": 0.5, "r_ear": 0.5}, {"neck": 0.5, "head_top": 0.5}),
    # The ears are two thirds of the way from the shoulder line to the crown, `head` is half of it.
    "head_top": (
        {"mpii_head_top": 1.0},
        {"l_ear": 0.75, "r_ear": 0.75, "neck": -0.5},
        {"head": 2.0, "neck": -1.0},
    ),
    "nose": ({"head": 1.0},),
    "mpii_thorax": ({"neck": 1.0},),
    "mpii_upper_neck": ({"neck": 0.5, "head": 0.5},),
    "mpii_head_top": ({"head_top": 1.0},),
    # In Human3.6M's 32 joints these coincide with another joint.
    "hips_end": ({"pelvis": 1.0},),
    "l_clavicle": ({"neck": 1.0},),
    "r_clavicle": ({"neck": 1.0},),
}


def make_skeleton(name: str, joints: tuple[str, ...]) -> Skeleton:
    """A layout of some of the joints that the layouts here name, e.g. those that a detector found.

    A joint's parent is its nearest ancestor among them; where several joints have none, all are roots and
    the first is `root`. A joint without its mirror image counts to neither side.

    Args:
        name: Name of the new layout.
        joints: Distinct joint names, in order.
    """
    indices = []
    for joint in joints:
        ancestor = _ANCESTOR.get(joint)
        while ancestor is not None and ancestor not in joints:
            ancestor = _ANCESTOR.get(ancestor)
        indices.append(-1 if ancestor is None else joints.index(ancestor))
    left = tuple(i for i, joint in enumerate(joints) if joint.startswith("l_") and "r_" + joint[2:] in joints)
    right = tuple(joints.index("r_" + joints[i][2:]) for i in left)
    return Skeleton(name, joints, tuple(indices), left, right, root=indices.index(-1) if indices else 0)


def get_skeleton(name: str | Skeleton) -> Skeleton:
    """The layout of this name; a Skeleton is passed through.

    Raises:
        Pose3DError: There is no such layout.
    """
    if isinstance(name, Skeleton):
        return name
    if not isinstance(name, str):
        raise Pose3DError(f"a joint layout is {str(name)[:40]!r}, expected its name, like 'coco_17'")
    skeleton = LAYOUTS.get(_ALIASES.get(name, name))
    if skeleton is None:
        known = sorted([*LAYOUTS, *_ALIASES])
        plain = name.lower().replace("-", "_").strip("_ ")
        nearest = _SHORT.get(plain.replace("_", "")) or next(
            (layout for layout in known if layout.replace("_", "") == plain.replace("_", "")),
            difflib.get_close_matches(plain[:80], known, n=1, cutoff=0.0)[0],
        )
        raise Pose3DError(
            f"unknown joint layout {shown(name)}: did you mean {nearest!r}? Known: {', '.join(known)}"
        )
    return skeleton


def joint_indices(source: str | Skeleton, target: str | Skeleton) -> np.ndarray:
    """Indices that pick the target's joints out of the source: `target_pose = source_pose[..., indices, :]`.

    Args:
        source: The layout that is held.
        target: The layout that is wanted.

    Returns:
        `(Jt,)` int64 indices into the source's joints.

    Raises:
        Pose3DError: The source lacks a joint of the target; the message names it.
    """
    held, wanted = get_skeleton(source), get_skeleton(target)
    missing = [joint for joint in wanted.joints if joint not in held.joints]
    if missing:
        raise Pose3DError(f"layout {held.name} lacks {', '.join(missing)} of layout {wanted.name}")
    return np.array([held.joints.index(joint) for joint in wanted.joints])


def _resolve(joint: str, held: Skeleton, seen: tuple[str, ...] = ()) -> dict[int, float] | None:
    """Weights over the held joints that give `joint`; None when no rule reaches it."""
    if joint in held.joints:
        return {held.joints.index(joint): 1.0}
    for rule in _RULES.get(joint, ()):
        # `head` and `head_top` may each be made from the other: a joint under way is not a source.
        if any(part in seen for part in rule):
            continue
        parts = [_resolve(part, held, (*seen, joint)) for part in rule]
        known = [weights for weights in parts if weights is not None]
        if len(known) < len(parts):
            continue
        total: dict[int, float] = {}
        for factor, weights in zip(rule.values(), known, strict=True):
            for index, weight in weights.items():
                total[index] = total.get(index, 0.0) + factor * weight
        return total
    return None


def missing_joints(source: str | Skeleton, target: str | Skeleton) -> list[str]:
    """The target's joints that no rule of `convert_joints` makes out of the source's."""
    held, wanted = get_skeleton(source), get_skeleton(target)
    return [joint for joint in wanted.joints if _resolve(joint, held) is None]


@cache
def _derivation(held: Skeleton, wanted: Skeleton) -> tuple[tuple[tuple[int, ...], tuple[float, ...]], ...]:
    """For each target joint, the source indices it is made of and their weights."""
    missing = missing_joints(held, wanted)
    if missing:
        raise Pose3DError(
            f"layout {held.name} cannot be turned into {wanted.name}: nothing gives {', '.join(missing)}"
        )
    resolved = [_resolve(joint, held) or {} for joint in wanted.joints]
    return tuple((tuple(weights), tuple(weights.values())) for weights in resolved)


def used_joints(source: str | Skeleton, target: str | Skeleton) -> list[int]:
    """Indices of the source's joints of which `convert_joints` makes the target's, increasing.

    Raises:
        Pose3DError: No rule gives a joint of the target.
    """
    derivation = _derivation(get_skeleton(source), get_skeleton(target))
    return sorted({index for indices, _ in derivation for index in indices})


def convert_joints(
    points: np.ndarray, source: str | Skeleton, target: str | Skeleton, *, confidence: bool = False
) -> np.ndarray:
    """Poses of one layout in another, making up joints that the source lacks.

    The rules: pelvis is the mean of the hips; neck the mean of the shoulders; spine the mean of pelvis
    and neck; head is the nose, else the mean of the ears, else the mean of neck and head top; head top
    is MPII's head top, else lies on the line from the neck through the middle of the ears, half as far
    again, else twice as far from the neck as the head; nose is the head. Only joints that a rule uses
    enter its result, so that a missing (NaN) joint spoils nothing else.

    Args:
        points: `(..., Js, C)` in any unit and frame.
        source: The layout of `points`.
        target: The layout that is wanted.
        confidence: The last channel is a confidence; a derived joint gets the lowest of those it uses.

    Returns:
        `(..., Jt, C)` of the same dtype, float32 for integers.

    Raises:
        Pose3DError: No rule gives a joint of the target, or `points` does not have Js joints.
    """
    held, wanted = get_skeleton(source), get_skeleton(target)
    points = np.asarray(points)
    if not np.issubdtype(points.dtype, np.floating):
        points = points.astype(np.float32)
    if points.ndim < 2 or points.shape[-2] != held.num_joints:
        raise Pose3DError(
            f"points of shape {points.shape} do not hold the {held.num_joints} joints of layout {held.name}"
        )
    derivation = _derivation(held, wanted)
    result = points[..., [indices[0] for indices, _ in derivation], :]
    for joint, (indices, weights) in enumerate(derivation):
        if len(indices) == 1:
            continue
        parts = points[..., list(indices), :]
        result[..., joint, :] = np.einsum("...jc,j->...c", parts, np.asarray(weights, parts.dtype))
        if confidence:
            result[..., joint, -1] = parts[..., -1].min(axis=-1)
    return result


def layouts() -> dict[str, int]:
    """Name -> number of joints of every joint layout, as `layout=` and `--layout` take them.

    tf_pose3d.layouts()["coco_17"]  # 17
    """
    return {name: layout.num_joints for name, layout in LAYOUTS.items()}
