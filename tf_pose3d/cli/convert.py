"""`tools/convert_weights.py`: checkpoints of the original releases as .h5 files; see `--help`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tf_pose3d.cli.flags import Parser, parse_overrides
from tf_pose3d.cli.program import run_program, start_tensorflow
from tf_pose3d.files import require_writable_folder

__all__ = ["convert_weights", "main"]


def make_parser() -> Parser:
    parser = Parser(
        prog="convert_weights.py",
        description="Turns a checkpoint of an original release into an .h5 file with weights and config.",
    )
    parser.add_argument(
        "checkpoint",
        nargs="+",
        metavar="FILE",
        help="the release's checkpoint; of several files where it has several, as Strided Transformer's",
    )
    parser.add_argument("--arch", required=True, metavar="FAMILY", help="model family, e.g. hoif")
    parser.add_argument("--out", required=True, metavar="FILE", help=".h5 file to write")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a config key that the checkpoint does not decide, the value in JSON; may be repeated",
    )
    return parser


def convert_weights(arguments: Sequence[str] | None = None, log: Callable[[str], None] | None = None) -> None:
    """Runs the program; see `make_parser` for the flags.

    Raises:
        Pose3DError: Bad input.
    """
    parsed = make_parser().parse_args(arguments)
    log = log or (lambda line: print(line, flush=True))
    overrides = parse_overrides(parsed.set)
    require_writable_folder(Path(parsed.out).parent)
    start_tensorflow()

    from tf_pose3d.weights.convert import convert

    files = parsed.checkpoint
    model = convert(files if len(files) > 1 else files[0], parsed.arch, parsed.out, log, **overrides)
    log(f"wrote {parsed.out}: {model.config.ARCH}, {model.count_params():,} numbers")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("convert_weights.py", convert_weights, arguments)


if __name__ == "__main__":
    sys.exit(main())
