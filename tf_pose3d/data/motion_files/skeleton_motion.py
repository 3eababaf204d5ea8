"""What a file of motion capture holds: a hierarchy of joints and where they are in every frame."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "SkeletonMotion", "euler_matrices", "forward_kinematics"]

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class SkeletonMotion:
    """Joints in the world, in the file's own axes and unit.

    Attributes:
        names: Of the J joints, as the file spells them; the end of a last bone is `NAME_end`.
        parents: Index of each joint's parent, which comes before it; -1 for a root.
        offsets: `(J, 3)` of each joint from its parent in the rest pose.
        rotations: `(F, J, 3, 3)` of each joint's own axes in the world; those of the rest pose are the
            identity. An end has its parent's.
        positions: `(F, J, 3)`.
        fps: Frames per second; None where the file does not say (AMC).
        metres: Length of the file's unit; None where the file does not say (BVH).
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Floats
    rotations: Floats
    positions: Floats
    fps: float | None
    metres: float | None = None

    def index(self, name: str) -> int:
        """The joint of this name."""
        return self.names.index(name)


def euler_matrices(angles: Floats, axes: str) -> Floats:
    """`(F, 3, 3)` products of rotations about coordinate axes, in the order in which they are written.

    Args:
        angles: `(F, n)` radians.
        axes: n letters of `xyz`: `"zxy"` is `Rz @ Rx @ Ry`, which turns a column vector about y first.
    """
    product = np.broadcast_to(np.eye(3), (len(angles), 3, 3))
    for number, axis in enumerate(axes):
        first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
        turn = np.zeros((len(angles), 3, 3))
        fixed = "xyz".index(axis)
        cosine, sine = np.cos(angles[:, number]), np.sin(angles[:, number])
        turn[:, fixed, fixed] = 1
        turn[:, first, first] = turn[:, second, second] = cosine
        turn[:, second, first], turn[:, first, second] = sine, -sine
        product = product @ turn
    return np.array(product)


def forward_kinematics(
    parents: tuple[int, ...], translations: Floats, rotations: Floats
) -> tuple[Floats, Floats]:
    """World positions and rotations of joints that are given against their parents.

    Args:
        parents: Of the J joints, each before its children; -1 for a root.
        translations: `(F, J, 3)` in the parent's axes.
        rotations: `(F, J, 3, 3)` against the parent's axes.

    Returns:
        `(F, J, 3)`, `(F, J, 3, 3)`.
    """
    positions, turned = np.array(translations), np.array(rotations)
    for joint, parent in enumerate(parents):
        if parent < 0:
            continue
        moved = np.einsum("fij,fj->fi", turned[:, parent], translations[:, joint])
        positions[:, joint] = positions[:, parent] + moved
        turned[:, joint] = turned[:, parent] @ rotations[:, joint]
    return positions, turned
