"""BVH files: poses as rotations of a skeleton with bones of constant length, as Blender opens them.

The file is in metres with y up. In the rest pose the person stands upright with arms to the sides, faces +z
and has their left at +x. Joints with several children (pelvis, neck) have a joint of no length for each, as
in CMU's files, so that hips and shoulders move on their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import write_whole
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.skeleton import Skeleton

__all__ = ["bvh_text", "check", "constant_bones", "write"]

_UP, _DOWN, _SIDE = (0.0, 1.0, 0.0), (0.0, -1.0, 0.0), (1.0, 0.0, 0.0)
# Direction of the bone that ends at a joint, in the rest pose, on the left side.
_REST = {
    "hip": _SIDE,
    "knee": _DOWN,
    "ankle": _DOWN,
    "foot": (0.0, 0.0, 1.0),
    "toe": (0.0, 0.0, 1.0),
    "clavicle": _SIDE,
    "shoulder": _SIDE,
    "elbow": _SIDE,
    "wrist": _SIDE,
    "hand": _SIDE,
}
# Camera frame to the file's: y up, z towards the camera.
_AXES = np.array([1.0, -1.0, -1.0])


@dataclasses.dataclass
class _Node:
    """A joint of the file.

    Attributes:
        name: Its name.
        offset: `(3,)` from its parent, in the rest pose.
        rotation: `(F, 3, 3)` relative to its parent.
        children: Joints that hang on it.
        end: `(3,)` offset of an end without a joint of its own, or None.
    """

    name: str
    offset: np.ndarray
    rotation: np.ndarray
    children: list[_Node] = dataclasses.field(default_factory=list)
    end: np.ndarray | None = None


def check(path: Path, num_frames: int | None = None) -> None:
    """Checks that there is a frame, from whose pose the skeleton's lengths come.

    Raises:
        Pose3DError: There is none.
    """
    if num_frames == 0:
        raise Pose3DError(f"{path}: a BVH file holds 1 frame or more, these are 0")


def write(path: Path, motion: Motion) -> None:
    """Writes the poses as `bvh_text`; frames without one repeat the last, as the format has no gaps.

    Raises:
        Pose3DError: No frame has a pose.
    """
    if not motion.present.any():
        raise Pose3DError(f"{path}: none of the {motion.num_frames} frames has a pose, expected one or more")
    with write_whole(path, "w") as file:
        whole = motion.without_gaps()
        file.write(bvh_text(whole.in_camera_axes(), whole.skeleton, whole.fps))


def constant_bones(poses: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Poses with bones of constant length, their median over the frames, in unchanged directions.

    Args:
        poses: `(F, J, 3)` in any frame.
        skeleton: Names the joints.

    Returns:
        `(F, J, 3)`, the root where it was.
    """
    result = poses.astype(np.float64)
    for child in _from_root(skeleton):
        parent = skeleton.parents[child]
        direction, length = _direction(poses[:, child].astype(np.float64) - poses[:, parent])
        result[:, child] = result[:, parent] + direction * np.median(length)
    return result


def _from_root(skeleton: Skeleton) -> list[int]:
    """All joints but the root, parents before children."""
    order, todo = [], [skeleton.root]
    while todo:
        joint = todo.pop(0)
        children = [child for parent, child in skeleton.bones if parent == joint]
        order += children
        todo += children
    return order


