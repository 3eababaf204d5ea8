"""Flags of the stage between lifting and writing, and running it for a file."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    from argparse import _ArgumentGroup

    from tf_pose3d.cli.flags import Parser
    from tf_pose3d.inference.motion.record import Motion
    from tf_pose3d.inference.motion.steps import MotionSteps

__all__ = [
    "add_measured_motion_flags",
    "add_motion_flags",
    "angle_steps",
    "asked_steps",
    "check_smoothing",
    "measured_steps",
    "motion_steps",
    "stage_for_file",
    "with_suffix",
    "write_motions",
]

# A file of whose kind joint angles are.
_ANGLES = "angles.mot"
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
# Files with named bones.
_NAMED = (".bvh", ".glb", ".usda", ".fbx")


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
    _add_constant_bones(group)
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
    _add_names_and_angles(group)


def add_measured_motion_flags(parser: Parser) -> None:
    """Flags of the stage for poses that several cameras measured, which are level and of true size."""
    group = parser.add_argument_group(
        "motion (.bvh, .glb, .usda, .fbx and .mot are of one skeleton, on the floor, feet at rest locked; "
        "all others are as measured, unless a flag asks)"
    )
    group.add_argument(
        "--smooth",
        metavar="FILTER",
        help="smooth the poses: butterworth or butterworth:HZ (6), rts or rts:HZ (4), without delay",
    )
    _add_constant_bones(group)
    group.add_argument(
        "--placement",
        choices=("root", "camera", "floor", "world"),
        help="poses round their root; in the axes and the space of the first input's camera; in place, with "
        "the lowest joint of each frame on the floor; or where they were measured, the floor at 0 where feet "
        "rest",
    )
    _add_names_and_angles(group)


def _add_constant_bones(group: _ArgumentGroup) -> None:
    group.add_argument(
        "--constant_bones",
        action="store_true",
        help="fit one skeleton to the poses, so that bones have one length in all frames",
    )


def _add_names_and_angles(group: _ArgumentGroup) -> None:
    group.add_argument(
        "--bvh_names",
        choices=("mixamo", "cmu", "h36m"),
        default="mixamo",
        help=f"whose names the bones of {', '.join(_NAMED[:-1])} and {_NAMED[-1]} bear",
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
    return [f"--{name}" for name, default in _FLAGS.items() if getattr(arguments, name, default) != default]


def check_smoothing(arguments: Namespace, fps: float | None) -> None:
    """Finds a cutoff of `--smooth` that a frame rate cannot show, before what takes long.

    Args:
        arguments: The flags.
        fps: Frames per second; None: not known yet. Rates that mean nothing are others' to find.

    Raises:
        Pose3DError: There is one.
    """
    from tf_pose3d.inference.motion.smoothing import check_cutoff, parse_smoothing

    if arguments.smooth is not None and fps is not None and fps > 0:
        check_cutoff(parse_smoothing(arguments.smooth)[1], fps)


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
            placement=_level_placement(arguments, path),
            stature=arguments.stature,
            focal_known=arguments.focal_length is not None,
        )
    except Pose3DError as error:
        raise Pose3DError(f"{' '.join(asked_steps(arguments))}: {error}") from None


def measured_steps(arguments: Namespace, path: str) -> MotionSteps:
    """The steps for a file of poses that several cameras measured.

    Raises:
        Pose3DError: Flags that mean nothing.
    """
    from tf_pose3d.inference.motion.steps import MotionSteps

    return MotionSteps.for_measured(
        path,
        raw=arguments.raw,
        smooth=arguments.smooth,
        constant_bones=arguments.constant_bones,
        placement=_level_placement(arguments, path),
    )


def _level_placement(arguments: Namespace, path: str) -> str | None:
    """The placement that is asked for; joint angles are level wherever poses go."""
    return None if path == _ANGLES and arguments.placement == "camera" else arguments.placement


def angle_steps(arguments: Namespace) -> MotionSteps:
    """The steps for joint angles of lifted poses: as for animation, in place.

    Raises:
        Pose3DError: Flags that contradict each other.
    """
    return motion_steps(arguments, _ANGLES)


def stage_for_file(
    motions: Sequence[Motion],
    arguments: Namespace,
    steps: MotionSteps,
    path: str,
    log: Callable[[str], None],
    warn: Callable[[str], None],
) -> list[Motion]:
    """Runs the stage for a file, and says in one line what it did, and in one for each of several people.

    Raises:
        Pose3DError: As `tf_pose3d.inference.motion.stage.run_stage`.
    """
    from tf_pose3d.inference.motion.stage import run_stage

    staged = run_stage(motions, steps)
    # What was done to all is said once, before what was done to one.
    shared = [step for step in staged[0].done if all(step in held.done for held in staged)] if staged else []
    if shared:
        log(f"{path}: {', '.join(shared)}")
    for held in staged:
        own = [step for step in held.done if step not in shared]
        if own:
            log(f"{path}: {held.motion.subject or 'a person'}: {', '.join(own)}")
        for message in held.warnings:
            warn(f"{held.motion.subject}: {message}" if held.motion.subject else message)
    return [dataclasses.replace(held.motion, bone_names=arguments.bvh_names) for held in staged]


def write_motions(
    motions: Sequence[Motion],
    suffixes: Sequence[str],
    arguments: Namespace,
    steps_of: Callable[[Namespace, str], MotionSteps],
    log: Callable[[str], None],
    warn: Callable[[str], None],
) -> None:
    """Writes poses (`--output`) and joint angles (`--angles`) of people who were seen together.

    Args:
        motions: As the stage takes them.
        suffixes: One for each, for the files' names, before their extension.
        arguments: The flags.
        steps_of: `motion_steps` or `measured_steps`.
        log: Takes a line for the user.
        warn: Takes a warning.

    Raises:
        Pose3DError: A file that cannot be written, or a step that the poses do not allow.
    """
    from tf_pose3d.inference.writers import check_motion_file, gap_note, write_motion
    from tf_pose3d.inference.writers.angles_csv import write_angles

    named = arguments.output is not None and Path(arguments.output).suffix.lower() in _NAMED
    if not named and arguments.bvh_names != _FLAGS["bvh_names"]:
        warn(f"--bvh_names {arguments.bvh_names} is without effect: it is for {', '.join(_NAMED)}")
    if arguments.output is not None:
        steps = steps_of(arguments, arguments.output)
        staged = stage_for_file(motions, arguments, steps, arguments.output, log, warn)
        for motion, suffix in zip(staged, suffixes, strict=False):
            path = with_suffix(arguments.output, suffix)
            check_motion_file(path, motion.num_frames)
            write_motion(path, motion)
            note = gap_note(path, motion)
            log(f"wrote {path}{f': {note}' if note else ''}")
    if arguments.angles is not None:
        steps = steps_of(arguments, _ANGLES)
        staged = stage_for_file(motions, arguments, steps, arguments.angles, log, warn)
        for motion, suffix in zip(staged, suffixes, strict=False):
            path = with_suffix(arguments.angles, suffix)
            write_angles(path, motion)
            note = gap_note(path, motion, angles=True)
            log(f"wrote {path}{f': {note}' if note else ''}")


def with_suffix(path: str, suffix: str) -> str:
    """A file's path with an addition to its name, before the extension."""
    place = Path(path)
    return str(place.with_name(f"{place.stem}{suffix}{place.suffix}")) if suffix else path
