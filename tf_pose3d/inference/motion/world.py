"""From a camera's axes to a world with z up: level, on the floor, on the path that the person walks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_pose3d.camera import quaternion_to_matrix
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.contact import feet_joints, find_contacts, foot_speeds
from tf_pose3d.inference.motion.feet import lock_feet
from tf_pose3d.inference.motion.levelling import Stance, angles_up, find_up, world_rotation
from tf_pose3d.inference.motion.path import RootPath, Sighting, see_root, solve_path
from tf_pose3d.inference.motion.posture import JOINTS
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.smoothing import present_runs
from tf_pose3d.inference.motion.steps import KEPT, MotionSteps

__all__ = ["PlacedMotion", "World", "find_world", "place_in_world", "stance_of", "with_confidence"]

_SAID = {
    "camera": "level by the camera's orientation",
    "angles": "level by the camera's given angles",
    "person": "level by how the person stands",
    "file": "in the file's axes",
    "calibration": "level by the calibration",
}


@dataclasses.dataclass(frozen=True)
class World:
    """Axes that several people share.

    Attributes:
        rotation: `(3, 3)` from the motions' axes to the world's, z up.
        level: What told which way is up, see `Motion.level`.
    """

    rotation: np.ndarray
    level: str


# Lifted people are made larger or smaller by at most this share: three standard deviations of statures.
_MOST_RESIZED = 0.165
_DOUBT = "the way that is up or the focal length may be wrong"
_PATH = {"seen": "on the path in the world", "measured": "where it was measured, the floor at 0"}


@dataclasses.dataclass(frozen=True)
class _Floor:
    """Metres along up in the motions' axes.

    Attributes:
        height: Where feet rest; None where none does, or where each path tells its own.
        lowest: The lowest point of everyone; None: of each.
    """

    height: float | None = None
    lowest: float | None = None


@dataclasses.dataclass(frozen=True)
class PlacedMotion:
    """A motion in the world, what was done, and what could not be; and, where that was found, the metres of
    the camera above the floor, over whose place the world's origin is.
    """

    motion: Motion
    done: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    camera_height: float | None = None


def with_confidence(keypoints: np.ndarray) -> np.ndarray:
    """`(F, J, 3)` of keypoints with or without confidences."""
    if keypoints.shape[2] == 3:
        return keypoints
    return np.concatenate([keypoints, np.ones((*keypoints.shape[:2], 1), keypoints.dtype)], axis=2)


def find_world(motions: Sequence[Motion], steps: MotionSteps) -> World:
    """The world's axes: from the camera's orientation, else its angles, else from all people.

    Raises:
        Pose3DError: Axes that nothing tells: no person in any frame, or a layout without trunk and hips.
    """
    if all(motion.world for motion in motions):
        return World(np.eye(3), "file")
    camera = motions[0].camera
    if steps.pitch is not None or steps.roll is not None:
        return World(world_rotation(angles_up(steps.pitch or 0.0, steps.roll or 0.0)), "angles")
    if camera is not None and camera.orientation is not None:
        return World(quaternion_to_matrix(camera.orientation), "camera")
    stances = [stance_of(motion) for motion in motions if motion.present.any()]
    if not stances:
        raise Pose3DError("no frame has a pose that tells which way is up")
    return World(world_rotation(find_up(stances)), "person")


def stance_of(motion: Motion) -> Stance:
    """How a person stands who was seen by a camera, in the frames with a pose.

    Raises:
        Pose3DError: A layout that lacks joints which tell which way is up.
    """
    missing = set(JOINTS) - set(motion.skeleton.joints)
    feet = feet_joints(motion.skeleton)
    if missing or feet is None:
        what = ", ".join(sorted(missing)) or "feet"
        raise Pose3DError(
            f"layout {motion.skeleton.name} lacks {what}, which tell which way is up; give the camera's pitch"
        )
    present = motion.present
    poses = motion.poses[present].astype(np.float64)
    poses = poses - poses[:, motion.root : motion.root + 1]
    sighting = _sighting(motion)
    if sighting is None:
        return Stance(poses, feet, motion.skeleton)
    resting = find_contacts(_speeds(motion, feet, sighting), present, motion.fps)[present]
    return Stance(poses, feet, motion.skeleton, sighting.place, resting)


def _sighting(motion: Motion) -> Sighting | None:
    if motion.keypoints is None or motion.camera is None or not motion.camera.has_intrinsics:
        return None
    present = motion.present
    poses = motion.poses[present].astype(np.float64)
    poses = poses - poses[:, motion.root : motion.root + 1]
    sighting = see_root(poses, with_confidence(motion.keypoints)[present], motion.camera)
    if motion.path is None:
        return sighting
    # The network's places, as sure as geometry would be of its own.
    place = motion.path[present].astype(np.float64) + motion.poses[present][:, motion.root]
    return dataclasses.replace(sighting, right=(sighting.matrix @ place[..., None])[..., 0], place=place)


def _speeds(motion: Motion, feet: tuple[int, int], sighting: Sighting) -> np.ndarray:
    assert motion.keypoints is not None
    depth = np.full(motion.num_frames, np.nan)
    depth[motion.present] = sighting.place[:, 2]
    points = motion.keypoints[:, feet, :2]
    return foot_speeds(motion.poses[:, feet], motion.present, motion.fps, points, motion.camera, depth)


def place_in_world(motions: Sequence[Motion], world: World, steps: MotionSteps) -> list[PlacedMotion]:
    """Motions in the world, where `steps.placement` says.

    Raises:
        Pose3DError: Placement `"world"` without keypoints or camera, or `"camera"`.
    """
    if steps.placement == "camera":
        raise Pose3DError("placement camera: the motion is in world axes, which no camera is known for")
    floor = _Floor()
    if steps.placement == "world" and world.level == "file":
        floor = _shared_floor(motions)
    placed = [_place(motion, world, steps, floor) for motion in motions]
    if steps.placement != "world" or world.level == "file":
        return placed
    if steps.stature is None:
        placed = _of_one_camera(placed)
    # The first person begins at the origin; others are where they are beside.
    starts = [held.motion.poses[held.motion.present][:1, held.motion.root] for held in placed]
    start = next((first[0] for first in starts if len(first)), np.zeros(3)) * (1, 1, 0)
    return [
        dataclasses.replace(
            held,
            motion=dataclasses.replace(
                held.motion, poses=held.motion.poses - start.astype(held.motion.poses.dtype)
            ),
        )
        for held in placed
    ]


def _of_one_camera(placed: list[PlacedMotion]) -> list[PlacedMotion]:
    """People whose floors are one: each as large as puts the one camera at one height above it.

    Sizes are what is least sure of a lifted person, each alike: their relative changes have the least sum of
    squares.
    """
    heights = [held.camera_height for held in placed if held.camera_height and held.camera_height > 0]
    if not heights or len(placed) < 2:
        return placed
    inverse = 1 / np.array(heights)
    height = float(inverse.sum() / (inverse**2).sum())
    result = []
    for held in placed:
        if held.camera_height is None:
            result.append(held)
            continue
        if held.camera_height <= 0:
            above = "no size puts them on the floor of the others: theirs is above the camera; " + _DOUBT
            result.append(dataclasses.replace(held, warnings=(*held.warnings, above)))
            continue
        wanted = height / held.camera_height
        scale = float(np.clip(wanted, 1 - _MOST_RESIZED, 1 + _MOST_RESIZED))
        motion = held.motion
        unsure, root = motion.uncertainty, motion.root_uncertainty
        motion = dataclasses.replace(
            motion,
            poses=(motion.poses * scale).astype(motion.poses.dtype),
            uncertainty=None if unsure is None else unsure * unsure.dtype.type(scale),
            root_uncertainty=None if root is None else root * scale,
        )
        warnings = held.warnings
        if scale != wanted:
            warnings = (
                *warnings,
                f"to stand on the floor of the others they would have to be {wanted:.2f} times as large: "
                + _DOUBT,
            )
        done = (*held.done, f"{scale:.2f} times as large, on one floor with the others")
        result.append(dataclasses.replace(held, motion=motion, done=done, warnings=warnings))
    return result


def _place(motion: Motion, world: World, steps: MotionSteps, floor: _Floor) -> PlacedMotion:
    turned = (motion.poses.astype(np.float64) @ world.rotation.T).astype(motion.poses.dtype)
    truth = None if motion.truth is None else (motion.truth @ world.rotation.T).astype(motion.truth.dtype)
    level = motion.level if world.level == "file" else world.level
    motion = dataclasses.replace(
        motion, poses=turned, truth=truth, world=True, level=level or "file", placement=steps.placement
    )
    said = (_SAID["calibration" if motion.level == "calibration" else world.level],)
    if steps.placement == KEPT:
        kept = dataclasses.replace(motion, placement="world")
        return PlacedMotion(kept, () if motion.level == "calibration" else said)
    if not motion.present.any():
        return PlacedMotion(motion, said)
    if steps.placement == "root":
        return PlacedMotion(_root_centred(motion), said)
    if steps.placement == "floor":
        place = np.fmin.reduce(motion.poses, axis=1, keepdims=True)
        if world.level == "file":
            motion = _root_centred(motion)
            place = np.fmin.reduce(motion.poses, axis=1, keepdims=True)
        poses = motion.poses - place * np.array([0, 0, 1], motion.poses.dtype)
        motion = dataclasses.replace(motion, poses=poses)
        return PlacedMotion(motion, (*said, "the lowest joint of each frame on the floor"))
    return _on_path(motion, world, steps, said, floor)


def _root_centred(motion: Motion) -> Motion:
    return dataclasses.replace(motion, poses=motion.poses - motion.poses[:, motion.root : motion.root + 1])


def _on_path(
    motion: Motion, world: World, steps: MotionSteps, said: tuple[str, ...], floor: _Floor
) -> PlacedMotion:
    """Where the person walks; feet at rest do not move."""
    present, feet = motion.present, feet_joints(motion.skeleton)
    frames = np.flatnonzero(present)
    if world.level == "file":
        path, resting, poses = _as_filmed(motion, feet, floor)
    else:
        sighting = _sighting_in_world(motion, world)
        poses = motion.poses[present].astype(np.float64)
        poses = poses - poses[:, motion.root : motion.root + 1]
        resting = np.zeros((len(poses), 2), bool)
        if feet is not None:
            speeds, heights = _speeds(motion, feet, sighting), motion.poses[:, feet, 2]
            resting = find_contacts(speeds, present, motion.fps, heights)[present]
        path = solve_path(
            sighting,
            frames,
            motion.fps,
            world.rotation,
            None if feet is None else poses[:, feet],
            None if feet is None else resting,
            steps.stature is not None,
            steps.focal_known,
        )
        poses = poses + path.place[:, None]
    warnings = []
    if path.height is None:
        lowest = float(np.nanmin(poses[..., 2])) if floor.lowest is None else floor.lowest
        poses[..., 2] -= lowest
        warnings.append("no foot rests on a floor in any frame: the lowest point of the clip is put on it")
    locked = poses.copy()
    if feet is not None and steps.constant_bones:
        legs = present & _legs_known(motion, feet)
        for first, end in present_runs(legs):
            rows = slice(*np.searchsorted(frames, [first, end]))
            locked[rows] = lock_feet(poses[rows], resting[rows], feet, motion.skeleton, motion.fps)
    result = np.full_like(motion.poses, np.nan)
    result[present] = locked
    full = np.zeros((motion.num_frames, 2), bool)
    full[present] = resting
    uncertainty = np.full(motion.num_frames, np.nan)
    uncertainty[present] = path.uncertainty
    motion = dataclasses.replace(motion, poses=result, resting=full, root_uncertainty=uncertainty)
    typical = float(np.median(path.uncertainty))
    done = [
        *said,
        _PATH["measured" if world.level == "file" else "seen"]
        + (f", depth known to {typical:.2f} m" if typical else ""),
    ]
    if resting.any() and steps.constant_bones:
        done.append(f"feet at rest locked ({100 * resting.any(axis=1).mean():.0f} % of the frames)")
    return PlacedMotion(motion, tuple(done), tuple(warnings), path.height)


def _sighting_in_world(motion: Motion, world: World) -> Sighting:
    back = dataclasses.replace(
        motion,
        poses=(motion.poses.astype(np.float64) @ world.rotation).astype(motion.poses.dtype),
        world=False,
        level="",
    )
    sighting = _sighting(back)
    if sighting is None:
        raise Pose3DError("placement world: there are no keypoints and camera that tell where the person is")
    return sighting


def _as_filmed(
    motion: Motion, feet: tuple[int, int] | None, floor: _Floor
) -> tuple[RootPath, np.ndarray, np.ndarray]:
    """Places that are known, with the floor at 0."""
    present = motion.present
    poses = motion.poses[present].astype(np.float64)
    poses = poses - np.array([0.0, 0.0, floor.height or 0.0])
    resting = np.zeros((len(poses), 2), bool)
    if feet is not None:
        resting = _filmed_rests(motion, feet)[present]
    return RootPath(poses[:, motion.root], floor.height, np.zeros(len(poses))), resting, poses


def _shared_floor(motions: Sequence[Motion]) -> _Floor:
    """The floor of people whose places are known."""
    heights = []
    lowest = [np.nanmin(motion.poses[..., 2]) for motion in motions if motion.present.any()]
    for motion in motions:
        feet = feet_joints(motion.skeleton)
        if feet is not None:
            heights.append(motion.poses[:, feet, 2][_filmed_rests(motion, feet)])
    found = np.concatenate(heights) if heights else np.zeros(0)
    height = float(np.median(found)) if len(found) else None
    return _Floor(height, float(min(lowest)) if lowest else None)


def _filmed_rests(motion: Motion, feet: tuple[int, int]) -> np.ndarray:
    """`(F, 2)` bool: the left, the right foot rests, by its own movement."""
    seen = np.asarray(motion.known[:, feet].all(axis=1))
    speeds = foot_speeds(motion.poses[:, feet], seen, motion.fps)
    return find_contacts(speeds, seen, motion.fps, motion.poses[:, feet, 2])


def _legs_known(motion: Motion, feet: tuple[int, int]) -> np.ndarray:
    """`(F,)` bool: both legs have all of their joints."""
    names = [f"{side}_{joint}" for side in "lr" for joint in ("hip", "knee", "ankle")]
    legs = [motion.skeleton.index(name) for name in names if name in motion.skeleton.joints]
    return np.asarray(motion.known[:, [*legs, *feet]].all(axis=1))
