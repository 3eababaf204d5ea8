"""`tools/convert_motion.py`: motion from one format to another, through the stage that lifted poses take."""

from __future__ import annotations

import dataclasses
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tf_pose3d.cli.flags import Parser
from tf_pose3d.cli.motion_flags import add_motion_flags, angle_steps, motion_steps, stage_for_file
from tf_pose3d.cli.pictures import check_output
from tf_pose3d.cli.program import run_program
from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    from tf_pose3d.inference.motion.record import Motion

__all__ = ["convert_motion", "main"]

_PROGRAM = "convert_motion.py"


def make_parser() -> Parser:
    parser = Parser(
        prog=_PROGRAM,
        description="Turns motion (.trc, .c3d, .bvh, or .npz and .json of this package) into any format of "
        "inference.py --output; smoothing, one skeleton, floor and feet as there.",
    )
    parser.add_argument("input", metavar="FILE", help="motion to read")
    parser.add_argument(
        "output", metavar="FILE", help="motion to write, or a picture (.html, .gif, .png, .mp4)"
    )
    group = parser.add_argument_group("what the file does not say")
    group.add_argument(
        "--up", choices=("x", "y", "z"), help="the axis that points up (default: along trunks)"
    )
    group.add_argument(
        "--unit", choices=("m", "cm", "mm", "inch"), help="(default: the file's, else by the thighs)"
    )
    group.add_argument("--fps", type=float, metavar="HZ", help="frames per second (default: the file's)")
    group.add_argument(
        "--max_gap", type=int, default=10, metavar="N", help="longest run of frames without a joint to fill"
    )
    group.add_argument(
        "--clip", default="0", metavar="N|NAME", help="which clip of a motion file with several (default: 0)"
    )
    group.add_argument("--focal_length", type=float, metavar="PIXELS", help="of the camera of .npz and .json")
    parser.add_argument(
        "--marker_set", metavar="FILE.xml", help="write OpenSim's marker set for our .trc files, too"
    )
    add_motion_flags(parser)
    return parser


def convert_motion(arguments: Sequence[str] | None = None, log: Callable[[str], None] | None = None) -> None:
    """Runs the program; see `make_parser` for the flags.

    Raises:
        Pose3DError: Bad input.
    """
    from tf_pose3d.files import write_whole
    from tf_pose3d.inference.motion.steps import KEPT
    from tf_pose3d.inference.motion_readers import ReadMotionOptions, read_motion
    from tf_pose3d.inference.writers import WRITERS, check_motion_file, gap_note, write_motion
    from tf_pose3d.inference.writers.angles_csv import check_angle_file, write_angles
    from tf_pose3d.inference.writers.marker_set import marker_set_text

    parsed = make_parser().parse_args(arguments)
    log = log or (lambda line: print(line, flush=True))
    steps = motion_steps(parsed, parsed.output)
    picture = Path(parsed.output).suffix.lower() in (".html", ".gif", ".png", ".mp4")
    if not picture and Path(parsed.output).suffix.lower() not in WRITERS:
        check_motion_file(parsed.output)
    check_output("output", parsed.output, [parsed.input])
    if parsed.angles is not None:
        check_angle_file(parsed.angles)
        check_output("--angles", parsed.angles, [parsed.input], [parsed.output])
    if parsed.marker_set is not None:
        check_output("--marker_set", parsed.marker_set, [parsed.input], [parsed.output, parsed.angles])
    options = ReadMotionOptions(parsed.up, parsed.unit, parsed.fps, parsed.max_gap, parsed.clip)
    motion = _with_focal(read_motion(parsed.input, options), parsed.focal_length)
    missing = int((~motion.present).sum())
    lacking = int((motion.present & ~motion.known.all(axis=1)).sum())
    log(
        f"{parsed.input}: {motion.num_frames} frames at {motion.fps:g} per second, "
        f"{motion.skeleton.num_joints} joints"
        + (f", {missing} frames without a pose" if missing else "")
        + (f", {lacking} that lack joints" if lacking else "")
    )
    if motion.world and parsed.placement is None:
        # Motion capture knows where it is; where poses are on the floor, its floor is put to 0.
        steps = dataclasses.replace(steps, placement="world" if steps.placement == "floor" else KEPT)

    def warn(message: str) -> None:
        print(f"{_PROGRAM}: warning: {message}", file=sys.stderr, flush=True)

    (staged,) = stage_for_file([motion], parsed, steps, parsed.output, log, warn)
    if picture:
        _draw(parsed, staged)
        log(f"wrote {parsed.output}")
    else:
        check_motion_file(parsed.output, staged.num_frames)
        write_motion(parsed.output, staged)
        note = gap_note(parsed.output, staged)
        log(f"wrote {parsed.output}{f': {note}' if note else ''}")
    if parsed.angles is not None:
        (level,) = stage_for_file([motion], parsed, angle_steps(parsed), parsed.angles, log, warn)
        write_angles(parsed.angles, level)
        note = gap_note(parsed.angles, level, angles=True)
        log(f"wrote {parsed.angles}{f': {note}' if note else ''}")
    if parsed.marker_set is not None:
        with write_whole(parsed.marker_set, "w") as file:
            file.write(marker_set_text())
        log(f"wrote {parsed.marker_set}")


def _with_focal(motion: Motion, focal: float | None) -> Motion:
    from tf_pose3d.inference.trajectory import default_camera

    if focal is None:
        return motion
    if motion.camera is None:
        raise Pose3DError("--focal_length: the file has no keypoints and image size that it would serve for")
    camera = default_camera(motion.camera.width, motion.camera.height, focal)
    return dataclasses.replace(motion, camera=camera)


def _draw(parsed: Namespace, motion: Motion) -> None:
    """A picture of motion that no camera saw: its plan takes the place of the 2D poses."""
    from tf_pose3d.render import draw
    from tf_pose3d.render.scene import motion_scene

    poses = motion.held() if motion.present.any() else motion.poses
    if not motion.world:
        poses = poses[..., [0, 2, 1]] * (1, 1, -1)
    title = motion.name or Path(parsed.input).name
    scene = motion_scene(poses, motion.skeleton, motion.root, motion.fps, title)
    draw(scene, parsed.output, 5.0, None, 3000, show_progress=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program(_PROGRAM, convert_motion, arguments)
