"""Flags of the stage between lifting and writing, and running it for a file."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    from tf_pose3d.cli.flags import Parser
    from tf_pose3d.inference.motion.record import Motion
    from tf_pose3d.inference.motion.steps import MotionSteps

__all__ = ["add_motion_flags", "angle_steps", "asked_steps", "motion_steps", "stage_for_file"]

# Flags of the stage, each with what it is where it is not given.
_FLAGS = {
    "smooth": None,
    "constant_bones": False,
    "placement": None,
    "level": None,
    "camera_pitch": None,
    "camera_roll": None,
    "stature": None,
    "raw": False,
    "bvh_names": "mixamo",
    "angles": None,
}


def add_motion_flags(parser: Parser) -> None:
    """Flags of the stage."""
    group = parser.add_argument_group(
        "motion (.bvh, .trc, .c3d, .glb, .usda, .fbx, .mot and pictures are level, of one skeleton and on "
        "the floor; "
        ".npz, .npy, .json and .csv are as lifted, unless a flag asks)"
    )
    group.add_argument(
        "--smooth",
        metavar="FILTER",
        help="smooth the poses: butterworth or butterworth:HZ (6), rts or rts:HZ (4, weighs frames by their "
        "uncertainty), both without delay; of a stream, one_euro, one_euro:HZ or one_euro:HZ:SLOPE",
    )
    group.add_argument(
        "--constant_bones",
        action="store_true",
        help="fit one skeleton to the poses, so that bones have one length in all frames",
    )
    group.add_argument(
        "--placement",
        choices=("root", "camera", "floor", "world"),
        help="poses round their root; in the camera's space, by the geometry of their projection; with the "
        "lowest "
        "joint of each frame on a floor; or on the path that the person walks before a camera that stands "
        "still, "
        "feet at rest locked",
    )
    group.add_argument(
        "--level",
        choices=("auto", "off"),
        help="turn poses to a world with z up, by the camera's orientation, else --camera_pitch and "
        "--camera_roll, "
        "else by how the person stands",
    )
    group.add_argument("--camera_pitch", type=float, metavar="DEGREES", help="how far the camera looks down")
    group.add_argument(
        "--camera_roll", type=float, metavar="DEGREES", help="how far it is turned clockwise about its view"
    )
    group.add_argument(
        "--stature", type=float, metavar="METRES", help="height of the person, to scale poses to"
    )
    group.add_argument(
        "--bvh_names",
        choices=("mixamo", "cmu", "h36m"),
        default="mixamo",
        help="whose names the bones of .bvh, .glb, .usda and .fbx bear",
    )
    group.add_argument(
        "--angles",
        metavar="FILE",
        help="write joint angles of clinicians (.csv), level and of one skeleton; --output FILE.mot writes "
        "OpenSim's",
    )
    group.add_argument("--raw", action="store_true", help="no step but those that flags ask for")


def asked_steps(arguments: Namespace) -> list[str]:
    """The flags of the stage that were given."""
    return [f"--{name}" for name, default in _FLAGS.items() if getattr(arguments, name) != default]


def motion_steps(arguments: Namespace, path: str) -> MotionSteps:
    """The steps for a file.

    Raises:
        Pose3DError: Flags that contradict each other.
    """
    from tf_pose3d.inference.motion.steps import MotionSteps

    try:
        return MotionSteps.for_file(
            path,
            raw=arguments.raw,
            smooth=arguments.smooth,
            constant_bones=arguments.constant_bones,
            level=arguments.level,
            pitch=arguments.camera_pitch,
            roll=arguments.camera_roll,
            placement=arguments.placement,
            stature=arguments.stature,
            focal_known=arguments.focal_length is not None,
        )
    except Pose3DError as error:
        raise Pose3DError(f"{' '.join(asked_steps(arguments))}: {error}") from None


def angle_steps(arguments: Namespace) -> MotionSteps:
    """The steps for joint angles: as for animation, in place.

    Raises:
        Pose3DError: Flags that contradict each other.
    """
    return motion_steps(arguments, "angles.mot")


def stage_for_file(
    motions: Sequence[Motion],
    arguments: Namespace,
    steps: MotionSteps,
    path: str,
    log: Callable[[str], None],
    warn: Callable[[str], None],
) -> list[Motion]:
    """Runs the stage for a file, and says in one line what it did.

    Raises:
        Pose3DError: As `tf_pose3d.inference.motion.stage.run_stage`.
    """
    from tf_pose3d.inference.motion.stage import run_stage

    staged = run_stage(motions, steps)
    said = list(dict.fromkeys(step for held in staged for step in held.done))
    if said:
        log(f"{path}: {', '.join(said)}")
    for held in staged:
        for message in held.warnings:
            warn(f"{held.motion.subject}: {message}" if held.motion.subject else message)
    return [dataclasses.replace(held.motion, bone_names=arguments.bvh_names) for held in staged]
