"""`inference.py --input A B ... --cameras FILE`: keypoints of several calibrated cameras, from flags to
files.

Nothing here imports TensorFlow.
"""

from __future__ import annotations

import math
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tf_pose3d.cli.flags import Parser, underscored
from tf_pose3d.cli.lift import add_detector_flags
from tf_pose3d.cli.motion_flags import (
    add_measured_motion_flags,
    check_smoothing,
    measured_steps,
    stage_for_file,
    write_motions,
)
from tf_pose3d.cli.pictures import add_picture_flags, check_output
from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    from tf_pose3d.inference.motion.record import Motion
    from tf_pose3d.multicamera.inputs import Views
    from tf_pose3d.multicamera.result import Triangulation

__all__ = ["is_multicamera", "triangulate_input"]

Log = Callable[[str], None]

# What the program exits with where --strict finds the rig wrong.
WRONG_RIG = 3
_PROGRAM = "inference.py"


def is_multicamera(arguments: Sequence[str]) -> bool:
    """Whether the flags ask for keypoints of several cameras.

    Raises:
        Pose3DError: Several inputs without their calibration.
    """
    names = {underscored(argument).partition("=")[0] for argument in arguments}
    if "--input" not in names:
        return False
    if "--cameras" in names:
        return True
    given = [underscored(argument) for argument in arguments]
    place = given.index("--input") if "--input" in given else len(given)
    values = 0
    for value in given[place + 1 :]:
        if value.startswith("--"):
            break
        values += 1
    if values > 1:
        raise Pose3DError(
            f"--input: {values} files or folders, expected one; several calibrated cameras are triangulated "
            "with --cameras FILE"
        )
    return False


def make_parser() -> Parser:
    """The flags of this road."""
    parser = Parser(
        prog=_PROGRAM,
        description=(
            "Triangulates people in metres from the 2D keypoints of several calibrated cameras; see "
            "docs/multicamera.md."
        ),
    )
    files = parser.add_argument_group("files")
    files.add_argument(
        "--input",
        nargs="+",
        required=True,
        metavar="DIR|FILE",
        help="keypoints, a folder or file of any known format per camera, or a pattern ('views/*.json')",
    )
    files.add_argument(
        "--cameras",
        nargs="+",
        required=True,
        metavar="FILE",
        help="their calibration: Pose2Sim, aniposelib, FreeMoCap, Caliscope, OpenCV, EasyMocap, Qualisys, "
        "Theia3D, Panoptic, VoxelPose, Human3.6M or OpenCap; matched with the inputs by name",
    )
    files.add_argument(
        "--output",
        metavar="FILE",
        help="the poses: .trc, .c3d or .mot (laboratories), .npz, .npy, .json, .csv; .bvh, .glb, .usda or "
        ".fbx (animation), .rrd (Rerun)",
    )
    files.add_argument(
        "--report",
        nargs="+",
        default=[],
        metavar="FILE",
        help="errors before exclusion, per camera and pair, and what is wrong: .txt, .json, .png",
    )
    files.add_argument(
        "--strict",
        action="store_true",
        help=f"exit with {WRONG_RIG} where the geometry of the cameras is wrong",
    )
    reading = parser.add_argument_group("what files do not tell")
    reading.add_argument("--input_format", metavar="NAME", help="format of the keypoints")
    reading.add_argument("--layout", metavar="NAME", help="joint layout of the keypoints, e.g. coco_17")
    reading.add_argument("--camera_format", metavar="NAME", help="format of the calibration")
    reading.add_argument("--camera_unit", choices=("m", "cm", "mm", "inch", "ft"), help="its unit of length")
    reading.add_argument("--camera_group", metavar="NAME", help="whose cameras: a subject of Human3.6M's")
    reading.add_argument(
        "--camera_keys",
        nargs="+",
        default=[],
        metavar="FIELD=KEY",
        help="what an OpenCV file calls matrix, distortion, rotation, translation or size",
    )
    reading.add_argument(
        "--match",
        nargs="+",
        default=[],
        metavar="VIEW=CAMERA",
        help="which camera is whose, where names differ",
    )
    add_detector_flags(reading)
    time = parser.add_argument_group("time")
    time.add_argument(
        "--fps", type=float, metavar="HZ", help="frames per second (default: the files', else 30)"
    )
    time.add_argument(
        "--rates", nargs="+", default=[], metavar="VIEW=HZ", help="views of other rates, e.g. cam04=30"
    )
    time.add_argument(
        "--offsets",
        nargs="+",
        default=[],
        metavar="VIEW=N",
        help="views that began to record N frames late, e.g. cam02=7",
    )
    time.add_argument(
        "--sync",
        choices=("frames", "auto"),
        default="frames",
        help="frames: equal frame numbers are one moment; auto: offsets and rates by geometry",
    )
    how = parser.add_argument_group("triangulation")
    how.add_argument(
        "--people", default="largest", metavar="WHO", help="largest, all (a file for each), or the id of one"
    )
    how.add_argument(
        "--method",
        choices=("robust", "pose2sim"),
        default="robust",
        help="pose2sim: Pose2Sim's own rule, to compare with",
    )
    how.add_argument(
        "--min_confidence", type=float, default=0.3, metavar="C", help="keypoints below count as missing"
    )
    how.add_argument("--min_views", type=int, default=2, metavar="N", help="views that a joint needs")
    how.add_argument(
        "--no_repair", action="store_true", help="leave left and right as the detector has them in each view"
    )
    how.add_argument(
        "--no_refine", action="store_true", help="points frame by frame, without bones and smoothness"
    )
    how.add_argument(
        "--fill",
        action="store_true",
        help="joints that only one view sees are supposed by the general lifter, and marked",
    )
    how.add_argument(
        "--world",
        choices=("auto", "calibration", "person"),
        default="auto",
        help="axes: the calibration's, turned where people do not stand along its z; as they are; or floor, "
        "heading and origin of the first person",
    )
    add_measured_motion_flags(parser)
    add_picture_flags(parser, several=True)
    return parser


