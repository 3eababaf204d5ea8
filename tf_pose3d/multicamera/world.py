"""The world's axes: z up, the floor at 0, from the calibration or from the people themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.errors import Pose3DError
from tf_pose3d.multicamera.known import mean_known, median_known
from tf_pose3d.multicamera.rig import Rig, make_rig
from tf_pose3d.skeleton import Skeleton

__all__ = ["WORLDS", "Placement", "body_height", "find_placement"]

Floats = npt.NDArray[np.float64]

WORLDS = ("auto", "calibration", "person")

# Cosines of the angles within which a body stands along an axis, and cameras stand upright in it.
_STANDS, _UPRIGHT = 0.85, 0.6
# Metres that someone must go so that the way tells the heading.
_WALKS = 0.5
_UPPER = ("head_top", "head", "nose", "neck", "mpii_thorax", "l_shoulder", "r_shoulder", "l_ear", "r_ear")
_LOWER = ("l_ankle", "r_ankle", "l_heel", "r_heel", "l_foot", "r_foot", "l_knee", "r_knee")
_FEET = ("l_heel", "r_heel", "l_big_toe", "r_big_toe", "l_foot", "r_foot", "l_ankle", "r_ankle")


@dataclasses.dataclass(frozen=True, eq=False)
class Placement:
    """A new world: a point X of the old one is at `rotation X + translation`.

    Attributes:
        rotation: `(3, 3)`.
        translation: `(3,)` metres.
        note: Says what was done, or is empty where nothing was.
    """

    rotation: Floats
    translation: Floats
    note: str = ""

    def points(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Points `(..., 3)` in the new world."""
        return (values @ self.rotation.T + self.translation).astype(np.float32)

    def rig(self, rig: Rig) -> Rig:
        """The cameras in the new world."""
        return make_rig(
            [
                dataclasses.replace(
                    camera,
                    rotation=camera.rotation @ self.rotation.T,
                    translation=camera.translation - camera.rotation @ self.rotation.T @ self.translation,
                )
                for camera in rig.cameras
            ]
        )


def _middle(poses: npt.NDArray[np.floating], skeleton: Skeleton, names: Sequence[str]) -> Floats:
    """`(F, 3)` mean of those joints that the layout has; NaN where none is there."""
    columns = [skeleton.joints.index(name) for name in names if name in skeleton.joints]
    if not columns:
        return np.full((len(poses), 3), np.nan)
    return mean_known(poses[:, columns], axis=1)


def _body_up(people: Sequence[npt.NDArray[np.floating]], skeleton: Skeleton) -> Floats:
    """`(3,)` unit vector along which people stand, NaN where nobody tells."""
    vectors = [_middle(poses, skeleton, _UPPER) - _middle(poses, skeleton, _LOWER) for poses in people]
    if not vectors:
        return np.full(3, np.nan)
    up = median_known(np.concatenate(vectors), axis=0)
    size = np.linalg.norm(up)
    return up / size if np.isfinite(size) and size > 0 else np.full(3, np.nan)


def body_height(poses: npt.NDArray[np.floating], skeleton: Skeleton) -> float:
    """Metres from the ankles to the head by the bones between, and a little for what is beyond; NaN if
    unknown.

    Half of the legs' and the trunk's lengths are known from any layout with hips, knees and shoulders.
    """

    def length(one: Sequence[str], other: Sequence[str]) -> float:
        between = _middle(poses, skeleton, one) - _middle(poses, skeleton, other)
        return float(median_known(np.linalg.norm(between, axis=-1)))

    legs = []
    for side in "lr":
        legs.append(length([f"{side}_hip"], [f"{side}_knee"]) + length([f"{side}_knee"], [f"{side}_ankle"]))
    trunk = length(["l_hip", "r_hip"], ["l_shoulder", "r_shoulder"])
    # Feet below the ankles, neck and head above the shoulders: shares of the stature (Winter, Biomechanics
    # and Motor Control of Human Movement, table 4.1: ankle 0.039, shoulder 0.818).
    return float((mean_known(np.array(legs)) + trunk) / (0.818 - 0.039))


