"""`inference.py`: lifts a recording with any family's weights and draws it; see `--help`."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tf_pose3d.cli.program import (
    Parser,
    add_common_flags,
    add_test_data_flags,
    apply_flags,
    find_test_data,
    parse,
    run_program,
)
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import require_writable_folder, resolve_weights

if TYPE_CHECKING:
    import keras
    import numpy as np

    from tf_pose3d.config import Config
    from tf_pose3d.data.sequence import Sequence as PoseSequence
    from tf_pose3d.models.family import Family

__all__ = ["infer", "main"]

Log = Callable[[str], None]


def make_parser() -> Parser:
    parser = Parser(
        prog="inference.py",
        description=(
            "Lifts a recording of a data set to 3D and draws it. The family is the config's ARCH, else the "
            "weights', else --arch."
        ),
    )
    parser.add_argument("--weights", metavar="FILE", help="weights, or a prefix of their path")
    parser.add_argument("--config", metavar="FILE", help="config file, for weights that hold none")
    add_test_data_flags(parser)
    parser.add_argument(
        "--output",
        "--viz_export",
        metavar="FILE",
        help="write the poses of the whole recording, .npz, or .npy for the array alone",
    )
    recording = parser.add_argument_group("recording")
    recording.add_argument("--viz_subject", metavar="NAME", help="subject, e.g. S11")
    recording.add_argument("--viz_action", metavar="NAME", help="action, e.g. Walking or 'Walking 1'")
    recording.add_argument("--viz_camera", metavar="N", default="0", help="camera, by number or id")
    picture = parser.add_argument_group("pictures")
    picture.add_argument(
        "--viz_output",
        metavar="FILE",
        help="draw into FILE: .gif, .mp4, .png (a sheet, or with %%04d in its name every frame) or .html",
    )
    picture.add_argument(
        "--viz_video", metavar="FILE", help="the recording's video, to draw under the 2D pose"
    )
    picture.add_argument("--viz_skip", type=int, default=0, metavar="N", help="leave out the first N frames")
    picture.add_argument("--viz_downsample", type=int, default=1, metavar="N", help="draw every N-th frame")
    picture.add_argument(
        "--viz_limit", type=int, default=-1, metavar="N", help="draw at most N frames; -1: all there are"
    )
    picture.add_argument(
        "--viz_size", type=float, default=5.0, metavar="N", help="height of the pictures in 100 pixels"
    )
    picture.add_argument(
        "--viz_bitrate", type=int, default=3000, metavar="N", help="bit rate of .mp4 files in kbit/s"
    )
    picture.add_argument(
        "--viz_no_ground_truth", action="store_true", help="draw neither true poses nor errors"
    )
    add_common_flags(parser)
    return parser


def infer(arguments: Sequence[str] | None = None, log: Log | None = None) -> None:
    """Runs the program; see `make_parser` for the flags.

    Raises:
        Pose3DError: Bad input.
    """
    arguments, family = parse(make_parser, arguments, "inference")
    log = log or (lambda line: print(line, flush=True))

    from tf_pose3d.models.loading import load_config
    from tf_pose3d.training.distribution import make_strategy

    weights = resolve_weights(arguments.weights) if arguments.weights else None
    config = load_config(arguments.config, weights, arguments.arch or family.arch)
    config = apply_flags(config, arguments, family, "inference")
    with make_strategy("one", config.GPU_ID).scope():
        model = family.load_model(arguments, config)
    if not family.infer(arguments, config, model, log):
        _lift_recording(family, arguments, config, model, log)


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
    dataset, files = find_test_data(arguments, config, family)
    files = family.data_files(arguments, config, files)
    inputs = [arguments.weights, arguments.config, arguments.viz_video]
    if dataset == "h36m":
        inputs += [files.h36m, files.h36m_2d]
    if arguments.output is not None:
        check_pose_file(arguments.output)
        _check_output("--output", arguments.output, inputs)
    if arguments.viz_output is not None:
        _check_output("--viz_output", arguments.viz_output, [*inputs, arguments.output])
    sequence = choose_recording(
        dataset,
        files,
        family.skeleton(config),
        arguments.viz_subject,
        arguments.viz_action,
        arguments.viz_camera,
    )
    log(f"{sequence.label}: {sequence.num_frames} frames")
    if arguments.viz_output is not None:
        _check_picture(arguments, sequence)
    poses = lift_sequences(family, model, config, [sequence], show_progress=True)[0]
    root = family.root_joint(config)
    if sequence.pose_3d is not None:
        error = 1000 * mpjpe(poses, sequence.pose_3d, root=root).mean()
        log(f"mean joint error (MPJPE) {error:.1f} mm")
    if arguments.output is not None:
        save_poses(arguments.output, poses, sequence, root)
        log(f"wrote {arguments.output}")
    if arguments.viz_output is not None:
        _draw(arguments, sequence, poses, root, log)


def _check_picture(arguments: Namespace, sequence: PoseSequence) -> None:
    """Finds what is wrong with a picture before the work that it shows is done."""
    from tf_pose3d.render import check_picture, select_frames

    select_frames(sequence, arguments.viz_skip, arguments.viz_downsample, arguments.viz_limit)
    check_picture(
        arguments.viz_output,
        (sequence.camera.width, sequence.camera.height),
        sequence.fps / arguments.viz_downsample,
        arguments.viz_size,
        arguments.viz_video,
        arguments.viz_bitrate,
    )


def _draw(arguments: Namespace, sequence: PoseSequence, poses: np.ndarray, root: int, log: Log) -> None:
    """Draws what the flags ask for."""
    from tf_pose3d.render import draw, make_scene

    scene = make_scene(
        sequence,
        poses,
        root,
        skip=arguments.viz_skip,
        downsample=arguments.viz_downsample,
        limit=arguments.viz_limit,
        ground_truth=not arguments.viz_no_ground_truth,
    )
    count = draw(
        scene,
        arguments.viz_output,
        arguments.viz_size,
        arguments.viz_video,
        arguments.viz_bitrate,
        show_progress=True,
    )
    asked = f"{len(scene)} frame" + "s" * (len(scene) != 1)
    drawn = asked if count == len(scene) else f"{count} of {asked}"
    log(f"wrote {arguments.viz_output}: {drawn}, {scene.fps:g} per second")


def _check_output(flag: str, path: str, inputs: Sequence[str | os.PathLike | None]) -> None:
    """Checks that a file can be written, and is none of those that are read."""
    for given in inputs:
        if (
            given is not None
            and os.path.exists(path)
            and os.path.exists(given)
            and os.path.samefile(path, given)
        ):
            raise Pose3DError(f"{flag} {path} is a file that is read; name another")
    require_writable_folder(Path(path).parent)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("inference.py", infer, arguments)


if __name__ == "__main__":
    sys.exit(main())