def _pairs(texts: Sequence[str], flag: str) -> dict[str, str]:
    """`NAME=VALUE` texts, several of which may stand in one with commas between."""
    pairs: dict[str, str] = {}
    for text in [part for given in texts for part in given.split(",") if part]:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise Pose3DError(f"{flag} {text!r}: expected VIEW=VALUE, e.g. {flag} cam02=7")
        if name in pairs:
            raise Pose3DError(f"{flag}: {name} is given twice")
        pairs[name] = value
    return pairs


def _numbers(texts: Sequence[str], flag: str) -> dict[str, float]:
    numbers = {}
    for name, value in _pairs(texts, flag).items():
        try:
            numbers[name] = float(value)
        except ValueError:
            numbers[name] = math.nan
        if not math.isfinite(numbers[name]):
            raise Pose3DError(f"{flag} {name}={value}: {value!r} is no number")
    return numbers


def triangulate_input(arguments: Sequence[str], log: Log | None = None) -> int:
    """Runs the program for several cameras; see `make_parser` for the flags.

    Returns:
        The exit code: 0, or 3 where `--strict` is given and the rig is wrong.

    Raises:
        Pose3DError: Bad input.
    """
    log = log or (lambda line: print(line, flush=True))
    parsed = make_parser().parse_args(arguments)
    _check(parsed)

    from tf_pose3d.data.calibration import read_calibration
    from tf_pose3d.multicamera.road import triangulate

    keys = _pairs(parsed.camera_keys, "--camera_keys")
    cameras = read_calibration(
        parsed.cameras, parsed.camera_format, parsed.camera_unit, keys, parsed.camera_group
    )
    result = triangulate(
        _views(parsed, log),
        cameras,
        people=parsed.people,
        layout=parsed.layout,
        input_format=parsed.input_format,
        match=_pairs(parsed.match, "--match"),
        fps=parsed.fps,
        rates=_numbers(parsed.rates, "--rates"),
        offsets=_numbers(parsed.offsets, "--offsets"),
        sync="auto" if parsed.sync == "auto" else None,
        method=parsed.method,
        min_confidence=parsed.min_confidence,
        min_views=parsed.min_views,
        repair_sides=not parsed.no_repair,
        refine=not parsed.no_refine,
        fill=parsed.fill,
        world=parsed.world,
    )
    for line in result.report.lines():
        log(line)
    for path in parsed.report:
        result.report.save(path)
        log(f"wrote {path}")
    _write(parsed, result, log)
    for warning in result.warnings:
        print(f"{_PROGRAM}: warning: {warning}", file=sys.stderr, flush=True)
    if not result.people:
        reason = result.report.warning or "is the calibration theirs, and are they synchronous? (--sync auto)"
        raise Pose3DError(f"no person is seen by two cameras at once: {reason}")
    if not result.report.sound:
        sys.stdout.flush()
        print(f"{_PROGRAM}: warning: {result.report.warning}", file=sys.stderr, flush=True)
        return WRONG_RIG if parsed.strict else 0
    return 0