def _direction(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors `(F, 3)` and lengths `(F, 1)`."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(length, 1e-9), length


def _rest_direction(joint: str) -> np.ndarray:
    direction = np.array(_REST.get(joint.removeprefix("l_").removeprefix("r_"), _UP))
    return direction * (-1, 1, 1) if joint.startswith("r_") else direction


def _shortest_turn(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """`(F, 3, 3)` rotations by the smallest angle that turn unit vectors `(F, 3)` into others."""
    axis = np.cross(start, end)
    cosine = np.sum(start * end, axis=-1)[:, None, None]
    # Opposite vectors have no shortest way: any axis across them serves.
    opposite = cosine[:, 0, 0] < -1 + 1e-9
    across = np.cross(start, np.where(np.abs(start[:, :1]) < 0.9, [[1.0, 0, 0]], [[0, 1.0, 0]]))
    across = across / np.linalg.norm(across, axis=-1, keepdims=True)
    half = 2 * across[:, :, None] * across[:, None, :] - np.eye(3)
    x, y, z = axis.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    turn = np.eye(3) + cross + cross @ cross / np.maximum(1 + cosine, 1e-9)
    return np.where(opposite[:, None, None], half, turn)


def _body_rotation(across: np.ndarray, up: np.ndarray) -> np.ndarray:
    """`(F, 3, 3)` rotations from the rest pose to a body whose left is at `across` and whose top at `up`."""
    x, _ = _direction(across)
    y, _ = _direction(up - x * np.sum(x * up, axis=-1, keepdims=True))
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def _tree(poses: np.ndarray, skeleton: Skeleton) -> _Node:
    """The file's joints, for `(F, J, 3)` poses with constant bones, y up."""

    def grow(joint: int, offset: np.ndarray, above: np.ndarray) -> _Node:
        name = skeleton.joints[joint]
        children = [child for parent, child in skeleton.bones if parent == joint]
        vectors = {child: poses[:, child] - poses[:, joint] for child in children}
        rests = {
            child: _rest_direction(skeleton.joints[child]) * np.linalg.norm(vectors[child][0])
            for child in children
        }

        def turned(child: int, start: np.ndarray) -> np.ndarray:
            aim, _ = _direction(vectors[child])
            return _shortest_turn(start @ _rest_direction(skeleton.joints[child]), aim) @ start

        if len(children) == 1:
            (child,) = children
            own = turned(child, above)
            node = _Node(name, offset, _relative(above, own))
            _hang(node, child, rests[child], own)
            return node
        own = _own_rotation(joint, children, above)
        node = _Node(name, offset, _relative(above, own))
        for child in children:
            turn = turned(child, own)
            helper = _Node(f"{name}_to_{skeleton.joints[child]}", np.zeros(3), _relative(own, turn))
            _hang(helper, child, rests[child], turn)
            node.children.append(helper)
        return node

    def _hang(node: _Node, child: int, offset: np.ndarray, rotation: np.ndarray) -> None:
        if any(parent == child for parent, _ in skeleton.bones):
            node.children.append(grow(child, offset, rotation))
        else:
            node.end = offset

    def _own_rotation(joint: int, children: list[int], above: np.ndarray) -> np.ndarray:
        sides = [(left, right) for left, right in zip(skeleton.left, skeleton.right, strict=True)]
        pair = next(((left, right) for left, right in sides if {left, right} <= set(children)), None)
        if pair is None:
            return above
        middle = [child for child in children if child not in pair]
        parent = skeleton.parents[joint]
        if joint == skeleton.root and middle:
            up = poses[:, middle[0]] - poses[:, joint]
        elif parent >= 0:
            up = poses[:, joint] - poses[:, parent]
        else:
            return above
        return _body_rotation(poses[:, pair[0]] - poses[:, pair[1]], up)

    still = np.tile(np.eye(3), (len(poses), 1, 1))
    return grow(skeleton.root, np.zeros(3), still)


def _relative(above: np.ndarray, own: np.ndarray) -> np.ndarray:
    return above.transpose(0, 2, 1) @ own


def _degrees(rotations: np.ndarray) -> np.ndarray:
    """`(F, 3)` angles z, x, y in degrees of `(F, 3, 3)` = Rz Rx Ry, without jumps by whole turns."""
    x = np.arcsin(np.clip(rotations[:, 2, 1], -1, 1))
    z = np.arctan2(-rotations[:, 0, 1], rotations[:, 1, 1])
    y = np.arctan2(-rotations[:, 2, 0], rotations[:, 2, 2])
    return np.degrees(np.unwrap(np.stack([z, x, y], axis=1), axis=0))


def _hierarchy(node: _Node, depth: int = 0) -> Iterator[str]:
    pad = "\t" * depth
    yield f"{pad}{'JOINT' if depth else 'ROOT'} {node.name}"
    yield f"{pad}{{"
    yield f"{pad}\tOFFSET {' '.join(f'{value:.6f}' for value in node.offset)}"
    place = "" if depth else "Xposition Yposition Zposition "
    yield f"{pad}\tCHANNELS {3 if depth else 6} {place}Zrotation Xrotation Yrotation"
    for child in node.children:
        yield from _hierarchy(child, depth + 1)
    if node.end is not None:
        yield f"{pad}\tEnd Site"
        yield f"{pad}\t{{"
        yield f"{pad}\t\tOFFSET {' '.join(f'{value:.6f}' for value in node.end)}"
        yield f"{pad}\t}}"
    yield f"{pad}}}"


def _angles(node: _Node) -> Iterator[np.ndarray]:
    yield _degrees(node.rotation)
    for child in node.children:
        yield from _angles(child)


def bvh_text(poses: np.ndarray, skeleton: Skeleton, fps: float) -> str:
    """The content of a `.bvh` file.

    Args:
        poses: `(F, J, 3)` metres, camera frame, finite. Their bones are given constant lengths by
            `constant_bones`.
        skeleton: Names the joints.
        fps: Frames per second.
    """
    upright = constant_bones(poses, skeleton) * _AXES
    tree = _tree(upright, skeleton)
    values = np.concatenate([upright[:, skeleton.root], *_angles(tree)], axis=1)
    lines = ["HIERARCHY", *_hierarchy(tree), "MOTION", f"Frames: {len(poses)}", f"Frame Time: {1 / fps:.8f}"]
    lines += [" ".join(f"{value:.5f}" for value in row) for row in values]
    return "\n".join(lines) + "\n"
