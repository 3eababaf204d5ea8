"""`tf-pose3d-detector`: gets the networks that find people in a video; see `--help`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tf_pose3d.cli.program import Parser, run_program

__all__ = ["get", "main"]

_PROGRAM = "tf-pose3d-detector"


def make_parser() -> Parser:
    parser = Parser(
        prog=_PROGRAM,
        description="Gets the two networks that find people in a video (BlazePose, Apache 2.0) out of "
        "MediaPipe's wheel: has pip download mediapipe 0.10.21 into a temporary folder, checks what came, "
        "and keeps these two files and their licence. Nothing of it is installed; no other program here "
        "downloads anything.",
    )
    parser.add_argument(
        "--from", dest="wheel", metavar="FILE.whl", help="the wheel, where it is at hand: needs no network"
    )
    parser.add_argument(
        "--folder",
        metavar="DIR",
        help="where to put them (default: the user's data folder; --detector_model DIR then names it)",
    )
    return parser


def get(arguments: Sequence[str] | None = None, log: Callable[[str], None] | None = None) -> None:
    """Runs the program; see `make_parser` for the flags.

    Raises:
        Pose3DError: The files cannot be had or written.
    """
    parsed = make_parser().parse_args(arguments)
    log = log or (lambda line: print(line, flush=True))

    from tf_pose3d.inference.detectors.files import get_detector, install_detector

    folder = None if parsed.folder is None else Path(parsed.folder)
    folder = get_detector(log, folder) if parsed.wheel is None else install_detector(parsed.wheel, folder)
    log(f"wrote {', '.join(sorted(path.name for path in folder.iterdir()))} into {folder}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program(_PROGRAM, get, arguments)


if __name__ == "__main__":
    sys.exit(main())
