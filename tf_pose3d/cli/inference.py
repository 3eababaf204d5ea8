"""`inference.py`: lifts keypoints, a video or a recording with any family's weights; see `--help`."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tf_pose3d.backend import require_tensorflow
from tf_pose3d.cli.data_flags import add_data_flags, find_test_source
from tf_pose3d.cli.demo import lift_demo, shipped_arguments
from tf_pose3d.cli.flags import Parser, add_common_flags, apply_flags
from tf_pose3d.cli.folder import add_folder_flags, check_folder_flags, lift_folder_input, names_folder
from tf_pose3d.cli.lift import add_input_flags, check_input_flags, lift_input, open_input
from tf_pose3d.cli.motion_flags import (
    add_motion_flags,
    angle_steps,
    check_smoothing,
    motion_steps,
    stage_for_file,
    write_motions,
)
from tf_pose3d.cli.multicamera import is_multicamera, triangulate_input
from tf_pose3d.cli.pictures import add_picture_flags, check_output, check_pictures, draw_pictures
from tf_pose3d.cli.precision import apply_precision
from tf_pose3d.cli.program import parse, run_program, start_tensorflow
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import resolve_weights

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from tf_pose3d.cli.releases.release import Release
    from tf_pose3d.config import TrainingConfig
    from tf_pose3d.data.sources import Source
    from tf_pose3d.inference.exported import ExportedNetwork
    from tf_pose3d.inference.motion.record import Motion
    from tf_pose3d.inference.motion.steps import MotionSteps
    from tf_pose3d.models.general.numpy_network import NumpyNetwork

__all__ = ["Setup", "infer", "load_network", "main", "prepare"]

Log = Callable[[str], None]


def make_parser() -> Parser:
    parser = Parser(
        prog="inference.py",
        description=(
            "Lifts people to 3D and draws them: a detector's keypoints, a video or a stream (--input), or a "
            "recording of a data set (--viz_subject). --demo needs neither weights nor data. The family is "
            "the config's ARCH, else the weights', else --arch. Keypoints of several calibrated cameras are "
            "triangulated: --input A B ... --cameras FILE, whose flags --input X --cameras Y --help shows."
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
        help="write the poses: .npz, .npy (the array alone), .json, .csv; .bvh, .glb, .usda or .fbx "
        "(animation), "
        ".trc, .c3d or .mot (laboratories), .rrd (Rerun); - writes a stream's poses to standard output",
    )
    parser.add_argument(
        "--backend",
        metavar="onnx|litert",
        help="lift --input by ONNX Runtime or LiteRT, without TensorFlow and Keras, with the file that "
        "tools/export.py wrote beside the weights (x.onnx, x.tflite)",
    )
    add_input_flags(parser)
    add_folder_flags(parser)
    recording = add_data_flags(parser, "recording of a data set", test=True, lift=True)
    recording.add_argument("--viz_subject", metavar="NAME", help="subject, e.g. S11")
    recording.add_argument("--viz_action", metavar="NAME", help="action, e.g. Walking or 'Walking 1'")
    recording.add_argument("--viz_camera", metavar="N", default="0", help="camera, by number or id")
    add_motion_flags(parser)
    add_picture_flags(parser)
    add_common_flags(parser)
    return parser


@dataclasses.dataclass(frozen=True)
class Setup:
    """What the flags say, before a network is loaded.

    Attributes:
        arguments: The flags.
        release: Of the family.
        config: With what the flags overwrite.
        weights: The file; None: the release knows.
        shipped: Name of the shipped weights that are taken as no flag names any; else empty.
    """

    arguments: Namespace
    release: Release
    config: TrainingConfig
    weights: Path | None
    shipped: str


def prepare(arguments: Sequence[str] | None = None) -> Setup:
    """Reads and checks the flags; TensorFlow is not imported.

    Raises:
        Pose3DError: Bad input.
    """
    given, shipped = shipped_arguments(arguments, make_parser().names())
    parsed, release = parse(make_parser, given, "inference")
    if names_folder(parsed):
        check_folder_flags(parsed)
    elif parsed.input is not None or parsed.demo:
        check_input_flags(parsed)
    from tf_pose3d.models.loading import load_config, require_fitting_weights

    weights = resolve_weights(parsed.weights) if parsed.weights else None
    config = load_config(parsed.config, weights, parsed.arch or release.family.arch)
    config = apply_flags(config, parsed, release, "inference")
    if weights is not None:
        require_fitting_weights(weights, config, parsed.arch)
    release.require_weights(parsed)
    _check_backend(parsed, config, weights)
    return Setup(parsed, release, config, weights, shipped)


def infer(arguments: Sequence[str] | None = None, log: Log | None = None) -> int:
    """Runs the program; see `make_parser` for the flags.

    Returns:
        The exit code: 0, 130 where Ctrl-C left a part of the work done, 3 where `--strict` finds cameras
            wrong, or 1 where files of a folder could not be lifted.

    Raises:
        Pose3DError: Bad input.
    """
    log = log or (lambda line: print(line, flush=True))
    everything = list(sys.argv[1:] if arguments is None else arguments)
    if is_multicamera(everything):
        return triangulate_input(everything, log)
    setup = prepare(everything)
    parsed, release, config, weights = setup.arguments, setup.release, setup.config, setup.weights
    if setup.shipped:
        # Not among the results: they may be piped into another program.
        line = f"inference.py: no --weights: the shipped lifter {setup.shipped}, see docs/general.md"
        print(line, file=sys.stderr, flush=True)
    if names_folder(parsed):
        return lift_folder_input(everything, setup, log)
    read = None if parsed.input is None else open_input(parsed, log)
    source = None
    if not parsed.demo and parsed.input is None and release.lifts_recordings(parsed, config):
        source = _check_recording(release, parsed, config)
    model = load_network(release, parsed, config, weights)
    if parsed.demo:
        return lift_demo(parsed, config, model, log)
    if parsed.input is not None:
        return lift_input(parsed, config, model, read, log)
    if source is None:
        if release.infer(parsed, config, model, log):
            return 0
        source = _check_recording(release, parsed, config)
    _lift_recording(release, parsed, config, model, source, log)
    return 0


def load_network(
    release: Release, arguments: Namespace, config: TrainingConfig, weights: Path | None
) -> keras.Model | NumpyNetwork | ExportedNetwork:
    """The network; the general lifter's is NumPy's where keypoints are lifted, and needs no TensorFlow."""
    from tf_pose3d.inference.lifter import is_general

    if arguments.backend is not None and weights is not None:
        from tf_pose3d.inference.exported import ExportedNetwork

        network = ExportedNetwork.read(weights, config, arguments.backend)
        _say_without_effect(arguments, "the exported file is run as it is, in float32")
        for note in network.notes(weights):
            print(f"inference.py: {note}", file=sys.stderr, flush=True)
        return network
    lifts_keypoints = arguments.demo or arguments.input is not None
    if lifts_keypoints and weights is not None and arguments.config is None and is_general(weights):
        from tf_pose3d.models.general.numpy_network import NumpyNetwork

        _say_without_effect(arguments, "the general lifter is NumPy's, in float32")
        return NumpyNetwork.read(weights)
    if lifts_keypoints:
        require_tensorflow(f"lifting with {weights} (unless by --backend, a file exported from it)")
    start_tensorflow("inference.py")

    from tf_pose3d.training.distribution import make_strategy
    from tf_pose3d.weight_files.hdf5 import convert_held_weights

    convert_held_weights()
    with make_strategy("one", config.GPU_ID).scope():
        model = release.load_model(arguments, config)
    apply_precision(model, arguments, config, "inference")
    return model


def _check_backend(arguments: Namespace, config: TrainingConfig, weights: Path | None) -> None:
    """Finds what `--backend` cannot do before anything is read.

    Raises:
        Pose3DError: It is for recordings or without weights, there is no exported file or no library for it,
            or flags ask for another network than the file holds.
    """
    if arguments.backend is None:
        return
    from tf_pose3d.inference.exported import exported_file
    from tf_pose3d.models.loading import load_config

    if weights is None or (arguments.input is None and not arguments.demo):
        raise Pose3DError(
            "--backend lifts keypoints: give --input, or --demo; recordings of data sets go by Keras"
        )
    exported_file(weights, arguments.backend)
    trained = load_config(arguments.config, weights, arguments.arch)
    if trained.EVAL_FLIP != config.EVAL_FLIP:
        raise Pose3DError(
            f"--backend {arguments.backend}: the exported file averages with the mirror image as its "
            f"weights' config says (EVAL_FLIP {json.dumps(trained.EVAL_FLIP)}); leave EVAL_FLIP as it is"
        )


def _say_without_effect(arguments: Namespace, reason: str) -> None:
    """Says that flags about Keras's computing do nothing, where any is given."""
    if arguments.mixed_precision or arguments.jit_compile:
        line = f"inference.py: --mixed_precision, --jit_compile: without effect, {reason}"
        print(line, file=sys.stderr, flush=True)


