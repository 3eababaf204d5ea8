"""What a person tells of the world: its scale by their stature, where up is, and where the floor lies."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.calibration.record import CalibratedCamera
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import Skeleton

__all__ = ["PersonWorld", "in_person_world", "person_world"]

Floats = npt.NDArray[np.float64]

# Lengths as parts of stature between the joints that detectors mark: Drillis and Contini 1966 (in Winter,
# Biomechanics and Motor Control of Human Movement); ends of a length that has two sides stand without them.
_PARTS = {
    ("knee", "ankle"): 0.246,
    ("hip", "knee"): 0.245,
    ("shoulder", "elbow"): 0.186,
    ("elbow", "wrist"): 0.146,
}
_TRUNK = 0.288
# Height of ankles over the floor, part of stature.
_ANKLE = 0.039
# Heels rise while a foot still stands: ankles are lowest in the middle of a step.
_LOW = 25


@dataclasses.dataclass(frozen=True)
class PersonWorld:
    """A similarity that takes points to metres with z up and the floor at z = 0.

    Attributes:
        scale: Metres per unit of the points.
        rotation: `(3, 3)` of the points to the world.
        translation: `(3,)` metres; a point X becomes `scale * R X + t`.
        stature: Of the person, in units of the points, as the lengths of their limbs tell it.
        evidence: In words.
    """

    scale: float
    rotation: Floats
    translation: Floats
    stature: float
    evidence: str

    def points(self, points: npt.ArrayLike) -> Floats:
        """Points `(..., 3)` in this world."""
        return self.scale * np.asarray(points, np.float64) @ self.rotation.T + self.translation


def in_person_world(cameras: Sequence[CalibratedCamera], world: PersonWorld) -> list[CalibratedCamera]:
    """The same cameras in that world."""
    moved = []
    for camera in cameras:
        rotation = camera.rotation @ world.rotation.T
        moved.append(
            dataclasses.replace(
                camera,
                rotation=rotation,
                translation=world.scale * camera.translation - rotation @ world.translation,
            )
        )
    return moved


def person_world(poses: Floats, skeleton: Skeleton, stature: float) -> PersonWorld:
    """The world that a walking person of known stature tells.

    Args:
        poses: `(F, J, 3)` in any unit; NaN where a joint is missing.
        skeleton: Names the J joints.
        stature: Metres.

    Raises:
        Pose3DError: Joints of the limbs or of the feet were never found.
    """
    joints = {name: poses[:, number] for number, name in enumerate(skeleton.joints)}
    measured = _stature(joints)
    up, heels = _up(joints)
    scale = stature / measured
    height = heels @ up
    # Ankles of standing feet; the floor lies below them.
    floor = float(np.percentile(height, _LOW)) - _ANKLE * measured
    flat = heels - np.outer(height, up)
    middle = np.median(flat, axis=0)
    middle = middle - up * (middle @ up)
    ahead = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)[2][0]
    ahead = ahead - up * (ahead @ up)
    ahead /= np.linalg.norm(ahead)
    # Along the way that was walked most, from its beginning on.
    first, last = np.nanmean(flat[: len(flat) // 3], axis=0), np.nanmean(flat[-len(flat) // 3 :], axis=0)
    ahead = ahead if (last - first) @ ahead >= 0 else -ahead
    rotation = np.stack([ahead, np.cross(up, ahead), up])
    origin = middle + floor * up
    return PersonWorld(
        scale,
        rotation,
        -scale * rotation @ origin,
        measured,
        f"scale from a stature of {stature:g} m and the lengths of limbs and trunk, z up and the floor from "
        "standing feet, x along the way walked",
    )


def _length(first: Floats, second: Floats) -> float:
    distance = np.linalg.norm(first - second, axis=-1)
    return float(np.nanmedian(distance)) if np.isfinite(distance).any() else np.nan


def _middle(joints: dict[str, Floats], name: str) -> Floats | None:
    if f"l_{name}" not in joints or f"r_{name}" not in joints:
        return None
    return (joints[f"l_{name}"] + joints[f"r_{name}"]) / 2


def _stature(joints: dict[str, Floats]) -> float:
    """Stature in units of the points, by the sum of all lengths that were seen."""
    total = parts = 0.0
    for (one, two), part in _PARTS.items():
        sides = [
            _length(joints[f"{side}_{one}"], joints[f"{side}_{two}"])
            for side in "lr"
            if f"{side}_{one}" in joints and f"{side}_{two}" in joints
        ]
        sides = [length for length in sides if np.isfinite(length)]
        if sides:
            total, parts = total + float(np.mean(sides)), parts + part
    hips, shoulders = _middle(joints, "hip"), _middle(joints, "shoulder")
    if hips is not None and shoulders is not None and np.isfinite(_length(hips, shoulders)):
        total, parts = total + _length(hips, shoulders), parts + _TRUNK
    if parts < 0.4:
        raise Pose3DError("scale from stature: the person's legs, arms and trunk were never seen")
    return total / parts


def _up(joints: dict[str, Floats]) -> tuple[Floats, Floats]:
    """The direction against gravity, and `(N, 3)` ankles of feet that stand on the floor.

    A person who walks leans forward a little, the floor does not: the direction is across the plane of the
    standing feet, as far as they span one, else along the body where it is upright.
    """
    shoulders, hips = _middle(joints, "shoulder"), _middle(joints, "hip")
    top = shoulders if shoulders is not None else hips
    ankles = [joints[name] for name in ("l_ankle", "r_ankle") if name in joints]
    if top is None or not ankles:
        raise Pose3DError("up and floor: needs ankles and shoulders or hips, which the keypoints do not name")
    body = top - np.mean(ankles, axis=0)
    body = body[np.isfinite(body).all(axis=1)]
    # Upright is longest: who bends or crouches is shorter from ankles to shoulders.
    length = np.linalg.norm(body, axis=1)
    body = body[length >= np.percentile(length, 60)] if len(body) else body
    if len(body) < 5:
        raise Pose3DError("up and floor: ankles and shoulders were never seen together")
    up = np.median(body / np.linalg.norm(body, axis=1, keepdims=True), axis=0)
    up /= np.linalg.norm(up)
    # Of the two ankles the lower one: in walking, one foot stands.
    with np.errstate(invalid="ignore"):
        heights = np.stack([np.nan_to_num(ankle @ up, nan=np.inf) for ankle in ankles])
    lower = np.argmin(heights, axis=0)
    feet = np.stack(ankles)[lower, np.arange(len(lower))]
    feet = feet[np.isfinite(feet).all(axis=1)]
    for _ in range(5):
        height = feet @ up
        feet = feet[np.abs(height - np.median(height)) < 4 * _spread(height) + 1e-12]
        spread = np.cov((feet - feet.mean(axis=0)).T)
        # The body's direction counts as if feet lay on it with a spread of a twentieth of the body's length.
        length = np.median(np.linalg.norm(body, axis=1))
        prior = (0.05 * length) ** 2 * (np.eye(3) - np.outer(up, up))
        normal = np.linalg.eigh(spread + prior)[1][:, 0]
        up = normal if normal @ up > 0 else -normal
    return up, feet


def _spread(values: Floats) -> float:
    """A standard deviation that outliers do not move."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
