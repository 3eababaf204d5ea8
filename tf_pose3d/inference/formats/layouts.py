"""Joint layouts of detections, by the user's word or by their number of joints."""

from __future__ import annotations

from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import LAYOUTS, Skeleton, get_skeleton

__all__ = ["BODY_OF", "choose_layout"]

# Whole-body layouts begin with the joints of a body layout.
BODY_OF = {133: "coco_17", 136: "halpe_26"}


def choose_layout(layout: str | None, joints: int, expected: dict[int, str], where: str) -> Skeleton:
    """The layout of detections.

    Args:
        layout: What the user says; None: by the number of joints.
        joints: Joints of a detection.
        expected: Number of joints -> layout that the format gives them.
        where: Names the file in messages.

    Raises:
        Pose3DError: An unknown layout, one of another number of joints, or a number without a layout.
    """
    if layout is not None:
        skeleton = get_skeleton(layout)
        if skeleton.num_joints != joints and BODY_OF.get(joints) != skeleton.name:
            raise Pose3DError(f"{where} has {joints} joints, but --layout {layout} has {skeleton.num_joints}")
        return skeleton
    name = expected.get(joints) or BODY_OF.get(joints)
    if name is None:
        known = ", ".join(f"{count} ({name})" for count, name in sorted({**expected, **BODY_OF}.items()))
        fitting = [held.name for held in LAYOUTS.values() if held.num_joints == joints]
        hint = f"; layouts with {joints}: {', '.join(fitting)} (--layout)" if fitting else ""
        raise Pose3DError(f"{where} has {joints} joints, expected {known}{hint}")
    return get_skeleton(name)