def find_placement(
    rig: Rig, people: Sequence[npt.NDArray[np.floating]], skeleton: Skeleton, choice: str = "auto"
) -> Placement:
    """Where up, floor and heading are.

    `"calibration"`: as the calibration has them. `"person"`: z is along the first person's body, the floor
    under the lowest foot, x the way they go or, where they stay, face. `"auto"`: the calibration's world,
    turned by right angles where people stand along another of its axes than z.

    Args:
        rig: V cameras.
        people: `(F, J, 3)` metres each, the first person first.
        skeleton: Names the joints.
        choice: One of `WORLDS`.

    Raises:
        Pose3DError: Another choice.
    """
    if choice not in WORLDS:
        raise Pose3DError(f"world {choice!r}, expected one of {', '.join(WORLDS)}")
    still = Placement(np.eye(3), np.zeros(3))
    up = _body_up(people, skeleton)
    if choice == "calibration" or not np.isfinite(up).all():
        return still
    if choice == "person":
        return _on_floor(people[0], skeleton, up)
    sky = -rig.rotation[:, 1].mean(axis=0)
    sky /= max(float(np.linalg.norm(sky)), 1e-9)
    if up[2] > _STANDS or (sky[2] > _UPRIGHT and up[2] > -_STANDS and np.abs(up).max() < _STANDS):
        return still
    axis = int(np.argmax(np.abs(up)))
    if abs(up[axis]) < _STANDS:
        return dataclasses.replace(
            still,
            note="the world's axes are the calibration's; people stand along none of them (--world person)",
        )
    sign = float(np.sign(up[axis]))
    # Lying people of an upright rig are no reason to turn it.
    if sky[2] > _UPRIGHT and sky[axis] * sign < 0.3:
        return still
    rotation = _turned(axis, sign)
    name = ("" if sign > 0 else "-") + "xyz"[axis]
    return Placement(
        rotation, np.zeros(3), f"people stand along the calibration's {name}: turned so that z is up"
    )


def _turned(axis: int, sign: float) -> Floats:
    """The rotation by right angles that brings an axis to z."""
    up = np.zeros(3)
    up[axis] = sign
    side = np.zeros(3)
    side[(axis + 1) % 3] = 1.0
    return np.stack([side, np.cross(up, side), up])


def _on_floor(poses: npt.NDArray[np.floating], skeleton: Skeleton, up: Floats) -> Placement:
    middle = median_known(poses, axis=1)
    known = np.flatnonzero(np.isfinite(middle).all(axis=1))
    start, end = middle[known[0]], middle[known[-1]]
    way = end - start
    way = way - up * (way @ up)
    if np.linalg.norm(way) < _WALKS:
        left = _middle(poses, skeleton, ("l_shoulder", "l_hip")) - _middle(
            poses, skeleton, ("r_shoulder", "r_hip")
        )
        across = median_known(left, axis=0)
        facing = np.cross(across, up)
        if np.isfinite(facing).all() and np.linalg.norm(facing) > 1e-6:
            way = facing
    if np.linalg.norm(way) < 1e-9:
        way = np.cross(up, [1.0, 0.0, 0.0]) if abs(up[0]) < 0.9 else np.cross(up, [0.0, 1.0, 0.0])
    x = way / np.linalg.norm(way)
    rotation = np.stack([x, np.cross(up, x), up])
    feet = [skeleton.joints.index(name) for name in _FEET if name in skeleton.joints]
    heights = (poses[:, feet] if feet else poses) @ up
    lowest = heights[np.isfinite(heights)]
    floor = float(np.percentile(lowest, 2)) if len(lowest) else 0.0
    translation = np.array([-rotation[0] @ start, -rotation[1] @ start, -floor])
    return Placement(rotation, translation, "the world is the first person's: floor, heading and origin")
