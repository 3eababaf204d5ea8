"""The one stage between lifting and writing: smoothing, one skeleton, world axes, place, floor and feet."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.body import to_body
from tf_pose3d.inference.motion.constant_bones import fit_skeleton
from tf_pose3d.inference.motion.kalman import smooth_by_uncertainty
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.smoothing import SHORTEST, parse_smoothing, smooth_positions
from tf_pose3d.inference.motion.stature import standing_height
from tf_pose3d.inference.motion.steps import LIFTED, MotionSteps
from tf_pose3d.inference.motion.world import find_world, place_in_world, with_confidence
from tf_pose3d.inference.trajectory import feet_on_floor, place_poses

__all__ = ["StagedMotion", "run_stage"]


@dataclasses.dataclass(frozen=True)
class StagedMotion:
    """What came out of the stage.

    Attributes:
        motion: As writers take it.
        done: What was done, in a few words each.
        warnings: What could not be done as asked, one line each.
    """

    motion: Motion
    done: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def then(self, motion: Motion, *done: str, warnings: Sequence[str] = ()) -> StagedMotion:
        """The next state, with what was done for it."""
        return StagedMotion(motion, (*self.done, *done), (*self.warnings, *warnings))


def run_stage(motions: Sequence[Motion], steps: MotionSteps) -> list[StagedMotion]:
    """Poses of one person, or of several who were seen by one camera at once, after the steps.

    Several share their world: its axes, and its origin.

    Args:
        motions: Camera axes and root-centred, as lifters give them, with keypoints and camera; or world axes,
            as files of motion capture and several cameras have them, single joints missing or not.
        steps: What to do.

    Returns:
        One for each.

    Raises:
        Pose3DError: A smoothing that the frame rate cannot show, or keypoints or joints that a step needs and
        that
            are not there.
    """
    staged = [
        _one_skeleton(_smoothed(_with_pelvis(StagedMotion(motion), steps), steps), steps)
        for motion in motions
    ]
    if steps.placement == "camera" and all(motion.viewpoint is not None for motion in motions):
        return [_seen_from(held) for held in staged]
    if steps.level == "off" and not any(motion.world for motion in motions):
        return [_in_camera(held, steps.placement) for held in staged]
    if steps.follow_path and all(held.motion.path is not None for held in staged):
        steps = dataclasses.replace(steps, placement="world")
    world = find_world([held.motion for held in staged], steps)
    placed = place_in_world([held.motion for held in staged], world, steps)
    return [
        held.then(found.motion, *found.done, warnings=found.warnings)
        for held, found in zip(staged, placed, strict=True)
    ]


def _with_pelvis(held: StagedMotion, steps: MotionSteps) -> StagedMotion:
    """For joint rotations: the joints that are found, in a layout that animation programs have."""
    motion = held.motion
    if not (steps.rotations and motion.world and motion.present.any()):
        return held
    motion = motion.found_joints()
    poses, skeleton = to_body(motion.poses, motion.skeleton)
    if skeleton is not motion.skeleton:
        motion = motion.in_layout(poses, skeleton)
    return dataclasses.replace(held, motion=motion)


def _seen_from(held: StagedMotion) -> StagedMotion:
    """World poses in the axes of the camera that the motion names."""
    motion = held.motion
    assert motion.viewpoint is not None
    rotation, translation = motion.viewpoint
    poses = (motion.poses.astype(np.float64) @ rotation.T + translation).astype(motion.poses.dtype)
    placed = dataclasses.replace(motion, poses=poses, world=False, level="", placement="camera")
    return held.then(placed, _PLACED["camera"])


def _smoothed(held: StagedMotion, steps: MotionSteps) -> StagedMotion:
    if steps.smooth is None:
        return held
    motion, present = held.motion, held.motion.present
    name, cutoff = parse_smoothing(steps.smooth)
    poses, left = motion.poses.copy(), 0
    # Joints that are seen in the same frames go together; most often those are all.
    patterns, which = np.unique(motion.known, axis=1, return_inverse=True)
    for number, known in enumerate(patterns.T):
        joints = np.flatnonzero(which.reshape(-1) == number)
        if name == "rts":
            unsure = None if motion.uncertainty is None else motion.uncertainty[:, joints]
            found = smooth_by_uncertainty(motion.poses[:, joints], known, motion.fps, cutoff, unsure)
        else:
            found = smooth_positions(motion.poses[:, joints], known, motion.fps, cutoff)
        poses[:, joints], left = found[0], max(left, found[1])
    label = {"rts": "Rauch-Tung-Striebel", "butterworth": "Butterworth"}[name]
    done = [f"smoothed ({label}, {cutoff:g} Hz)"] if left < present.sum() else []
    warnings = (
        [
            f"{left} of {int(present.sum())} frames with a pose are not smoothed: they lie in runs of fewer "
            f"than {SHORTEST} frames"
        ]
        if left
        else []
    )
    path = motion.path
    if path is not None and present.any():
        # The root's path as a skeleton of one joint.
        alone = path[:, None]
        if name == "rts":
            path = smooth_by_uncertainty(alone, present, motion.fps, cutoff, None)[0][:, 0]
        else:
            path = smooth_positions(alone, present, motion.fps, cutoff)[0][:, 0]
    return held.then(dataclasses.replace(motion, poses=poses, path=path), *done, warnings=warnings)


def _one_skeleton(held: StagedMotion, steps: MotionSteps) -> StagedMotion:
    motion, present = held.motion, held.motion.present
    if not present.any() or not (steps.constant_bones or steps.stature is not None):
        return held
    done = []
    poses, uncertainty, path = motion.poses, motion.uncertainty, motion.path
    if steps.constant_bones:
        poses = _fitted(motion, steps)
        done.append("bones of constant length")
        if steps.rotations and motion.partial:
            done.append("bones that were not seen as before and after")
    if steps.stature is not None:
        height = standing_height(poses[present], motion.skeleton)
        if height is None:
            raise Pose3DError(
                f"layout {motion.skeleton.name} lacks ankles, hips or the top of the head, by which a "
                f"stature is "
                "scaled"
            )
        scale = steps.stature / height
        poses = poses * poses.dtype.type(scale)
        uncertainty = None if uncertainty is None else uncertainty * uncertainty.dtype.type(scale)
        path = None if path is None else path * path.dtype.type(scale)
        done.append(f"scaled from {height:.2f} to {steps.stature:g} m")
    return held.then(dataclasses.replace(motion, poses=poses, uncertainty=uncertainty, path=path), *done)


def _fitted(motion: Motion, steps: MotionSteps) -> np.ndarray:
    """One skeleton; joints that were not seen stay missing but where rotations need them."""
    present = motion.present
    found = motion.found_joints()
    columns = np.array([motion.skeleton.index(name) for name in found.skeleton.joints])
    poses = motion.poses.copy()
    fitted = fit_skeleton(found.poses[present], found.skeleton)
    poses[np.ix_(present, columns)] = fitted
    if not steps.rotations:
        poses[~motion.known] = np.nan
    return poses


def _in_camera(held: StagedMotion, placement: str) -> StagedMotion:
    """In the camera's axes."""
    motion = held.motion
    if placement == LIFTED:
        placement = "root" if motion.path is None else "camera"
    if placement == "root":
        return held
    if placement == "camera" and motion.path is not None:
        poses = motion.poses + motion.path[:, None].astype(motion.poses.dtype)
        moved = dataclasses.replace(motion, poses=poses, placement=placement)
        return held.then(moved, "in the camera's space, by the network of the root's path")
    if placement == "floor":
        poses = feet_on_floor(motion.poses)
    elif motion.keypoints is None or motion.camera is None:
        raise Pose3DError("placement camera: there are no keypoints and camera that tell where the person is")
    else:
        keypoints = with_confidence(motion.keypoints)
        poses = place_poses(motion.poses, keypoints, motion.present, motion.camera, placement)
    return held.then(dataclasses.replace(motion, poses=poses, placement=placement), _PLACED[placement])


_PLACED = {"camera": "in the camera's space", "floor": "the lowest joint of each frame on the floor"}