def _check_recording(release: Release, arguments: Namespace, config: TrainingConfig) -> Source:
    """The data set whose recording the flags name.

    Raises:
        Pose3DError: There is no such data set or file, or flags contradict each other.
    """
    from tf_pose3d.inference.selection import known_subjects, require_subject
    from tf_pose3d.inference.writers import check_motion_file
    from tf_pose3d.inference.writers.angles_csv import check_angle_file

    if {arguments.output, arguments.viz_output, arguments.angles} == {None}:
        raise Pose3DError("nothing to write: give --viz_output for a picture or --output for the poses")
    for path in (arguments.output, arguments.viz_output):
        if path is not None:
            motion_steps(arguments, path)
    if arguments.angles is not None:
        check_angle_file(arguments.angles)
        angle_steps(arguments)
    source = find_test_source(arguments, config, release, lift=True)
    subjects = known_subjects(source.dataset)
    if subjects:
        require_subject(arguments.viz_subject, subjects)
    if arguments.viz_subject is not None:
        source.check(arguments.viz_subject)
    inputs = [arguments.weights, arguments.config, arguments.viz_video]
    inputs += source.dataset.files(source.options)
    if arguments.output is not None:
        check_motion_file(arguments.output)
        check_output("--output", arguments.output, inputs)
    if arguments.viz_output is not None:
        check_output("--viz_output", arguments.viz_output, inputs, [arguments.output])
    if arguments.angles is not None:
        check_output("--angles", arguments.angles, inputs, [arguments.output, arguments.viz_output])
    return source