def _check(parsed: Namespace) -> None:
    """Finds flags that cannot be followed before anything is read."""
    from tf_pose3d.inference.writers import check_motion_file
    from tf_pose3d.inference.writers.angles_csv import check_angle_file
    from tf_pose3d.multicamera.report import check_report

    if {parsed.output, parsed.viz_output, parsed.angles} == {None} and not parsed.report:
        raise Pose3DError("nothing to write: give --output for the poses, --viz_output, --angles or --report")
    measured_steps(parsed, "")
    check_smoothing(parsed, parsed.fps)
    inputs = [*parsed.input, *parsed.cameras]
    if parsed.output is not None:
        check_motion_file(parsed.output)
        check_output("--output", parsed.output, inputs)
    if parsed.angles is not None:
        check_angle_file(parsed.angles)
        check_output("--angles", parsed.angles, inputs, [parsed.output])
    for path in parsed.report:
        check_report(path)
        check_output("--report", path, inputs, [parsed.output, parsed.angles])
    if parsed.viz_output is not None:
        check_output("--viz_output", parsed.viz_output, inputs, [parsed.output, *parsed.report])


def _views(parsed: Namespace, log: Log) -> Views:
    """The inputs as they are, or what the detector finds in them."""
    from tf_pose3d.inference.detectors import detect_people, is_video, make_detector

    videos = [is_video(path) for path in parsed.input]
    if parsed.detector is None and not any(videos):
        return list(parsed.input)
    if parsed.detector is None and not all(videos):
        other = parsed.input[videos.index(False)]
        raise Pose3DError(
            f"{parsed.input[videos.index(True)]} is a video and {other} is none, expected all or none"
        )
    found = {}
    for path in parsed.input:
        label = Path(path).stem
        if label in found:
            raise Pose3DError(f"two videos are called {label}: name them by their cameras")
        detector = make_detector(parsed.detector, parsed.detector_model)
        video, interrupted = detect_people(path, detector, parsed.fps, show_progress=True)
        if interrupted:
            raise KeyboardInterrupt
        log(f"{path}: {video.num_frames} frames")
        found[label] = video
    return found


def _write(parsed: Namespace, result: Triangulation, log: Log) -> None:
    """Poses, angles and pictures of everyone who was asked for."""
    said: set[str] = set()

    def warn(message: str) -> None:
        if message not in said:
            said.add(message)
            print(f"{_PROGRAM}: warning: {message}", file=sys.stderr, flush=True)

    several = parsed.people == "all"
    suffixes = [f"_{person.id}" if several else "" for person in result.people]
    motions = [person.unplaced() for person in result.people]
    if motions:
        write_motions(motions, suffixes, parsed, measured_steps, log, warn)
    if parsed.viz_output is not None and motions:
        steps = measured_steps(parsed, parsed.viz_output)
        staged = stage_for_file(motions, parsed, steps, parsed.viz_output, log, warn)
        _draw(parsed, result, staged, log)


def _draw(parsed: Namespace, result: Triangulation, staged: list[Motion], log: Log) -> None:
    from tf_pose3d.multicamera.matching import match_names
    from tf_pose3d.multicamera.pictures import triangulation_scene
    from tf_pose3d.render import draw

    videos = {}
    if parsed.viz_video:
        stems = [Path(video).stem for video in parsed.viz_video]
        for stem, video, view in zip(
            stems, parsed.viz_video, match_names(stems, result.rig.names), strict=True
        ):
            if view is None:
                raise Pose3DError(f"--viz_video {video}: {stem} is none of {', '.join(result.rig.names)}")
            videos[result.labels[view]] = video
    scene = triangulation_scene(
        result, parsed.viz_skip, parsed.viz_downsample, parsed.viz_limit, videos or None, staged
    )
    count = draw(scene, parsed.viz_output, parsed.viz_size, None, parsed.viz_bitrate, show_progress=True)
    alone = len(staged) > 1 and parsed.placement in ("root", "floor")
    who = (
        f" of person {result.person.id} alone, as people in place would stand in each other" if alone else ""
    )
    log(f"wrote {parsed.viz_output}{who}: {count} frame{'s' * (count != 1)}, {scene.fps:g} per second")
