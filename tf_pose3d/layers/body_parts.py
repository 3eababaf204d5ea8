"""The five parts of the body that RIE and EHFusion treat apart, and how their inputs enter a convolution."""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import Skeleton, get_skeleton

__all__ = ["BodyPart", "body_parts", "join_order"]

# Limb -> how the names of its joints begin and end.
_LIMBS = {
    "right_arm": ("r_", ("shoulder", "elbow", "wrist")),
    "left_arm": ("l_", ("shoulder", "elbow", "wrist")),
    "right_leg": ("r_", ("hip", "knee", "ankle")),
    "left_leg": ("l_", ("hip", "knee", "ankle")),
}


@dataclasses.dataclass(frozen=True)
class BodyPart:
    """A part of the body.

    Attributes:
        name: E.g. `"left_arm"`.
        joints: Indices of its joints in the layout, rising.
        inputs: Indices of the joints that its features are made of: its own, and behind them the root where
            that is not among them.
        root: Where the root is among `inputs`.
    """

    name: str
    joints: tuple[int, ...]
    inputs: tuple[int, ...]
    root: int

    def mixing_matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """How a kernel over the part's features becomes one over its joints' plain coordinates.

        A part of G joints is fed 6 G features a frame: its joints' x, y; the same relative to the root; the
        same relative to the window's predicted frame. All are linear in the I = len(inputs) joints of the
        frame and of the predicted frame.

        Returns:
            `(2 I, 6 G)` for the frame and `(2 I, 6 G)` for the predicted frame: features are the frame's
            coordinates times the first plus the predicted frame's times the second.
        """
        count, width = len(self.joints), len(self.inputs)
        own = np.eye(width, count, dtype=np.float32)
        from_root = own.copy()
        from_root[self.root] -= 1
        frame = np.kron(np.concatenate([own, from_root, own], axis=1), np.eye(2, dtype=np.float32))
        nothing = np.zeros_like(own)
        predicted = np.kron(np.concatenate([nothing, nothing, -own], axis=1), np.eye(2, dtype=np.float32))
        return frame, predicted


def body_parts(layout: str | Skeleton) -> tuple[BodyPart, ...]:
    """Torso, right arm, left arm, right leg and left leg: the releases' order, with the true sides.

    The releases hard-code 17 joints and call the right arm left and the right leg left. Here the parts follow
    from the joints' names: limbs are shoulder, elbow, wrist and hip, knee, ankle, each of which a layout may
    hold twice (HumanEva-I's 20 joints); the torso is the rest.

    Raises:
        Pose3DError: The layout lacks a limb.
    """
    skeleton = get_skeleton(layout)
    limbs: dict[str, tuple[int, ...]] = {}
    for limb, (side, ends) in _LIMBS.items():
        limbs[limb] = tuple(
            joint
            for joint, name in enumerate(skeleton.joints)
            if name.startswith(side) and name.endswith(ends)
        )
        if not limbs[limb]:
            raise Pose3DError(f"layout {skeleton.name} has no joints of the {limb.replace('_', ' ')}")
    taken = {joint for joints in limbs.values() for joint in joints}
    torso = tuple(joint for joint in range(skeleton.num_joints) if joint not in taken)
    parts = []
    for name, joints in {"torso": torso, **limbs}.items():
        inputs = joints if skeleton.root in joints else (*joints, skeleton.root)
        parts.append(BodyPart(name, joints, inputs, inputs.index(skeleton.root)))
    return tuple(parts)


def join_order(parts: tuple[BodyPart, ...]) -> list[int]:
    """Order that puts the parts' joints, one part behind the other, back into the layout's."""
    return np.argsort(np.concatenate([part.joints for part in parts])).tolist()
