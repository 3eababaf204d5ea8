"""The joint layout that a `data_2d_*.npz` file states in its metadata, as VideoPose3D's tools write them.

`layout_name` names it; files of the stacked hourglass have `keypoints_symmetry` alone: the joints of the
left side and those of the right, which tell layouts of the same number of joints apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tf_pose3d.data.datasets import Log
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import LAYOUTS, Skeleton, convert_joints, get_skeleton, joint_indices, make_skeleton
from tf_pose3d.types import Parsed

__all__ = ["HOURGLASS_16", "MPII_16", "in_layout", "say_conversion", "stated_layout"]

# What the stacked hourglass finds, in MPII's order; Martinez et al. read its points as these of Human3.6M's.
HOURGLASS_16 = make_skeleton(
    "hourglass_16",
    (
        *("r_ankle", "r_knee", "r_hip", "l_hip", "l_knee", "l_ankle", "pelvis", "spine", "neck", "head_top"),
        *("r_wrist", "r_elbow", "r_shoulder", "l_shoulder", "l_elbow", "l_wrist"),
    ),
)
MPII_16 = make_skeleton(
    "mpii_16",
    tuple(
        {"spine": "mpii_thorax", "neck": "mpii_upper_neck", "head_top": "mpii_head_top"}.get(joint, joint)
        for joint in HOURGLASS_16.joints
    ),
)

# `layout_name` -> number of joints -> layout; the names of `tf_pose3d.skeleton` are known, too.
_NAMES: Mapping[str, Mapping[int, Skeleton]] = {
    "h36m": {17: LAYOUTS["h36m_17"], 16: LAYOUTS["h36m_16"], 32: LAYOUTS["h36m_32"]},
    "coco": {17: LAYOUTS["coco_17"]},
    "mpii": {16: MPII_16},
    "humaneva15": {15: LAYOUTS["humaneva_15"]},
    "humaneva20": {20: LAYOUTS["humaneva_20"]},
} | {name: {skeleton.num_joints: skeleton} for name, skeleton in LAYOUTS.items()}


def stated_layout(metadata: Parsed, joints: int, expected: Mapping[int, str], where: str) -> Skeleton:
    """The layout of some 2D poses.

    Args:
        metadata: The file's, where it has any.
        joints: Joints of the poses.
        expected: Number of joints -> the layout that the data set's files have where nothing is stated.
        where: File and recording, for messages.

    Raises:
        Pose3DError: A layout of another number of joints, names and sides that contradict each other, or a
            number of joints for which neither the metadata nor the data set has a layout.
    """
    facts = metadata if isinstance(metadata, Mapping) else {}
    name, sides = facts.get("layout_name"), _sides(facts.get("keypoints_symmetry"))
    known = _NAMES.get(str(name).lower())
    if known is not None:
        if joints not in known:
            held = " or ".join(str(count) for count in known)
            layout = next(iter(known.values())).name if len(known) == 1 else f"the layout {name!r}"
            raise Pose3DError(f"{where} has {joints} joints, expected the {held} of {layout}")
        if sides and not _fits(known[joints], sides):
            other = (
                ", ".join(one.name for one in _of_symmetry(joints, sides, expected)) or "no known layout's"
            )
            raise Pose3DError(
                f"{where}: its metadata name the layout {name!r}, but their keypoints_symmetry is {other}: "
                "mend one of them"
            )
        return known[joints]
    fitting = _of_symmetry(joints, sides, expected) if any(sides) else []
    if fitting:
        return fitting[0]
    if name is not None:
        raise Pose3DError(
            f"{where} holds joints of layout {name!r}, expected one of {', '.join(_NAMES)} (metadata, "
            "layout_name)"
        )
    if any(sides):
        raise Pose3DError(
            f"{where}: the keypoints_symmetry of its metadata is that of no known layout of {joints} joints; "
            f"add layout_name, one of {', '.join(_NAMES)}"
        )
    if joints not in expected:
        raise Pose3DError(f"{where} has {joints} joints, expected {' or '.join(map(str, expected))}")
    return get_skeleton(expected[joints])


def _sides(symmetry: Parsed) -> list[set[int]]:
    """Joints of either side; none where the metadata do not say so.

    Which joint of one side mirrors which of the other is not asked: VideoPose3D's lists for the hourglass
    do not pair them.
    """
    if not isinstance(symmetry, (list, tuple, np.ndarray)) or len(symmetry) != 2:
        return []
    sides = [list(side) for side in symmetry if isinstance(side, (list, tuple, np.ndarray))]
    joints = [joint for side in sides for joint in side]
    if len(sides) != 2 or not all(isinstance(joint, (int, np.integer)) for joint in joints):
        return []
    left, right = ({int(joint) for joint in side} for side in sides)
    # Joints in the middle may be listed on both sides.
    return [left - right, right - left]


def _fits(skeleton: Skeleton, sides: list[set[int]]) -> bool:
    held = [set(skeleton.left), set(skeleton.right)]
    orders = (sides, sides[::-1])
    return any(all(part <= whole for part, whole in zip(order, held, strict=True)) for order in orders)


def _of_symmetry(joints: int, sides: list[set[int]], expected: Mapping[int, str]) -> list[Skeleton]:
    """Layouts of a number of joints that have these sides, the expected one first."""
    first = [get_skeleton(expected[joints])] if joints in expected else []
    others: Sequence[Skeleton] = [HOURGLASS_16, *LAYOUTS.values()]
    return [one for one in [*first, *others] if one.num_joints == joints and _fits(one, sides)]


def in_layout(values: np.ndarray, source: Skeleton, target: Skeleton, where: str) -> np.ndarray:
    """2D poses `(F, J, 2 or 3)` in another layout, float32; what the source lacks is made up from its joints.

    Raises:
        Pose3DError: No rule gives a joint of the target; see `convert_joints`.
    """
    values = values.astype(np.float32, copy=False)
    if all(joint in source.joints for joint in target.joints):
        return values[:, joint_indices(source, target)]
    try:
        return convert_joints(values, source, target, confidence=values.shape[2] == 3)
    except Pose3DError as error:
        raise Pose3DError(f"{where}: {error}") from None


def say_conversion(source: Skeleton, target: Skeleton, path: Parsed, log: Log | None) -> None:
    """Says which joints are made up where a file's layout lacks some that the model reads."""
    made_up = [joint for joint in target.joints if joint not in source.joints]
    if made_up and log is not None:
        log(f"{path} holds joints of {source.name}: {', '.join(made_up)} of {target.name} are made of them")
