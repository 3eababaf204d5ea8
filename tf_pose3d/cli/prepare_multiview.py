"""`tools/prepare_multiview.py`: annotations and images for DenseWarper; see `--help`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from tf_pose3d.cli.flags import Parser
from tf_pose3d.cli.program import run_program, start_tensorflow

__all__ = ["main", "prepare_multiview"]


def make_parser() -> Parser:
    parser = Parser(
        prog="prepare_multiview.py",
        description="Writes annot/*.pkl and images/ into ROOT, as DenseWarper and its backbone read them.",
    )
    parser.add_argument(
        "dataset",
        choices=("h36m", "mpi_inf_3dhp"),
        help="h36m: folders of H36M-Toolbox with their images, and cameras.h5; mpi_inf_3dhp: the download's "
        "folders S1/Seq1 with videos (needs PyAV)",
    )
    parser.add_argument("root", metavar="ROOT", help="folder of the data, which is also written into")
    parser.add_argument(
        "--validation_subjects",
        type=int,
        nargs="+",
        default=[8],
        metavar="N",
        help="mpi_inf_3dhp: subjects of the validation set",
    )
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="mpi_inf_3dhp: use every n-th frame of the videos"
    )
    return parser


def prepare_multiview(
    arguments: Sequence[str] | None = None, log: Callable[[str], None] | None = None
) -> None:
    """Runs the program; see `make_parser` for the flags.

    Raises:
        Pose3DError: Bad input.
    """
    parser = make_parser()
    given = parser.parse_args(arguments)
    log = log or (lambda line: print(line, flush=True))
    if given.every < 1:
        parser.error(f"--every is {given.every}, expected at least 1")
    if given.dataset == "h36m":
        from tf_pose3d.data.multiview.h36m_preparation import prepare_human36m_views

        prepare_human36m_views(given.root, log)
        return
    start_tensorflow()
    from tf_pose3d.data.multiview.mpi_inf_3dhp_preparation import prepare_mpi_inf_3dhp_views

    prepare_mpi_inf_3dhp_views(given.root, log, given.validation_subjects, given.every)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("prepare_multiview.py", prepare_multiview, arguments)


if __name__ == "__main__":
    sys.exit(main())
