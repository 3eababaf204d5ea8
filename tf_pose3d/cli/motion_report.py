"""`tools/motion_report.py`: how the motion in a file moves, with truth or without; see `--help`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tf_pose3d.cli.flags import Parser
from tf_pose3d.cli.program import run_program
from tf_pose3d.errors import Pose3DError

__all__ = ["main", "motion_report"]

_PROGRAM = "motion_report.py"


def make_parser() -> Parser:
    parser = Parser(
        prog=_PROGRAM,
        description="Smoothness, bones, feet, floor and path of the motion in a file (.trc, .c3d, .bvh, "
        ".npz, .json), and its errors against a file of true motion of the same frames.",
    )
    parser.add_argument("file", metavar="FILE", help="motion")
    parser.add_argument("truth", metavar="TRUTH", nargs="?", help="true motion, frame by frame")
    parser.add_argument(
        "--up", choices=("x", "y", "z"), help="the axis that points up (default: along trunks)"
    )
    parser.add_argument(
        "--unit", choices=("m", "cm", "mm", "inch"), help="of the files (default: as they say)"
    )
    parser.add_argument(
        "--fps", type=float, metavar="HZ", help="frames per second (default: as the file says)"
    )
    parser.add_argument("--json", metavar="FILE", help="also write the figures as JSON")
    return parser


def motion_report(arguments: Sequence[str] | None = None, log: Callable[[str], None] | None = None) -> None:
    """Runs the program; see `make_parser` for the flags.

    Raises:
        Pose3DError: Files that cannot be read or do not fit each other.
    """
    from tf_pose3d.evaluation.motion_metrics import metrics_table, motion_metrics
    from tf_pose3d.files import write_json
    from tf_pose3d.inference.motion_readers import ReadMotionOptions, read_motion
    from tf_pose3d.skeleton import convert_joints, missing_joints

    parsed = make_parser().parse_args(arguments)
    log = log or (lambda line: print(line, flush=True))
    options = ReadMotionOptions(parsed.up, parsed.unit, parsed.fps, max_gap=0)
    motion = read_motion(parsed.file, options)
    other = None if parsed.truth is None else read_motion(parsed.truth, options)
    if other is not None and missing_joints(other.skeleton, motion.skeleton):
        # The truth tells fewer joints: those are compared.
        poses = convert_joints(motion.poses, motion.skeleton, other.skeleton)
        motion = motion.in_layout(poses, other.skeleton)
    lacking = motion.present & ~motion.known.all(axis=1)
    if (lacking == motion.present).all():
        raise Pose3DError(f"{parsed.file}: no frame has all of its {motion.skeleton.num_joints} joints")
    if lacking.any():
        log(f"{parsed.file}: {int(lacking.sum())} frames lack joints, and count for nothing")
    truth = None
    if other is not None:
        truth = other.poses
        if other.skeleton != motion.skeleton:
            truth = convert_joints(truth, other.skeleton, motion.skeleton)
        if len(truth) != motion.num_frames or other.world != motion.world:
            raise Pose3DError(
                f"{parsed.truth}: {len(truth)} frames in {'world' if other.world else 'camera'} axes, "
                f"expected "
                f"the {motion.num_frames} of {parsed.file} in {'world' if motion.world else 'camera'} axes"
            )
    poses = np.where(lacking[:, None, None], np.nan, motion.poses)
    if truth is not None:
        # Both in one floating type.
        poses, truth = np.asarray(poses, np.float64), np.asarray(truth, np.float64)
    found = motion_metrics(
        poses,
        motion.skeleton,
        motion.fps,
        motion.root,
        truth,
        in_world=motion.world and motion.placement == "world",
    )
    axes = (
        f"world, {motion.placement}" if motion.world else "camera axes: feet, floor and path are not measured"
    )
    log(f"{parsed.file}: {motion.num_frames} frames at {motion.fps:g} per second, {axes}")
    log(metrics_table(found))
    if parsed.json is not None:
        write_json(parsed.json, {"file": parsed.file, "truth": parsed.truth, "figures": found})
        log(f"wrote {parsed.json}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program(_PROGRAM, motion_report, arguments)
