"""Which way is up: from the camera's orientation, from its pitch and roll, or from how the person stands.

From people, five things are weighed against each other, each with the error that it has on motion capture:
what people's postures say (`tf_pose3d.inference.motion.posture`); points where feet rest lie in one plane,
that of all people; the floor is below the camera; a camera is hardly rolled; and it looks down a little.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.contact import resting_places
from tf_pose3d.inference.motion.posture import Network, Posture, lean, shipped_network
from tf_pose3d.skeleton import Skeleton

__all__ = [
    "Cues",
    "Stance",
    "angles_up",
    "camera_says",
    "centre_of_mass",
    "find_up",
    "tangents",
    "world_rotation",
]

# Standard errors: metres of a resting foot from the floor, degrees of the others. Chosen on people whom no
# table in the documentation shows.
_FLOOR, _ROLL = 0.035, 2.5
# So many of its standard errors away from what the others say, a posture counts half: of someone who lies or
# leans it says little.
_DOUBTED = 2.0
# Share of what postures say that counts: the network is surer of people whom it has seen than of others.
_TRUST = 0.75
# Frames of a person whose posture is read: there is little more in all of them.
_READ = 200
# Relative standard error of a foot's depth, which raises or lowers it where the camera looks down on it.
_DEPTH = 0.04
# Degrees by which cameras look down: at breast height or above, from some metres; and how much this differs.
_PITCH, _PITCHES = 8.0, 8.0
# So many of these away from it, what cameras usually do counts half: those high up look down by far more.
_UNUSUAL = 2.0
# Metres of the camera above the floor, at least, and the standard error of what is below.
_HEIGHT, _HEIGHTS = 0.5, 0.15
# Relative standard error of a person's size, which raises or lowers their floor as a foot's depth does.
_SIZE = 0.055
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


@dataclasses.dataclass(frozen=True)
class Stance:
    """How one person stands, in the frames with a pose.

    Attributes:
        poses: `(F, J, 3)` metres round the root, camera frame, finite.
        feet: Joints of the feet, left and right.
        skeleton: Names the joints.
        place: `(F, 3)` metres: where the root is, or None.
        resting: `(F, 2)` bool: the left or right foot does not move; with `place`.
    """

    poses: np.ndarray
    feet: tuple[int, int]
    skeleton: Skeleton
    place: np.ndarray | None = None
    resting: np.ndarray | None = None


def find_up(stances: Sequence[Stance], network: Network | None = None) -> np.ndarray:
    """`(3,)` the direction up in the camera's frame, from people who mostly stand or walk on one floor.

    Args:
        stances: At least one, of at least one frame; those of fewer frames count less.
        network: That reads postures; None: the shipped one.

    Raises:
        Pose3DError: A layout without limbs.
    """
    network = shipped_network() if network is None else network
    people = [Cues.of(stance) for stance in stances]
    longest = max(person.frames for person in people)
    up = _unit(np.sum([person.first for person in people], axis=0))
    for _ in range(_ITERATIONS):
        axes = tangents(up)
        matrix, right = camera_says(up, axes)
        for person in people:
            share = person.frames / longest
            standing = person.standing(up, axes, network)
            for part in (standing, person.height(up, axes), person.floor(up, axes)):
                matrix, right = matrix + share * part[0], right + share * part[1]
        for part in _one_floor(people, up, axes):
            matrix, right = matrix + part[0], right + part[1]
        up = _unit(up + axes.T @ np.linalg.solve(matrix, right))
    return up


_Normal = tuple[np.ndarray, np.ndarray]


def tangents(up: np.ndarray) -> np.ndarray:
    """`(2, 3)` unit vectors across `up`, along which it can move."""
    side = _unit(np.cross(up, [0.0, 0.0, 1.0]) if abs(up[2]) < 0.9 else np.cross(up, [0.0, 1.0, 0.0]))
    return np.stack([side, np.cross(up, side)])


def camera_says(up: np.ndarray, axes: np.ndarray) -> _Normal:
    """What the camera alone tells: its right axis is level, and it looks down a little, or is unusual."""
    residuals = np.array([-up[0], -up[2] - math.sin(math.radians(_PITCH))])
    weights = np.radians([_ROLL, _PITCHES]) ** -2.0
    weights[1] /= 1 + (residuals[1] / (_UNUSUAL * math.radians(_PITCHES))) ** 2
    return _weighed(axes[:, [0, 2]].T, residuals, weights)


def _weighed(slopes: np.ndarray, residuals: np.ndarray, weights: np.ndarray) -> _Normal:
    """Normal equations `(2, 2)` and `(2,)` of rows that a move of up by `axes` changes by `slopes`."""
    return (slopes * weights[:, None]).T @ slopes, (slopes * weights[:, None]).T @ residuals


@dataclasses.dataclass(frozen=True)
class Cues:
    """What one person tells of up.

    Attributes:
        frames: With a pose.
        first: `(3,)` metres from between the feet to the centre of mass, on the whole: roughly up.
        posture: As the network reads it.
        stands: `(F, 2, 3)` metres: the feet in the camera's frame, or None.
        holds: `(n, 3)` metres: where feet rest.
        lasting: `(n,)` frames.
    """

    frames: int
    first: np.ndarray
    posture: Posture
    stands: np.ndarray | None
    holds: np.ndarray
    lasting: np.ndarray

    @classmethod
    def of(cls, stance: Stance) -> Cues:
        """What there is to see of a stance."""
        poses, feet, skeleton = stance.poses, stance.feet, stance.skeleton
        stands, holds, lasting = None, np.zeros((0, 3)), np.zeros(0)
        if stance.place is not None:
            stands = poses[:, feet] + stance.place[:, None]
            if stance.resting is not None:
                holds, lasting = resting_places(stands, stance.resting)
        return cls(
            len(poses),
            (centre_of_mass(poses, skeleton) - poses[:, feet].mean(axis=1)).mean(axis=0),
            Posture.of(poses, skeleton, stance.resting, _READ),
            stands,
            holds,
            lasting,
        )

    def standing(self, up: np.ndarray, axes: np.ndarray, network: Network) -> _Normal:
        """What the posture says, as far as it is near."""
        features, body = self.posture.seen_from(up)
        leans, weights = lean(features, network)
        # Frames are far from independent: together they are as sure as one is on the mean.
        slopes = body @ axes.T
        matrix = np.einsum("fi,fia,fib->ab", weights, slopes, slopes) / len(features)
        right = np.einsum("fi,fi,fia->a", weights, leans, slopes) / len(features)
        away = right @ np.linalg.solve(matrix + np.eye(2), right) / _DOUBTED**2
        return matrix * _TRUST / (1 + away), right * _TRUST / (1 + away)

    def height(self, up: np.ndarray, axes: np.ndarray) -> _Normal:
        """The floor is below the camera, which does not lie on it."""
        if self.stands is None:
            return np.zeros((2, 2)), np.zeros(2)
        heights = self.stands @ up
        lower = np.take_along_axis(self.stands, heights.argmin(axis=1)[:, None, None], axis=1)[:, 0]
        ground = lower.mean(axis=0)
        if -ground @ up > _HEIGHT:
            return np.zeros((2, 2)), np.zeros(2)
        return _weighed((axes @ ground)[None], np.array([-_HEIGHT - ground @ up]), np.array([_HEIGHTS**-2]))

    def floor(self, up: np.ndarray, axes: np.ndarray) -> _Normal:
        """Where feet rest is one plane."""
        if len(self.holds) < 2:
            return np.zeros((2, 2)), np.zeros(2)
        trust = _on_floor(self.holds @ up, self.lasting)
        places = self.holds - np.average(self.holds, axis=0, weights=trust * self.lasting)
        weights = trust / (_FLOOR**2 + (_DEPTH * (self.holds @ up)) ** 2)
        return _weighed(places @ axes.T, -places @ up, weights)


def _one_floor(people: Sequence[Cues], up: np.ndarray, axes: np.ndarray) -> Iterator[_Normal]:
    """The floors of several people are one, but for errors of their sizes."""
    floors = []
    for person in people:
        if len(person.holds):
            trust = _on_floor(person.holds @ up, person.lasting)
            floors.append(np.average(person.holds, axis=0, weights=trust * person.lasting))
    if len(floors) > 1:
        places = np.array(floors)
        weights = 1 / (_FLOOR**2 + (_SIZE * (places @ up)) ** 2)
        places = places - np.average(places, axis=0, weights=weights)
        yield _weighed(places @ axes.T, -places @ up, weights)


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
