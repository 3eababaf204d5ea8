"""A body of spindles, one a bone, that moves with a rig: what viewers show of a skeleton without a skin."""

from __future__ import annotations

import dataclasses

import numpy as np

from tf_pose3d.inference.motion.rig import Rig

__all__ = ["BoneMesh", "rest_places", "spindles"]

# Of the bone's length: where a spindle is widest and how wide; its least and greatest half width in metres.
_WAIST, _WIDTH, _LEAST, _MOST = 0.15, 0.09, 0.012, 0.04
_FACES = np.array([[0, 2, 1], [0, 3, 2], [0, 4, 3], [0, 1, 4], [5, 1, 2], [5, 2, 3], [5, 3, 4], [5, 4, 1]])


@dataclasses.dataclass(frozen=True)
class BoneMesh:
    """Triangles in the rest pose.

    Attributes:
        points: `(V, 3)` float32 metres; no point is shared between faces, so that normals are the faces'.
        normals: `(V, 3)` float32.
        joint: `(V,)` index of the rig's joint with which the point moves.
    """

    points: np.ndarray
    normals: np.ndarray
    joint: np.ndarray


def rest_places(rig: Rig) -> np.ndarray:
    """`(n, 3)` metres of a rig's joints in the rest pose, the root at the origin."""
    places = np.zeros((len(rig.joints), 3))
    for number, joint in enumerate(rig.joints):
        if joint.parent >= 0:
            places[number] = places[joint.parent] + joint.offset
    return places


def spindles(rig: Rig) -> BoneMesh:
    """A spindle from each joint to each that hangs on it, and to its end."""
    places = rest_places(rig)
    bones = [
        (joint.parent, places[joint.parent], places[number])
        for number, joint in enumerate(rig.joints)
        if joint.parent >= 0
    ]
    bones += [
        (number, places[number], places[number] + joint.end)
        for number, joint in enumerate(rig.joints)
        if joint.end is not None
    ]
    points, owners = [], []
    for owner, start, end in bones:
        points.append(_spindle(start, end)[_FACES].reshape(-1, 3))
        owners.append(np.full(3 * len(_FACES), owner))
    corners = np.concatenate(points).reshape(-1, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return BoneMesh(
        corners.reshape(-1, 3).astype(np.float32),
        np.repeat(normals, 3, axis=0).astype(np.float32),
        np.concatenate(owners),
    )


def _spindle(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """`(6, 3)`: one end, four corners of the waist, the other end."""
    along = end - start
    length = float(np.linalg.norm(along))
    axis = along / max(length, 1e-9)
    across = np.cross(axis, [1.0, 0, 0] if abs(axis[0]) < 0.9 else [0, 1.0, 0])
    across /= np.linalg.norm(across)
    side = np.cross(axis, across)
    width = min(max(_WIDTH * length, _LEAST), _MOST)
    waist = start + _WAIST * along
    corners = [waist + width * turn for turn in (across, side, -across, -side)]
    return np.array([start, *corners, end])
