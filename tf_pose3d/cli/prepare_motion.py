"""`tools/prepare_motion.py`: motion capture from anywhere as a motion file; see `--help`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tf_pose3d.cli.flags import Parser
from tf_pose3d.cli.program import run_program
from tf_pose3d.errors import Pose3DError
from tf_pose3d.json_text import decode_text, parse_json

__all__ = ["main", "prepare"]


def make_parser() -> Parser:
    parser = Parser(
        prog="prepare_motion.py",
        description="Turns motion capture (BVH, AMC with ASF, npz) into a motion file for training the "
        "general lifter: 17 joints, metres, z up, 30 frames per second. See docs/general.md for where to get "
        "some, and for what its owners allow.",
    )
    parser.add_argument("inputs", nargs="+", metavar="FILE|DIR", help="files, or folders that are searched")
    parser.add_argument("--output", required=True, metavar="FILE", help="motion file (.npz) to write")
    parser.add_argument(
        "--source", default="", metavar="NAME", help="where it comes from (default: the folder)"
    )
    parser.add_argument(
        "--subjects",
        choices=("folder", "prefix", "file"),
        default="folder",
        help="who moves: the file's folder, what stands before the first _ of its name (as in the CMU "
        "database), or the file",
    )
    parser.add_argument(
        "--unit",
        choices=("m", "cm", "mm", "inch", "cmu"),
        help="unit of BVH and npz files; cmu: inches scaled by 0.45, as conversions of the CMU database "
        "(default: by the length of the thighs; npz: m)",
    )
    parser.add_argument(
        "--up", choices=("y", "z"), help="axis that is up (default: where the trunks point; npz: z)"
    )
    parser.add_argument(
        "--fps", type=float, default=120.0, metavar="HZ", help="frames per second of AMC files (default: 120)"
    )
    parser.add_argument("--asf", metavar="FILE", help="skeleton of AMC files (default: the one beside them)")
    parser.add_argument(
        "--skip",
        type=int,
        default=0,
        metavar="N",
        help="leave out the first N frames of BVH and AMC files, such as a T-pose",
    )
    parser.add_argument(
        "--shortest",
        type=float,
        default=1.0,
        metavar="S",
        help="leave out clips below S seconds (default: 1)",
    )
    parser.add_argument(
        "--joints",
        metavar="JSON|FILE",
        help='names of joints that are not found, e.g. \'{"l_hip": "Thigh.L"}\', or a file with that',
    )
    return parser


def _read_joints(text: str | None) -> dict[str, str]:
    if text is None:
        return {}
    where = "--joints"
    if not text.lstrip().startswith("{"):
        where = text
        try:
            text = decode_text(Path(text).read_bytes(), where)
        except OSError as error:
            raise Pose3DError(f"{where}: {error.strerror}") from None
    try:
        held = parse_json(text, where)
    except Pose3DError as error:
        raise Pose3DError(f'{error}; expected JSON such as {{"l_hip": "NAME"}}') from None
    if not isinstance(held, dict) or not all(isinstance(value, str) for value in held.values()):
        raise Pose3DError(f'{where}: expected an object of names such as {{"l_hip": "NAME"}}')
    return held


def prepare(arguments: Sequence[str] | None = None, log: Callable[[str], None] | None = None) -> None:
    """Runs the program; see `make_parser` for the flags.

    Raises:
        Pose3DError: Bad input.
    """
    from tf_pose3d.data.motion_files.preparation import MotionPreparation, prepare_motion

    parser = make_parser()
    given = parser.parse_args(arguments)
    log = log or (lambda line: print(line, flush=True))
    if not given.output.endswith(".npz"):
        parser.error(f"--output is {given.output}, expected a file that ends in .npz")
    if not 1 <= given.fps <= 1000:
        parser.error(f"--fps is {given.fps:g}, expected 1 to 1000")
    if given.skip < 0 or given.shortest < 0:
        parser.error("--skip and --shortest cannot be below 0")
    setting = MotionPreparation(
        given.source,
        given.subjects,
        given.unit,
        given.up,
        given.fps,
        given.skip,
        given.shortest,
        _read_joints(given.joints),
        None if given.asf is None else Path(given.asf),
    )
    clips = prepare_motion(given.inputs, given.output, setting, log)
    people = np.unique(clips.subjects)
    seconds = len(clips.positions) / 30
    log(
        f"wrote {given.output}: {len(clips)} clips of {len(people)} people ({', '.join(people[:8])}"
        f"{' ...' if len(people) > 8 else ''}), {len(clips.positions)} frames, {seconds / 60:.1f} minutes"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("prepare_motion.py", prepare, arguments)


if __name__ == "__main__":
    sys.exit(main())
