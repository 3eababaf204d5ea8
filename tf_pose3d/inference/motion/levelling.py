"""Which way is up: from the camera's orientation, from its pitch and roll, or from how the person stands.

From the person, five things are weighed against each other, each with the error that it has on motion
capture: points where feet rest lie in one plane; the body's centre of mass is, on the whole, above the feet;
the trunk is upright, on the whole; a camera is hardly rolled; and it looks down a little.
"""

from __future__ import annotations

import math

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.contact import resting_places
from tf_pose3d.skeleton import Skeleton

__all__ = ["angles_up", "centre_of_mass", "find_up", "world_rotation"]

# Standard errors: metres of a resting foot from the floor, degrees of the others. Chosen on people whom no
# table in the documentation shows.
_FLOOR, _BALANCE, _TRUNK, _ROLL = 0.035, 4.0, 12.0, 2.5
# So many standard errors away, balance and trunk count half: of someone who lies neither is upright.
_DOUBTED = 1.3
# Relative standard error of a foot's depth, which raises or lowers it where the camera looks down on it.
_DEPTH = 0.04
# Degrees by which cameras look down: at breast height or above, from some metres; and how much this differs.
_PITCH, _PITCHES = 8.0, 8.0
# Metres from the ankles to where the centre of mass is above the feet, forward.
_SUPPORT = 0.05
_ITERATIONS = 12
# Segment, share of the body's mass, and where its centre lies between its ends (Winter, Biomechanics and
# Motor Control of Human Movement, 4th edition, table 4.1; feet with the shanks, hands with the forearms).
_SEGMENTS = (
    ("neck", "head_top", 0.081, 0.5),
    ("pelvis", "neck", 0.497, 0.5),
    *(
        (f"{side}_{start}", f"{side}_{end}", mass, place)
        for side in "lr"
        for start, end, mass, place in (
            ("shoulder", "elbow", 0.028, 0.436),
            ("elbow", "wrist", 0.022, 0.682),
            ("hip", "knee", 0.100, 0.433),
            ("knee", "ankle", 0.061, 0.606),
        )
    ),
)


def centre_of_mass(poses: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """`(F, 3)` of poses `(F, J, 3)`, from the segments whose ends the layout has."""
    total, mass = np.zeros((len(poses), 3)), 0.0
    for start, end, share, place in _SEGMENTS:
        if start in skeleton.joints and end in skeleton.joints:
            first, last = poses[:, skeleton.index(start)], poses[:, skeleton.index(end)]
            total += share * (first + place * (last - first))
            mass += share
    if not mass:
        raise Pose3DError(f"layout {skeleton.name} has no limbs to tell from which way is up")
    return total / mass


def angles_up(pitch: float, roll: float) -> np.ndarray:
    """`(3,)` the direction up, in the frame of a camera of known angles.

    Args:
        pitch: Degrees by which the camera looks down.
        roll: Degrees by which it is turned clockwise about the way it looks.

    Raises:
        Pose3DError: A pitch beyond 90 degrees or a roll beyond 180.
    """
    for name, value, most in (("pitch", pitch, 90), ("roll", roll, 180)):
        if not -most <= value <= most:
            raise Pose3DError(f"a camera's {name} of {value:g} degrees, expected -{most} to {most}")
    down, turned = math.radians(pitch), math.radians(roll)
    up = math.cos(down)
    return np.array([-math.sin(turned) * up, -math.cos(turned) * up, -math.sin(down)])


def world_rotation(up: np.ndarray) -> np.ndarray:
    """`(3, 3)` rotation from the camera's frame to a world with z up whose y is ahead of the camera.

    Args:
        up: `(3,)` the direction up in the camera's frame.
    """
    z = up / np.linalg.norm(up)
    # A camera that looks straight down has its own up ahead.
    ahead = np.array([0.0, 0.0, 1.0]) if abs(z[2]) < 0.99 else np.array([0.0, -1.0, 0.0]) * np.sign(-z[2])
    y = ahead - z * (ahead @ z)
    y /= np.linalg.norm(y)
    return np.stack([np.cross(y, z), y, z])


def find_up(
    poses: np.ndarray, place: np.ndarray, resting: np.ndarray, feet: tuple[int, int], skeleton: Skeleton
) -> np.ndarray:
    """`(3,)` the direction up in the camera's frame, from a person who mostly stands or walks.

    Args:
        poses: `(F, J, 3)` metres round the root, camera frame, finite.
        place: `(F, 3)` metres: where the root is.
        resting: `(F, 2)` bool: the left or right foot does not move.
        feet: Joints of the feet, left and right.
        skeleton: Names the joints.

    Raises:
        Pose3DError: A layout without limbs, trunk or hips.
    """
    mass = centre_of_mass(poses, skeleton) - poses[:, feet].mean(axis=1)
    trunk = _unit(poses[:, skeleton.index("neck")] - poses[:, skeleton.root])
    across = _unit(poses[:, skeleton.index("l_hip")] - poses[:, skeleton.index("r_hip")])
    holds, lasting = resting_places(poses[:, feet] + place[:, None], resting)
    up = _unit(mass.mean(axis=0))
    for _ in range(_ITERATIONS):
        side = _unit(np.cross(up, [0.0, 0.0, 1.0]) if abs(up[2]) < 0.9 else np.cross(up, [0.0, 1.0, 0.0]))
        axes = np.stack([side, np.cross(up, side)])
        forward = np.cross(across, up)
        matrix, right = np.zeros((2, 2)), np.zeros(2)
        for target, degrees in (
            (_unit((mass - _SUPPORT * _unit(forward)).mean(axis=0)), _BALANCE),
            (_unit(trunk.mean(axis=0)), _TRUNK),
        ):
            away = axes @ (target - up)
            doubt = np.linalg.norm(away) / math.radians(degrees) / _DOUBTED
            weight = math.radians(degrees) ** -2 / (1 + doubt**2)
            matrix += np.eye(2) * weight
            right += away * weight
        weight = math.radians(_ROLL) ** -2
        matrix += np.outer(axes[:, 0], axes[:, 0]) * weight
        right -= axes[:, 0] * up[0] * weight
        weight = math.radians(_PITCHES) ** -2
        matrix += np.outer(axes[:, 2], axes[:, 2]) * weight
        right -= axes[:, 2] * (up[2] + math.sin(math.radians(_PITCH))) * weight
        if len(holds) > 1:
            trust = _on_floor(holds @ up, lasting)
            places = holds - np.average(holds, axis=0, weights=trust * lasting)
            slopes = places @ axes.T
            weights = (trust / (_FLOOR**2 + (_DEPTH * (holds @ up)) ** 2))[:, None]
            matrix += (slopes * weights).T @ slopes
            right -= (slopes * weights).T @ (places @ up)
        up = _unit(up + axes.T @ np.linalg.solve(matrix, right))
    return up


def _on_floor(heights: np.ndarray, lasting: np.ndarray) -> np.ndarray:
    """`(n,)` how surely resting places lie on the floor, of which most are and others are above it."""
    floor = float(np.quantile(heights, 0.2))
    trust = np.ones_like(heights)
    for _ in range(4):
        above = heights - floor
        trust = 1 / (1 + (above / np.where(above > 0, _FLOOR, 2 * _FLOOR)) ** 2)
        floor = float(np.average(heights, weights=trust * lasting))
    return trust


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
