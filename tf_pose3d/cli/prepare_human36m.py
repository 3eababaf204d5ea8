"""`tools/prepare_data_h36m.py`: makes Human3.6M's files from what is downloaded; see `--help`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tf_pose3d.cli.flags import Parser
from tf_pose3d.cli.program import run_program
from tf_pose3d.data.human36m_preparation import FILE_2D, FILE_3D, prepare, read_archive, read_source
from tf_pose3d.errors import Pose3DError

__all__ = ["main", "prepare_human36m"]


def make_parser() -> Parser:
    parser = Parser(
        prog="prepare_data_h36m.py",
        description=(
            f"Writes {FILE_3D} (32 joints, metres, world frame) and {FILE_2D} (17 joints, exact, pixels, "
            "all cameras), named and laid out as VideoPose3D does."
        ),
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--from_archive", metavar="FILE", help="h36m.zip of the 3D baseline of Martinez et al."
    )
    source.add_argument(
        "--from_source", metavar="DIR", help="Human3.6M's D3 Positions, converted to .cdf.mat"
    )
    parser.add_argument("--out", default="data", metavar="DIR", help="folder to write into")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")
    return parser


def prepare_human36m(
    arguments: Sequence[str] | None = None, log: Callable[[str], None] | None = None
) -> None:
    """Runs the program; see `make_parser` for the flags.

    Raises:
        Pose3DError: Bad input.
    """
    given = make_parser().parse_args(arguments)
    log = log or (lambda line: print(line, flush=True))
    for name in (FILE_3D, FILE_2D):
        path = Path(given.out) / name
        if path.exists() and not given.overwrite:
            raise Pose3DError(f"{path} exists already; move it away or say --overwrite")
    if given.from_archive is not None:
        recordings = read_archive(given.from_archive, show_progress=True)
    else:
        recordings = read_source(given.from_source, show_progress=True)
    frames = sum(len(world) for by_name in recordings.values() for world in by_name.values())
    log(f"{frames} frames of {', '.join(recordings)}; projecting into the cameras and writing")
    for path in prepare(recordings, given.out, given.overwrite):
        log(f"wrote {path}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("prepare_data_h36m.py", prepare_human36m, arguments)


if __name__ == "__main__":
    sys.exit(main())
