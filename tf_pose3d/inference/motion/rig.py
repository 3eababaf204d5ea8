"""The skeleton that animation programs know: joint rotations that give the poses back, and its rest pose.

Rest pose: a T, y up, facing +z, the left at +x, every joint's axes those of the file. Rotations are relative
to the parent joint. Hips and spine turn with the root. A shoulder hangs, by a joint of its own at the neck's
base (the collar bone), on what carries the neck. Turning about a bone's own axis follows the bend of knee or
elbow, which are hinges; where they are straight, and for head and neck, it is the least turn from the parent.
Feet and
hands that no joint tells have ends of typical lengths: hands go on along the forearm, feet are held level as
far as an ankle can.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.constant_bones import (
    bone_lengths,
    find_pelvis,
    nearest_rotations,
    pelvis_shape,
)
from tf_pose3d.skeleton import Skeleton

__all__ = ["Rig", "RigJoint", "fit_rig", "require_rig"]

_UP, _DOWN, _SIDE, _AHEAD = (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
# Direction of the bone that ends at a joint, at rest, on the left side; others point up.
_REST = {
    **dict.fromkeys(("hip", "clavicle", "shoulder", "elbow", "wrist", "hand", "hand_end", "thumb"), _SIDE),
    **dict.fromkeys(("thumb_end", "pinky", "index"), _SIDE),
    **dict.fromkeys(("knee", "ankle"), _DOWN),
    **dict.fromkeys(("foot", "toe", "big_toe", "small_toe", "foot_index", "nose"), _AHEAD),
    "heel": (0.0, 0.0, -1.0),
}
# Length of an end that no joint tells, over that of the bone before it: ankle to the ball of the foot, wrist
# to the knuckles (Drillis and Contini 1966, as Winter, Biomechanics and Motor Control of Human Movement,
# figure 4.1).
_ENDS = {"ankle": (_AHEAD, 0.45), "wrist": (_SIDE, 0.5)}
# Degrees that an ankle turns to hold the foot level: toes up, toes down.
_ANKLE = (25.0, 50.0)
# How much the least turn counts against the sine of a hinge's bend where that is straight, and the sine from
# which on the bend alone counts.
_STRAIGHT, _BENT = 0.2, 0.5
# Metres; joints nearer to their parent than this are one point with it.
_POINT = 0.004


@dataclasses.dataclass(frozen=True)
class RigJoint:
    """A joint of a rig.

    Attributes:
        name: Of the pose's joint; `l_clavicle` and `r_clavicle` for the collar bones that a layout lacks.
        parent: Index of the joint it hangs on, -1 for the root.
        offset: `(3,)` metres from that joint, at rest.
        joint: Index in the skeleton of the joint whose place this is, None for made-up ones.
        end: `(3,)` metres to the bone's end, where no joint follows there, else None.
        end_joint: Index in the skeleton of the joint at that end, None where it is made up.
    """

    name: str
    parent: int
    offset: np.ndarray
    joint: int | None = None
    end: np.ndarray | None = None
    end_joint: int | None = None


@dataclasses.dataclass(frozen=True)
class Rig:
    """A motion as joint rotations; axes y up, metres.

    Attributes:
        joints: Of the rig, parents before children; the first is the root.
        root: `(F, 3)` where the root is.
        rotations: `(F, n, 3, 3)` of each joint relative to its parent (the root's: to the world).
        fps: Frames per second.
        num_pose_joints: J of the poses that it was fitted to.
    """

    joints: tuple[RigJoint, ...]
    root: np.ndarray
    rotations: np.ndarray
    fps: float
    num_pose_joints: int

    @property
    def names(self) -> tuple[str, ...]:
        """Of the joints."""
        return tuple(joint.name for joint in self.joints)

    @property
    def parents(self) -> tuple[int, ...]:
        """Index of each joint's parent, -1 for the root."""
        return tuple(joint.parent for joint in self.joints)

    def globals(self) -> tuple[np.ndarray, np.ndarray]:
        """`(F, n, 3)` places and `(F, n, 3, 3)` rotations of the joints in the world."""
        turns = np.empty_like(self.rotations)
        places = np.empty(self.rotations.shape[:3])
        for number, joint in enumerate(self.joints):
            if joint.parent < 0:
                turns[:, number], places[:, number] = self.rotations[:, number], self.root
            else:
                above = turns[:, joint.parent]
                turns[:, number] = above @ self.rotations[:, number]
                places[:, number] = places[:, joint.parent] + above @ joint.offset
        return places, turns

    def positions(self) -> np.ndarray:
        """`(F, J, 3)` metres, y up: the joints of the skeleton, by forward kinematics."""
        places, turns = self.globals()
        result = np.empty((len(self.root), self.num_pose_joints, 3))
        for number, joint in enumerate(self.joints):
            if joint.joint is not None:
                result[:, joint.joint] = places[:, number]
            if joint.end is not None and joint.end_joint is not None:
                result[:, joint.end_joint] = places[:, number] + turns[:, number] @ joint.end
        return result

    def quaternions(self) -> np.ndarray:
        """`(F, n, 4)` unit quaternions w x y z of `rotations`, without jumps of sign from frame to frame."""
        return continuous(matrix_to_quaternion(self.rotations))


def matrix_to_quaternion(matrices: np.ndarray) -> np.ndarray:
    """Rotation matrices `(..., 3, 3)` to unit quaternions `(..., 4)`, w x y z (Bar-Itzhack 2000)."""
    m = np.asarray(matrices, np.float64)
    k = np.empty((*m.shape[:-2], 4, 4))
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    k[..., 0, 0] = xx + yy + zz
    k[..., 1, 1], k[..., 2, 2], k[..., 3, 3] = xx - yy - zz, yy - xx - zz, zz - xx - yy
    k[..., 0, 1] = k[..., 1, 0] = m[..., 2, 1] - m[..., 1, 2]
    k[..., 0, 2] = k[..., 2, 0] = m[..., 0, 2] - m[..., 2, 0]
    k[..., 0, 3] = k[..., 3, 0] = m[..., 1, 0] - m[..., 0, 1]
    k[..., 1, 2] = k[..., 2, 1] = m[..., 0, 1] + m[..., 1, 0]
    k[..., 1, 3] = k[..., 3, 1] = m[..., 0, 2] + m[..., 2, 0]
    k[..., 2, 3] = k[..., 3, 2] = m[..., 1, 2] + m[..., 2, 1]
    quaternion = np.linalg.eigh(k)[1][..., :, -1]
    return quaternion * np.where(quaternion[..., :1] < 0, -1.0, 1.0)


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """Quaternions `(F, ..., 4)` with the signs by which each lies nearest to the one before."""
    signs = np.sign(np.sum(quaternions[1:] * quaternions[:-1], axis=-1, keepdims=True))
    signs = np.concatenate([np.ones_like(quaternions[:1, ..., :1]), np.where(signs == 0, 1, signs)])
    return quaternions * np.cumprod(signs, axis=0)


def require_rig(skeleton: Skeleton, where: str) -> None:
    """Checks that a layout has what a rig hangs on.

    Raises:
        Pose3DError: Its root does not carry two hips and one spine.
    """
    if find_pelvis(skeleton) is None:
        raise Pose3DError(
            f"{where}: layout {skeleton.name} has no pelvis that carries both hips and one spine, which "
            f"joint "
            "rotations need; h36m_17 has, and .trc and .c3d hold any layout"
        )


def fit_rig(positions: np.ndarray, skeleton: Skeleton, fps: float) -> Rig:
    """Joint rotations of poses.

    Args:
        positions: `(F, J, 3)` metres, y up, finite, of one skeleton (`fit_skeleton`); of others, the rig has
            the median lengths and its joints lie near them.
        skeleton: Names the joints; see `require_rig`.
        fps: Frames per second.

    Raises:
        Pose3DError: As `require_rig`.
    """
    require_rig(skeleton, "joint rotations")
    return _Builder(np.asarray(positions, np.float64), skeleton, fps).rig()


class _Builder:
    """Walks from the root outwards and lays down joints and their rotations."""

    def __init__(self, positions: np.ndarray, skeleton: Skeleton, fps: float) -> None:
        self._at, self._skeleton, self._fps = positions, skeleton, fps
        self._lengths = bone_lengths(positions, skeleton)
        self._joints: list[RigJoint] = []
        self._turns: list[np.ndarray] = []

    def rig(self) -> Rig:
        skeleton = self._skeleton
        pelvis = find_pelvis(skeleton)
        assert pelvis is not None
        shape = pelvis_shape(self._at, skeleton, pelvis, self._lengths)
        vectors = self._at[:, pelvis, :] - self._at[:, [skeleton.root]]
        turn = nearest_rotations(shape, vectors, np.ones(3))
        self._add(RigJoint(skeleton.joints[skeleton.root], -1, np.zeros(3), skeleton.root), turn)
        for joint, offset in zip(pelvis, shape, strict=True):
            self._grow(joint, 0, offset)
        world = np.stack(self._turns, axis=1)
        parents = [joint.parent for joint in self._joints]
        local = world.copy()
        for number, parent in enumerate(parents):
            if parent >= 0:
                local[:, number] = world[:, parent].transpose(0, 2, 1) @ world[:, number]
        return Rig(
            tuple(self._joints), self._at[:, skeleton.root].copy(), local, self._fps, skeleton.num_joints
        )

    def _add(self, joint: RigJoint, turn: np.ndarray) -> int:
        self._joints.append(joint)
        self._turns.append(turn)
        return len(self._joints) - 1

    def _children(self, joint: int) -> list[int]:
        return [
            child
            for parent, child in self._skeleton.bones
            if parent == joint and (self._lengths[child] > _POINT or self._far(child))
        ]

    def _far(self, joint: int) -> bool:
        """Whether anything hangs on a joint that lies in its parent's place."""
        return any(parent == joint for parent, _ in self._skeleton.bones)

    def _grow(self, joint: int, above: int, offset: np.ndarray) -> None:
        """The joint itself, which aims the first bone, and one beside it for each further bone."""
        name = self._skeleton.joints[joint]
        children = self._children(joint)
        middle = [child for child in children if not self._skeleton.joints[child].startswith(("l_", "r_"))]
        first = next(iter(middle or children), None)
        if name.startswith(("l_", "r_")) and children:
            first = children[0]
        if first is None:
            self._leaf(joint, above, offset)
            return
        self._aim(joint, first, above, offset, name)
        for child in children:
            if child != first:
                held = self._skeleton.joints[child]
                side = "l_clavicle" if held == "l_shoulder" else "r_clavicle"
                label = side if held.endswith("_shoulder") else f"{name}_to_{held}"
                self._aim(None, child, above, offset, label, joint)

    def _aim(
        self,
        joint: int | None,
        child: int,
        above: int,
        offset: np.ndarray,
        name: str,
        place: int | None = None,
    ) -> None:
        at = joint if joint is not None else place
        assert at is not None
        rest = _rest_direction(self._skeleton.joints[child])
        vector = self._at[:, child] - self._at[:, at]
        parent = self._turns[above]
        shortest = _shortest_turn(parent @ rest, _unit(vector)) @ parent
        turn = shortest
        mark = self._hinge(name, child, vector)
        if mark is not None:
            at_rest, seen = mark
            bent = np.linalg.norm(seen, axis=-1, keepdims=True)
            trust = _STRAIGHT * np.clip(1 - bent / _BENT, 0, 1)
            turn = _turn_to(rest, vector, at_rest, seen + trust * (shortest @ at_rest))
        out = rest * self._lengths[child]
        leaf = not self._children(child) and self._bare(self._skeleton.joints[child]) not in _ENDS
        number = self._add(
            RigJoint(name, above, offset, joint, out if leaf else None, child if leaf else None), turn
        )
        if not leaf:
            self._grow(child, number, out)

    def _hinge(self, name: str, child: int, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """What tells the turn about a bone: a direction at rest, and `(F, 3)` where it is, by its sine."""
        bare, joint = self._bare(name), self._skeleton.joints[child]
        if bare in ("hip", "knee") and joint.endswith(("_knee", "_ankle")):
            return self._bend(name[:2], ("hip", "knee", "ankle"), np.array(_SIDE))
        if bare in ("shoulder", "elbow") and joint.endswith(("_elbow", "_wrist")):
            side = -1.0 if name.startswith("l_") else 1.0
            return self._bend(name[:2], ("shoulder", "elbow", "wrist"), np.array([0.0, side, 0.0]))
        shoulders = [f"{side}_shoulder" for side in "lr"]
        if (
            not name.startswith(("l_", "r_"))
            and joint == "neck"
            and set(shoulders) <= set(self._skeleton.joints)
        ):
            left, right = (self._at[:, self._skeleton.index(held)] for held in shoulders)
            return np.array(_SIDE), 5 * _unit(left - right)
        return None

    def _bend(
        self, side: str, limb: tuple[str, str, str], at_rest: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray] | None:
        names = [side + joint for joint in limb]
        if not set(names) <= set(self._skeleton.joints):
            return None
        first, middle, last = (self._at[:, self._skeleton.index(name)] for name in names)
        return at_rest, np.cross(_unit(middle - first), _unit(last - middle))

    def _leaf(self, joint: int, above: int, offset: np.ndarray) -> None:
        """An ankle or wrist beyond which nothing is known."""
        name = self._skeleton.joints[joint]
        direction, share = _ENDS[self._bare(name)]
        end = (
            np.array(direction) * share * self._lengths[joint] * (_mirror(name) if direction == _SIDE else 1)
        )
        turn = self._turns[above]
        if self._bare(name) == "ankle":
            level = np.arctan2(turn[:, 1, 2], turn[:, 1, 1])
            angle = np.clip(level, -np.radians(_ANKLE[0]), np.radians(_ANKLE[1]))
            turn = turn @ _about_x(angle)
        self._add(RigJoint(name, above, offset, joint, end), turn)

    @staticmethod
    def _bare(name: str) -> str:
        return name.removeprefix("l_").removeprefix("r_")


def _mirror(name: str) -> float:
    return -1.0 if name.startswith("r_") else 1.0


def _rest_direction(joint: str) -> np.ndarray:
    direction = np.array(_REST.get(joint.removeprefix("l_").removeprefix("r_"), _UP))
    return direction * (_mirror(joint), 1, 1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _about_x(angles: np.ndarray) -> np.ndarray:
    c, s = np.cos(angles), np.sin(angles)
    zero, one = np.zeros_like(c), np.ones_like(c)
    return np.stack([one, zero, zero, zero, c, -s, zero, s, c], axis=-1).reshape(-1, 3, 3)


def _turn_to(rest: np.ndarray, vector: np.ndarray, mark: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """`(F, 3, 3)` rotations that turn `rest` to `vector`, and `mark`, across it, towards `seen`."""
    main = _unit(vector)
    side = seen - main * np.sum(seen * main, axis=-1, keepdims=True)
    side = _unit(side)
    seen_axes = np.stack([main, side, np.cross(main, side)], axis=-1)
    rest_axes = np.stack([rest, mark, np.cross(rest, mark)], axis=-1)
    return seen_axes @ rest_axes.T


def _shortest_turn(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """`(F, 3, 3)` rotations by the smallest angle that turn unit vectors `(F, 3)` into others."""
    axis = np.cross(start, end)
    cosine = np.sum(start * end, axis=-1)[:, None, None]
    # Opposite vectors have no shortest way: any axis across them serves.
    opposite = cosine[:, 0, 0] < -1 + 1e-9
    across = np.cross(start, np.where(np.abs(start[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]]))
    across = _unit(across)
    half = 2 * across[:, :, None] * across[:, None, :] - np.eye(3)
    x, y, z = axis.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    turn = np.eye(3) + cross + cross @ cross / np.maximum(1 + cosine, 1e-9)
    return np.where(opposite[:, None, None], half, turn)