def _lift_recording(
    release: Release,
    arguments: Namespace,
    config: TrainingConfig,
    model: keras.Model,
    source: Source,
    log: Log,
) -> None:
    """Lifts the recording that the flags name and writes what they ask for."""
    from tf_pose3d.evaluation.protocols import get_protocol
    from tf_pose3d.inference.lifting import lift_paths, lift_sequences
    from tf_pose3d.inference.motion.record import Motion
    from tf_pose3d.inference.selection import choose_recording
    from tf_pose3d.inference.trajectory import default_camera
    from tf_pose3d.inference.writers import check_motion_file

    family = release.family
    sequence = choose_recording(
        source.dataset,
        source.options,
        family.skeleton(config),
        arguments.viz_subject,
        arguments.viz_action,
        arguments.viz_camera,
        family.input_skeleton(config),
        log,
    )
    log(f"{sequence.label}: {sequence.num_frames} frames")
    check_smoothing(arguments, sequence.fps)
    if arguments.output is not None:
        check_motion_file(arguments.output, sequence.num_frames)
    if arguments.viz_output is not None:
        check_pictures(arguments, sequence)
    poses = lift_sequences(family, model, config, [sequence], show_progress=True)[0]
    # What follows shows 2D and 3D together.
    read, sequence = sequence, sequence.in_one_layout()
    root = family.root_joint(config)
    if sequence.pose_3d is not None:
        log(get_protocol(family).recording_error(poses, sequence.pose_3d, root))
    supposed = sequence.camera is not None and not getattr(source.dataset, "has_poses", True)
    if supposed and sequence.camera is not None:
        # Videos of one's own come without their camera.
        camera = default_camera(sequence.camera.width, sequence.camera.height)
        sequence = dataclasses.replace(sequence, camera=camera)
    motion = Motion.from_sequence(sequence, poses, root)
    paths = lift_paths(family, model, config, [read])
    if paths is not None:
        motion = dataclasses.replace(motion, path=paths[0])
    _write_recording(arguments, motion, not supposed, log)


def _write_recording(arguments: Namespace, motion: Motion, focal_known: bool, log: Log) -> None:
    """Writes a lifted recording and draws it."""

    def steps_of(flags: Namespace, path: str) -> MotionSteps:
        return dataclasses.replace(motion_steps(flags, path), focal_known=focal_known)

    def warn(message: str) -> None:
        print(f"inference.py: warning: {message}", file=sys.stderr, flush=True)

    write_motions([motion], [""], arguments, steps_of, log, warn)
    if arguments.viz_output is not None:
        steps = steps_of(arguments, arguments.viz_output)
        if motion.truth is not None and not arguments.viz_no_ground_truth:
            # Pictures put the prediction where the truth is, by the camera's orientation.
            steps = dataclasses.replace(steps, level="off", pitch=None, roll=None, placement="root")
        (staged,) = stage_for_file([motion], arguments, steps, arguments.viz_output, log, warn)
        draw_pictures(
            arguments,
            staged.to_sequence(),
            staged.held(),
            staged.root,
            log,
            "world" if staged.world else "camera",
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("inference.py", infer, arguments)


if __name__ == "__main__":
    sys.exit(main())
