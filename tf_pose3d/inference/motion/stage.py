"""The one stage between lifting and writing: smoothing, one skeleton, world axes, place, floor and feet."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.motion.constant_bones import fit_skeleton
from tf_pose3d.inference.motion.kalman import smooth_by_uncertainty
from tf_pose3d.inference.motion.record import Motion
from tf_pose3d.inference.motion.smoothing import SHORTEST, parse_smoothing, smooth_positions
from tf_pose3d.inference.motion.stature import standing_height
from tf_pose3d.inference.motion.steps import MotionSteps
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
            as files of motion capture have them.
        steps: What to do.

    Returns:
        One for each.

    Raises:
        Pose3DError: A smoothing that the frame rate cannot show, or keypoints or joints that a step needs and
        that
            are not there.
    """
    staged = [_one_skeleton(_smoothed(StagedMotion(motion), steps), steps) for motion in motions]
    if steps.level == "off" and not any(motion.world for motion in motions):
        return [_in_camera(held, steps.placement) for held in staged]
    world = find_world([held.motion for held in staged], steps)
    placed = place_in_world([held.motion for held in staged], world, steps)
    return [
        held.then(found.motion, *found.done, warnings=found.warnings)
        for held, found in zip(staged, placed, strict=True)
    ]


def _smoothed(held: StagedMotion, steps: MotionSteps) -> StagedMotion:
    if steps.smooth is None:
        return held
    motion, present = held.motion, held.motion.present
    name, cutoff = parse_smoothing(steps.smooth)
    if name == "rts":
        poses, left = smooth_by_uncertainty(motion.poses, present, motion.fps, cutoff, motion.uncertainty)
        done = f"smoothed (Rauch-Tung-Striebel, {cutoff:g} Hz)"
    else:
        poses, left = smooth_positions(motion.poses, present, motion.fps, cutoff)
        done = f"smoothed (Butterworth, {cutoff:g} Hz)"
    warnings = (
        [
            f"{left} of {int(present.sum())} frames with a pose are not smoothed: they lie in runs of fewer "
            f"than {SHORTEST} frames"
        ]
        if left
        else []
    )
    return held.then(dataclasses.replace(motion, poses=poses), done, warnings=warnings)


def _one_skeleton(held: StagedMotion, steps: MotionSteps) -> StagedMotion:
    motion, present = held.motion, held.motion.present
    if not present.any() or not (steps.constant_bones or steps.stature is not None):
        return held
    done = []
    poses, uncertainty = motion.poses, motion.uncertainty
    if steps.constant_bones:
        poses = poses.copy()
        poses[present] = fit_skeleton(poses[present], motion.skeleton)
        done.append("bones of constant length")
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
        done.append(f"scaled from {height:.2f} to {steps.stature:g} m")
    return held.then(dataclasses.replace(motion, poses=poses, uncertainty=uncertainty), *done)


def _in_camera(held: StagedMotion, placement: str) -> StagedMotion:
    """In the camera's axes."""
    motion = held.motion
    if placement == "root":
        return held
    if placement == "floor":
        poses = feet_on_floor(motion.poses)
    elif motion.keypoints is None or motion.camera is None:
        raise Pose3DError("placement camera: there are no keypoints and camera that tell where the person is")
    else:
        keypoints = with_confidence(motion.keypoints)
        poses = place_poses(motion.poses, keypoints, motion.present, motion.camera, placement)
    return held.then(dataclasses.replace(motion, poses=poses, placement=placement), _PLACED[placement])


_PLACED = {"camera": "in the camera's space", "floor": "the lowest joint of each frame on the floor"}
