"""`tf-pose3d-prepare`: the programs in `tools/` that make files of data sets, by name; see `--help`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tf_pose3d.cli import gendb, prepare_human36m, prepare_humaneva, prepare_motion, prepare_multiview
from tf_pose3d.cli.program import Parser, run_program

__all__ = ["PREPARATIONS", "main"]

# Name -> its program and one line of help.
PREPARATIONS = {
    "h36m": (prepare_human36m.main, "Human3.6M's poses, as VideoPose3D's files (tools/prepare_data_h36m.py)"),
    "humaneva": (prepare_humaneva.main, "HumanEva-I's poses (tools/prepare_data_humaneva.py)"),
    "lcn": (gendb.main, "LCN's pickles of Human3.6M (tools/gendb.py)"),
    "motion": (prepare_motion.main, "motion capture for the general lifter (tools/prepare_motion.py)"),
    "multiview": (prepare_multiview.main, "images of several cameras (tools/prepare_multiview.py)"),
}


def make_parser() -> Parser:
    lines = [f"  {name:<10} {text}" for name, (_, text) in PREPARATIONS.items()]
    parser = Parser(
        prog="tf-pose3d-prepare",
        usage="%(prog)s NAME ...",
        description="Makes the files that the programs read from data sets as their owners give them.",
        epilog="\n".join(["names:", *lines, "", "tf-pose3d-prepare NAME --help shows the flags of each."]),
    )
    parser.add_argument("name", metavar="NAME", choices=tuple(PREPARATIONS), help="which files")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point: the first argument names the program that is given the others; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in PREPARATIONS:
        return PREPARATIONS[given[0]][0](given[1:])

    def explain(_: Sequence[str] | None) -> None:
        make_parser().parse_args(given)

    return run_program("tf-pose3d-prepare", explain)


if __name__ == "__main__":
    sys.exit(main())
