"""`tools/prepare_data_humaneva.py`: makes HumanEva-I's files from what its tools export; see `--help`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from tf_pose3d.cli.flags import Parser
from tf_pose3d.cli.program import run_program
from tf_pose3d.data.humaneva_preparation import (
    align_detections,
    missing_recordings,
    read_detections,
    read_recordings,
    save_detections,
    save_poses,
)
from tf_pose3d.errors import Pose3DError

__all__ = ["main", "prepare_humaneva"]


def make_parser() -> Parser:
    parser = Parser(
        prog="prepare_data_humaneva.py",
        description=(
            "Writes data_3d_humaneva15.npz (metres, world frame), the exact data_2d_humaneva15_gt.npz and "
            "files of detections, named and laid out as VideoPose3D does; humaneva20 for 20 joints."
        ),
    )
    parser.add_argument(
        "-p",
        "--path",
        required=True,
        metavar="DIR",
        help="folder that ConvertHumanEva.m wrote, with Train/S1/Walking_1.mat and so on",
    )
    parser.add_argument("--convert_3d", action="store_true", help="write 3D poses and exact 2D poses")
    parser.add_argument(
        "--convert_2d",
        metavar="DIR",
        help="write 2D poses of a detector: folder with S1/Walking_1_(C1).avi.npz and so on",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="NAME",
        help="name of the 2D poses, which tells detector and joints, e.g. detectron_pt_coco or cpn_coco",
    )
    parser.add_argument("--folder", default="data", metavar="DIR", help="folder to write into")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")
    return parser


def prepare_humaneva(
    arguments: Sequence[str] | None = None, log: Callable[[str], None] | None = None
) -> None:
    """Runs the program; see `make_parser` for the flags.

    Raises:
        Pose3DError: Bad input.
    """
    given = make_parser().parse_args(arguments)
    log = log or (lambda line: print(line, flush=True))
    if not given.convert_3d and given.convert_2d is None:
        raise Pose3DError("nothing to do: give --convert-3d, --convert-2d DIR, or both")
    if (given.convert_2d is None) != (given.output is None):
        raise Pose3DError("--convert-2d DIR needs --output NAME and the other way round")
    recordings = read_recordings(given.path)
    missing = missing_recordings(recordings)
    log(f"{len(recordings)} recordings" + (f"; not there: {', '.join(missing)}" if missing else ""))
    if given.convert_3d:
        for path in save_poses(recordings, given.folder, given.overwrite):
            log(f"wrote {path}")
    if given.convert_2d is not None:
        positions = align_detections(read_detections(given.convert_2d, given.output), recordings)
        path = save_detections(positions, recordings, given.output, given.folder, given.overwrite)
        log(f"wrote {path}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("prepare_data_humaneva.py", prepare_humaneva, arguments)


if __name__ == "__main__":
    sys.exit(main())
