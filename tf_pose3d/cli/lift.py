"""`inference.py --input`: keypoints of a detector, a video or a stream, from flags to files."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tf_pose3d.cli.flags import as_switch
from tf_pose3d.cli.motion_flags import (
    angle_steps,
    asked_steps,
    check_smoothing,
    motion_steps,
    stage_for_file,
    with_suffix,
    write_motions,
)
from tf_pose3d.cli.pictures import check_output, check_pictures, draw_pictures
from tf_pose3d.cli.webcam import LiveInput, is_live, lift_live, names_webcam, open_live
from tf_pose3d.errors import Pose3DError

if TYPE_CHECKING:
    import keras

    from tf_pose3d.cli.flags import Parser
    from tf_pose3d.config import TrainingConfig
    from tf_pose3d.inference.keypoints import KeypointVideo, Person
    from tf_pose3d.inference.lifter import LiftedPerson, Lifter
    from tf_pose3d.render.video import VideoReader

__all__ = [
    "add_detector_flags",
    "add_input_flags",
    "check_input_flags",
    "lift_input",
    "lift_people",
    "open_input",
    "read_input",
    "write_people",
]

Log = Callable[[str], None]

# What the program exits with when Ctrl-C left a part of the work done.
INTERRUPTED = 130
# Frames per second where neither a file nor a flag says: the models' own.
_FPS = 50.0


def add_input_flags(parser: Parser) -> None:
    """Flags that name keypoints, a video or a stream, and say what the file itself does not."""
    group = parser.add_argument_group("keypoints, video or stream")
    group.add_argument(
        "--input",
        metavar="FILE|DIR|-",
        help="a video, 2D keypoints in a detector's format, the number of a webcam (0), or - for JSON lines "
        "from standard input, one frame a line",
    )
    group.add_argument(
        "--input_format",
        metavar="NAME",
        help="format of --input instead of the one its content shows: videopose3d, detectron2, array, "
        "sleap, alphapose, openpose, ultralytics, easy_vitpose, mmpose, coco, mediapipe, deeplabcut or trc",
    )
    group.add_argument(
        "--layout",
        metavar="NAME",
        help="joint layout of the keypoints, e.g. coco_17, where the file does not tell",
    )
    group.add_argument("--width", type=int, metavar="PIXELS", help="width of the image the keypoints lie in")
    group.add_argument("--height", type=int, metavar="PIXELS", help="its height")
    group.add_argument(
        "--fps", type=float, metavar="HZ", help="frames per second (default: the file's, else 50)"
    )
    group.add_argument(
        "--people",
        default="largest",
        metavar="WHO",
        help="whom to lift: largest, confident, all (a file for each), or the id of one",
    )
    group.add_argument("--recording", metavar="NAME", help="which video of a file with several")
    group.add_argument(
        "--min_confidence",
        type=float,
        default=0.3,
        metavar="C",
        help="joints below count as missing and are filled in time",
    )
    group.add_argument(
        "--max_gap",
        type=int,
        default=10,
        metavar="N",
        help="longest run of frames without the person to fill",
    )
    group.add_argument(
        "--normalization",
        choices=("frame", "box"),
        default="frame",
        help="coordinates relative to the whole image, as the models are trained, or to a square round the "
        "person",
    )
    group.add_argument(
        "--repair_sides",
        nargs="?",
        const=True,
        type=as_switch,
        metavar="True|False",
        help="put left and right right where a detector exchanged them for some frames (default: the lifter "
        "for everybody does, other families do not)",
    )
    group.add_argument(
        "--focal_length",
        type=float,
        metavar="PIXELS",
        help="of the camera (default: typical for the image size)",
    )
    add_detector_flags(group)
    group.add_argument(
        "--port", type=int, default=0, metavar="N", help="of the live viewer on 127.0.0.1 (default: any)"
    )
    group.add_argument(
        "--delay", type=int, default=0, metavar="N", help="frames that a stream's poses wait for what follows"
    )
    group.add_argument(
        "--demo",
        action="store_true",
        help="lift a made-up clip with the shipped lifter, into demo.html and demo.gif",
    )


def add_detector_flags(group: argparse._ArgumentGroup) -> None:
    """Flags that say what finds people in videos."""
    group.add_argument(
        "--detector",
        metavar="NAME",
        help="finds people in a video: blazepose (the default), one that another package announces, or "
        "module:callable",
    )
    group.add_argument(
        "--detector_model", metavar="PATH", help="the detector's model: its folder or file (default: its own)"
    )


def check_input_flags(arguments: Namespace) -> None:
    """Finds flags that contradict each other before a model is loaded.

    Raises:
        Pose3DError: They do.
    """
    from tf_pose3d.inference.motion.one_euro import parse_one_euro
    from tf_pose3d.inference.writers import check_motion_file
    from tf_pose3d.inference.writers.angles_csv import check_angle_file

    source = arguments.input == "-" or names_webcam(arguments.input)
    streamed = arguments.input == "-" or arguments.output == "-" or is_live(arguments)
    if streamed and not (source and (arguments.output == "-" or is_live(arguments))):
        raise Pose3DError("a stream goes from --input -, or a webcam, to --output -; give both")
    asked = asked_steps(arguments)
    if streamed:
        if arguments.viz_output is not None:
            raise Pose3DError("--viz_output: a stream is not drawn; give --input FILE")
        if arguments.placement not in (None, "root"):
            raise Pose3DError("--placement: a stream's poses are root-centred")
        if arguments.repair_sides:
            raise Pose3DError("--repair_sides needs the whole clip, which a stream never has")
        others = [flag for flag in asked if flag not in ("--smooth", "--placement")]
        if others:
            raise Pose3DError(f"{others[0]} needs the whole clip, which a stream never has")
        if arguments.smooth is not None:
            parse_one_euro(arguments.smooth)
        return
    if arguments.demo and asked:
        raise Pose3DError(f"--demo shows poses as they are: without {' and '.join(asked)}")
    check_smoothing(arguments, arguments.fps)
    for path in (arguments.output, arguments.viz_output):
        if path is not None:
            motion_steps(arguments, path)
    if arguments.angles is not None:
        check_angle_file(arguments.angles)
        angle_steps(arguments)
    if {arguments.output, arguments.viz_output, arguments.angles} == {None} and not arguments.demo:
        raise Pose3DError("nothing to write: give --viz_output for a picture or --output for the poses")
    if arguments.output is not None:
        check_motion_file(arguments.output)
    inputs = [arguments.weights, arguments.config, arguments.input, arguments.viz_video]
    written: list[str] = []
    for flag in ("output", "viz_output", "angles"):
        path = getattr(arguments, flag)
        if path is not None:
            check_output(f"--{flag}", path, inputs, written)
            written.append(path)


def lift_input(
    arguments: Namespace,
    config: TrainingConfig,
    model: keras.Model,
    read: tuple[KeypointVideo, bool] | LiveInput | None,
    log: Log,
) -> int:
    """Lifts what `--input` names and writes what the flags ask for.

    Args:
        arguments: Of `inference.py`.
        config: With what the flags overwrite.
        model: With its weights.
        read: What `read_input` gave.
        log: Takes a line for the user.

    Returns:
        The exit code: 0, or 130 where Ctrl-C left a part of the work done.

    Raises:
        Pose3DError: Bad input.
    """
    from tf_pose3d.inference.lifter import make_lifter

    lifter = make_lifter(
        model,
        config,
        arguments.min_confidence,
        arguments.max_gap,
        arguments.normalization,
        arguments.repair_sides,
    )
    if read is None:
        return _lift_stream(arguments, lifter)
    if isinstance(read, LiveInput):
        return lift_live(arguments, lifter, read, log)
    people, suffixes, interrupted = lift_people(arguments, lifter, read, log)
    interrupted = write_people(arguments, people, suffixes, log) or interrupted
    return INTERRUPTED if interrupted else 0


def lift_people(
    arguments: Namespace, lifter: Lifter, read: tuple[KeypointVideo, bool], log: Log
) -> tuple[list[LiftedPerson], list[str], bool]:
    """Lifts whom the flags name.

    Args:
        arguments: Of `inference.py`.
        lifter: Of their thresholds.
        read: What `read_input` gave.
        log: Takes a line for the user.

    Returns:
        The people, endings for their files' names, and whether Ctrl-C left a part of the work done.

    Raises:
        Pose3DError: Bad input.
    """
    from tf_pose3d.inference.people import choose_people, file_suffixes, handover_warnings
    from tf_pose3d.inference.writers import check_motion_file

    video, interrupted = read
    people = choose_people(video, arguments.people)
    log(_summary(video, people))
    for note in video.notes:
        log(f"{video.source}: {note}")
    _warn([*video.warnings, *handover_warnings(video, people)])
    if arguments.output is not None:
        check_motion_file(arguments.output, video.num_frames)
    _check_pictures(arguments, video)
    several = arguments.people == "all"
    suffixes = file_suffixes(people) if several else [""] * len(people)
    lifted: list[LiftedPerson] = []
    for person in people:
        lifted.append(_lift_person(arguments, lifter, video, person, several, log))
        if lifted[-1].interrupted:
            interrupted = True
            break
    return lifted, suffixes, interrupted


def _check_pictures(arguments: Namespace, video: KeypointVideo) -> None:
    """Finds what is wrong with the pictures before people are lifted."""
    if arguments.viz_output is None:
        return
    import numpy as np

    from tf_pose3d.data.sequence import Sequence
    from tf_pose3d.inference.trajectory import default_camera

    # `read_input` has seen to all three.
    assert video.width is not None
    assert video.height is not None
    assert video.fps is not None
    points = np.broadcast_to(np.float32(0), (video.num_frames, video.skeleton.num_joints, 2))
    sequence = Sequence(
        subject="",
        action="",
        name=video.source,
        skeleton=video.skeleton,
        fps=video.fps,
        camera=default_camera(video.width, video.height),
        pose_2d=points,
    )
    check_pictures(arguments, sequence)


def open_input(arguments: Namespace, log: Log) -> tuple[KeypointVideo, bool] | LiveInput | None:
    """What `read_input` gives, or the webcam whose poses are shown as they come.

    Raises:
        Pose3DError: As there, or there is no such webcam.
    """
    return open_live(arguments) if is_live(arguments) else read_input(arguments, log)


def read_input(arguments: Namespace, log: Log) -> tuple[KeypointVideo, bool] | None:
    """The keypoints, with what flags say about them, and whether Ctrl-C cut them short; None for a stream.

    Raises:
        Pose3DError: There is no such file, or it is not what the flags say.
    """
    if arguments.input == "-":
        return None
    from tf_pose3d.inference.clip_arguments import check_clip
    from tf_pose3d.inference.detectors import is_video
    from tf_pose3d.inference.formats import ReadOptions, read_keypoints
    from tf_pose3d.inference.reading import with_facts

    interrupted = False
    if names_webcam(arguments.input):
        video, interrupted = _record(arguments, log), False
    elif arguments.detector is not None or is_video(arguments.input):
        video, interrupted = _detect(arguments, log)
        video = with_facts(video, arguments.width, arguments.height, arguments.fps)
    else:
        shown = _video_facts(arguments)
        options = ReadOptions(
            arguments.layout,
            arguments.width,
            arguments.height,
            arguments.recording,
            *((None, None) if shown is None else (shown.width, shown.height)),
        )
        video = read_keypoints(arguments.input, arguments.input_format, options)
        video = with_facts(video, arguments.width, arguments.height, arguments.fps)
        if shown is not None:
            video = _with_video(video, shown, log)
    if video.width is None or video.height is None:
        raise Pose3DError(
            f"{video.source} does not tell the image size; give --width and --height, or the video by "
            "--viz_video"
        )
    if video.fps is None:
        video = dataclasses.replace(video, fps=_FPS)
        log(f"{video.source} does not tell its frame rate: taken as {_FPS:g} per second (--fps)")
    check_clip(video.width, video.height, video.fps, video.source)
    check_smoothing(arguments, video.fps)
    return video, interrupted


def _video_facts(arguments: Namespace) -> VideoReader | None:
    """The video that `--viz_video` names."""
    if arguments.viz_video is None:
        return None
    from tf_pose3d.extras import require_av

    require_av()
    from tf_pose3d.render.video import VideoReader

    return VideoReader(arguments.viz_video)


def _with_video(video: KeypointVideo, shown: VideoReader, log: Log) -> KeypointVideo:
    """The keypoints with size and rate of the video that they were found in, where nothing else says."""
    facts: dict[str, Any] = {}
    if video.width is None or video.height is None:
        facts |= {"width": video.width or shown.width, "height": video.height or shown.height}
    if video.fps is None and shown.fps is not None:
        facts["fps"] = shown.fps
    if facts:
        words = [f"{facts['width']}x{facts['height']}"] if "width" in facts else []
        words += [f"{facts['fps']:g} per second"] if "fps" in facts else []
        log(f"{video.source}: {', '.join(words)}, as {shown.path} says")
        video = dataclasses.replace(video, **facts)
    told, found = shown.num_frames, video.num_frames
    # People may leave before the end, and files may count a frame more.
    if told and "fps" in facts and not 0.6 * told <= found <= told + 1:
        message = (
            f"{video.source} has {found} frames, {shown.path} {told}: was every frame detected, and is it "
            "this video? --fps is the rate of the keypoints"
        )
        video = dataclasses.replace(video, warnings=(*video.warnings, message))
    return video


def _detect(arguments: Namespace, log: Log) -> tuple[KeypointVideo, bool]:
    from tf_pose3d.extras import require_av
    from tf_pose3d.inference.detectors import detect_people, make_detector
    from tf_pose3d.render.video import VideoReader

    if arguments.smooth is not None and arguments.fps is None:
        require_av()
        check_smoothing(arguments, VideoReader(arguments.input).fps)
    detector = make_detector(arguments.detector, arguments.detector_model, arguments.threads)
    video, interrupted = detect_people(arguments.input, detector, arguments.fps, show_progress=True)
    if interrupted:
        log(f"interrupted: {video.num_frames} frames of {video.source} are kept")
    if arguments.viz_video is None:
        reader = VideoReader(arguments.input)
        arguments.viz_video = reader if video.decoded is None else reader.renumbered(video.decoded)
    return video, interrupted


def _record(arguments: Namespace, log: Log) -> KeypointVideo:
    """What a webcam sees until Ctrl-C."""
    from tf_pose3d.inference.detectors import detect_people

    live = open_live(arguments)
    said = f"{live.camera.path}: {live.camera.width}x{live.camera.height}"
    print(f"inference.py: {said}; Ctrl-C ends the recording", file=sys.stderr, flush=True)
    video, _ = detect_people(live.camera, live.detector, arguments.fps)
    log(f"{video.source}: {video.num_frames} frames")
    return video


def _summary(video: KeypointVideo, people: list[Person]) -> str:
    chosen = people[0].id if len(people) == 1 else f"{len(people)}"
    who = f"person {chosen} of {len(video.people)}" if len(people) == 1 else f"{len(video.people)} people"
    return (
        f"{video.source}: {video.format}, {video.skeleton.name}, {video.num_frames} frames of {video.width}x"
        f"{video.height} at {video.fps:g} per second, {who}"
    )


def _warn(messages: Iterable[str]) -> None:
    """Warnings do not go among the results: these may be piped into another program."""
    for message in messages:
        print(f"inference.py: warning: {message}", file=sys.stderr, flush=True)


def _lift_person(
    arguments: Namespace, lifter: Lifter, video: KeypointVideo, person: Person, several: bool, log: Log
) -> LiftedPerson:
    """Lifts one of several people (whom messages then name)."""
    from tf_pose3d.inference.keypoints import dense_keypoints

    lifted = lifter.lift(
        dense_keypoints(person, video.num_frames),
        video.width,
        video.height,
        video.fps,
        video.skeleton,
        arguments.focal_length,
        where=video.source,
        show_progress=True,
    )
    name = f"person {person.id}" if several else ""
    numbers = video.numbers()[: len(lifted.pose_3d)]
    lifted = dataclasses.replace(lifted, subject=name, name=Path(video.source).name, frame=numbers)
    _warn(f"{f'{name}: ' if name else ''}{message}" for message in lifted.warnings)
    if lifted.interrupted:
        log(f"interrupted: the first {len(lifted.pose_3d)} of {video.num_frames} frames are kept")
    return lifted


def write_people(
    arguments: Namespace, people: Sequence[LiftedPerson], suffixes: Sequence[str], log: Log
) -> bool:
    """Writes poses and pictures of people who were seen together.

    Args:
        arguments: With `output`, and the flags of the stage and of pictures.
        people: With the names that titles show.
        suffixes: One for each, for the files' names, before their extension.
        log: Takes a line for the user.

    Returns:
        Whether Ctrl-C cut the drawing short; files that are written already stay.

    Raises:
        Pose3DError: A file that cannot be written, or a step that the poses do not allow.
    """
    import numpy as np

    from tf_pose3d.inference.writers.angles_csv import angle_curves

    motions = [person.unplaced() for person in people]
    said: set[str] = set()

    def warn(message: str) -> None:
        if message not in said:
            said.add(message)
            _warn([message])

    write_motions(motions, suffixes, arguments, motion_steps, log, warn)
    if arguments.viz_output is not None:
        steps = motion_steps(arguments, arguments.viz_output)
        staged = stage_for_file(motions, arguments, steps, arguments.viz_output, log, warn)
        lengths = {motion.num_frames for motion in staged}
        shared = arguments.placement == "world" and len(staged) > 1 and len(lengths) == 1
        if shared:
            log(f"{arguments.viz_output}: {len(staged)} people in one picture, in one space")
        for motion, suffix in zip(staged[:1] if shared else staged, suffixes, strict=False):
            path = arguments.viz_output if shared else with_suffix(arguments.viz_output, suffix)
            flags = Namespace(**{**vars(arguments), "viz_output": path})
            company, company_2d = None, None
            if shared:
                company = np.stack([other.poses for other in staged[1:]])
                company_2d = np.stack([other.keypoints_where_present() for other in staged[1:]])
            try:
                draw_pictures(
                    flags,
                    motion.to_sequence(),
                    motion.held(),
                    motion.root,
                    log,
                    "world" if motion.world else "camera",
                    None if motion.uncertainty is None else motion.uncertainty / 1000,
                    company,
                    angle_curves(motion),
                    company_2d,
                )
            except KeyboardInterrupt:
                kept = "" if arguments.output is None else f"; {arguments.output} is complete"
                log(f"interrupted: {path} is not written{kept}")
                return True
    return False


def _lift_stream(arguments: Namespace, lifter: Lifter) -> int:
    """Poses on standard output as keypoints come in; whatever was written stays."""
    from tf_pose3d.inference.stream import lift_lines

    fps = arguments.fps if arguments.fps is not None else _FPS
    count = 0
    try:
        if sys.stdin is None:
            raise Pose3DError("--input -: standard input is closed")
        for line in lift_lines(
            # Bytes, so that a line in another encoding is refused with its number.
            getattr(sys.stdin, "buffer", sys.stdin),
            lifter,
            arguments.width,
            arguments.height,
            fps,
            arguments.layout,
            arguments.delay,
            arguments.focal_length,
            arguments.smooth,
        ):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
            count += 1
    except KeyboardInterrupt:
        print(f"inference.py: interrupted after {count} frames, all of them written", file=sys.stderr)
        return INTERRUPTED
    if not count:
        raise Pose3DError("standard input: no lines, expected keypoints as JSON, one frame a line")
    return 0
