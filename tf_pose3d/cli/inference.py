"""`inference.py`: lifts keypoints, a video or a recording with any family's weights; see `--help`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tf_pose3d.cli.data_flags import add_data_flags, find_test_data
from tf_pose3d.cli.demo import lift_demo, shipped_arguments
from tf_pose3d.cli.lift import add_input_flags, check_input_flags, lift_input
from tf_pose3d.cli.pictures import add_picture_flags, check_output, check_pictures, draw_pictures
from tf_pose3d.cli.program import (
    Parser,
    add_common_flags,
    apply_flags,
    parse,
    run_program,
)
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import resolve_weights

if TYPE_CHECKING:
    import keras

    from tf_pose3d.config import Config
    from tf_pose3d.models.family import Family

__all__ = ["infer", "main"]

Log = Callable[[str], None]


def make_parser() -> Parser:
    parser = Parser(
        prog="inference.py",
        description=(
            "Lifts people to 3D and draws them: a detector's keypoints, a video or a stream (--input), or a "
            "recording of a data set (--viz_subject). --demo needs neither weights nor data. The family is "
            "the config's ARCH, else the weights', else --arch."
        ),
    )
    parser.add_argument(
        "--weights",
        metavar="FILE|NAME",
        help="weights, a prefix of their path, or shipped ones: general (which --input takes without this "
        "flag) or general_frame",
    )
    parser.add_argument(
        "--config",
        metavar="FILE|NAME",
        help="config file or a shipped one's name, for weights that hold none",
    )
    parser.add_argument(
        "--output",
        "--viz_export",
        metavar="FILE",
        help="write the poses: .npz, .npy (the array alone), .json, .csv, .bvh (Blender), .trc (OpenSim) or "
        ".c3d; - writes a stream's poses to standard output",
    )
    add_input_flags(parser)
    recording = add_data_flags(parser, "recording of a data set", test=True)
    recording.add_argument("--viz_subject", metavar="NAME", help="subject, e.g. S11")
    recording.add_argument("--viz_action", metavar="NAME", help="action, e.g. Walking or 'Walking 1'")
    recording.add_argument("--viz_camera", metavar="N", default="0", help="camera, by number or id")
    add_picture_flags(parser)
    add_common_flags(parser)
    return parser


def infer(arguments: Sequence[str] | None = None, log: Log | None = None) -> int:
    """Runs the program; see `make_parser` for the flags.

    Returns:
        The exit code: 0, or 130 where Ctrl-C left a part of the work done.

    Raises:
        Pose3DError: Bad input.
    """
    log = log or (lambda line: print(line, flush=True))
    given, shipped = shipped_arguments(arguments)
    arguments, family = parse(make_parser, given, "inference")
    if arguments.input is not None or arguments.demo:
        check_input_flags(arguments)
    if shipped:
        # Not among the results: they may be piped into another program.
        line = f"inference.py: no --weights: the shipped lifter {shipped}, see docs/general.md"
        print(line, file=sys.stderr, flush=True)

    from tf_pose3d.models.loading import load_config, require_fitting_weights
    from tf_pose3d.training.distribution import make_strategy

    weights = resolve_weights(arguments.weights) if arguments.weights else None
    config = load_config(arguments.config, weights, arguments.arch or family.arch)
    config = apply_flags(config, arguments, family, "inference")
    if weights is not None:
        require_fitting_weights(weights, config, arguments.arch)
    with make_strategy("one", config.GPU_ID).scope():
        model = family.load_model(arguments, config)
    if arguments.demo:
        return lift_demo(arguments, config, model, log)
    if arguments.input is not None:
        return lift_input(arguments, config, model, log)
    if not family.infer(arguments, config, model, log):
        _lift_recording(family, arguments, config, model, log)
    return 0


def _lift_recording(
    family: Family, arguments: Namespace, config: Config, model: keras.Model, log: Log
) -> None:
    """Lifts the recording that the flags name and writes what they ask for."""
    from tf_pose3d.evaluation.metrics import mpjpe
    from tf_pose3d.inference.lifting import lift_sequences
    from tf_pose3d.inference.output import check_pose_file, save_poses
    from tf_pose3d.inference.selection import choose_recording

    if arguments.output is None and arguments.viz_output is None:
        raise Pose3DError("nothing to write: give --viz_output for a picture or --output for the poses")
    dataset, options = find_test_data(arguments, config, family)
    inputs = [arguments.weights, arguments.config, arguments.viz_video]
    inputs += dataset.files(options)
    if arguments.output is not None:
        check_pose_file(arguments.output)
        check_output("--output", arguments.output, inputs)
    if arguments.viz_output is not None:
        check_output("--viz_output", arguments.viz_output, [*inputs, arguments.output])
    sequence = choose_recording(
        dataset,
        options,
        family.skeleton(config),
        arguments.viz_subject,
        arguments.viz_action,
        arguments.viz_camera,
    )
    log(f"{sequence.label}: {sequence.num_frames} frames")
    if arguments.output is not None:
        check_pose_file(arguments.output, sequence.num_frames)
    if arguments.viz_output is not None:
        check_pictures(arguments, sequence)
    poses = lift_sequences(family, model, config, [sequence], show_progress=True)[0]
    root = family.root_joint(config)
    if sequence.pose_3d is not None:
        error = 1000 * mpjpe(poses, sequence.pose_3d, root=root).mean()
        log(f"mean joint error (MPJPE) {error:.1f} mm")
    if arguments.output is not None:
        save_poses(arguments.output, poses, sequence, root)
        log(f"wrote {arguments.output}")
    if arguments.viz_output is not None:
        draw_pictures(arguments, sequence, poses, root, log)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("inference.py", infer, arguments)


if __name__ == "__main__":
    sys.exit(main())
