"""`tools/gendb.py`: LCN's pickles from H36M-Toolbox's folders; see `--help`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from tf_pose3d.cli.flags import Parser
from tf_pose3d.cli.program import run_program
from tf_pose3d.files import require_writable_folder

__all__ = ["generate", "main"]


def make_parser() -> Parser:
    parser = Parser(
        prog="gendb.py",
        description="Makes h36m_train.pkl and h36m_test.pkl, as LCN reads them, from H36M-Toolbox's folders.",
    )
    parser.add_argument(
        "root",
        metavar="H36M_ROOT",
        help="folder of s_XX_act_XX_subact_XX_ca_XX/matlab_meta.mat and of cameras.h5",
    )
    parser.add_argument("--out_dir", default="./dataset", metavar="DIR", help="folder to write into")
    return parser


def generate(arguments: Sequence[str] | None = None, log: Callable[[str], None] | None = None) -> None:
    """Runs the program; see `make_parser` for the flags.

    Raises:
        Pose3DError: Bad input.
    """
    from tf_pose3d.data.h36m_toolbox import write_pickles

    parsed = make_parser().parse_args(arguments)
    write_pickles(
        parsed.root,
        require_writable_folder(parsed.out_dir),
        log or (lambda line: print(line, flush=True)),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("gendb.py", generate, arguments)


if __name__ == "__main__":
    sys.exit(main())
