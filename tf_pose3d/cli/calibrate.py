"""`tools/calibrate.py`: cameras from a board or from a person who walks before them; see `--help`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.cli.flags import Parser
from tf_pose3d.cli.program import run_program
from tf_pose3d.data.calibration import (
    WRITERS,
    CalibratedCamera,
    fitted_to_images,
    read_calibration,
    write_cameras,
)
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import Skeleton

__all__ = ["calibrate", "main"]

Log = Callable[[str], None]
# Frames of people that are looked at: minutes of walking say no more.
_MOST_FRAMES = 3000
# Metres, where nothing is said: halfway between the means of women and men.
_STATURE = 1.7
# Of images and videos, the longer side first.
_USUAL_SIZES = (
    *((640, 480), (1280, 720), (1920, 1080), (1920, 1200), (2048, 1536)),
    *((2704, 1520), (2704, 2028), (3840, 2160), (4096, 2160), (5312, 2988)),
)
_EPILOG = """examples:
  calibrate.py --board charuco:5x7:40mm:30mm:DICT_4X4_50 videos/*.mp4 --out cameras.toml
  calibrate.py --board checkerboard:9x6:40mm cam1/ cam2/ --floor 0 --out cameras.toml
  calibrate.py --people cam*_json --intrinsics guess --stature 1.78 --out cameras.toml"""


def make_parser() -> Parser:
    parser = Parser(
        prog="calibrate.py",
        description="Calibrates cameras: lenses and places by a board, or places by a person who walks.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "pictures", nargs="*", metavar="VIDEO", help="with --board: a video or a folder of images per camera"
    )
    parser.add_argument(
        "--board",
        metavar="SPEC",
        help="charuco:COLUMNSxROWS:SQUARE:MARKER:DICTIONARY (squares) or checkerboard:COLUMNSxROWS:SQUARE "
        "(inner corners); lengths as 40mm; needs OpenCV",
    )
    parser.add_argument(
        "--people", nargs="+", metavar="FILE", help="2D keypoints per camera, of one person at the same time"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help=".toml, or a folder for OpenCV's files")
    parser.add_argument("--format", choices=tuple(WRITERS), help="how to write them (default: by the name)")
    parser.add_argument(
        "--intrinsics",
        metavar="FILE",
        help="lenses that are known: a calibration of any kind; with --people also the word guess",
    )
    parser.add_argument(
        "--offsets",
        nargs="+",
        default=[],
        metavar="CAMERA=N",
        help="cameras that began to record N frames late",
    )
    boards = parser.add_argument_group("with --board")
    boards.add_argument("--fisheye", action="store_true", help="the lenses are fisheye lenses")
    boards.add_argument(
        "--floor", type=int, metavar="FRAME", help="the board lies on the floor in this frame: z up, z = 0"
    )
    boards.add_argument("--every", type=int, metavar="N", help="look at every n-th frame")
    people = parser.add_argument_group("with --people")
    people.add_argument(
        "--stature", type=float, metavar="METRES", help=f"of the person: the scale (default: {_STATURE})"
    )
    people.add_argument("--width", type=int, metavar="PIXELS", help="of the images, where files do not tell")
    people.add_argument("--height", type=int, metavar="PIXELS", help="of the images")
    people.add_argument(
        "--sizes",
        nargs="+",
        default=[],
        metavar="CAMERA=WxH",
        help="of images of different sizes, e.g. cam02=1080x1920",
    )
    people.add_argument("--layout", metavar="NAME", help="joint layout of the keypoints, e.g. coco_17")
    people.add_argument("--input_format", metavar="NAME", help="format of the keypoints")
    people.add_argument("--seed", type=int, default=0, help="of random samples")
    return parser


def calibrate(arguments: Sequence[str] | None = None, log: Log | None = None) -> None:
    """Runs the program; see `make_parser` for the flags.

    Raises:
        Pose3DError: Bad input.
    """
    parser = make_parser()
    given = parser.parse_args(arguments)
    log = log or (lambda line: print(line, flush=True))
    if (given.board is None) == (given.people is None):
        parser.error("give --board with videos, or --people with keypoints")
    only = {
        "--people": (given.fisheye, given.floor is not None, given.every is not None, bool(given.pictures)),
        "--board": (given.stature is not None, given.width is not None, given.layout is not None),
    }
    mode = "--board" if given.people is None else "--people"
    if any(only[mode]):
        parser.error(f"{mode} does not go with flags of the other way")
    if given.every is not None and given.every < 1:
        parser.error(f"--every is {given.every}, expected at least 1")
    cameras, notes, error = _by_board(given, log) if mode == "--board" else _by_people(given, log)
    for note in notes:
        log(note)
    summary = f"calibrated by {mode[2:]}, reprojection error {error:.3f} px"
    write_cameras(given.out, cameras, given.format, [summary, *notes])
    log(f"wrote {given.out}: {len(cameras)} cameras, {summary}")


def _offsets(texts: Sequence[str]) -> dict[str, int]:
    offsets = {}
    for text in texts:
        found = re.fullmatch(r"(.+)=([+-]?[0-9]{1,9})", text)
        if found is None:
            raise Pose3DError(f"--offsets {text}: expected CAMERA=N, e.g. cam02=7")
        offsets[found[1]] = int(found[2])
    return offsets


def _sizes(texts: Sequence[str], labels: Sequence[str]) -> dict[str, tuple[int, int]]:
    sizes = {}
    for text in texts:
        found = re.fullmatch(r"(.+)=([0-9]{1,5})x([0-9]{1,5})", text)
        if found is None or not int(found[2]) or not int(found[3]):
            raise Pose3DError(f"--sizes {text}: expected CAMERA=WIDTHxHEIGHT, e.g. cam02=1080x1920")
        if found[1] not in labels:
            raise Pose3DError(f"--sizes: no camera {found[1]}; there are {', '.join(labels)}")
        sizes[found[1]] = int(found[2]), int(found[3])
    return sizes


def _by_board(given: argparse.Namespace, log: Log) -> tuple[Sequence[CalibratedCamera], Sequence[str], float]:
    from tf_pose3d.calibration.boards import parse_board
    from tf_pose3d.calibration.pictures import read_sightings
    from tf_pose3d.calibration.sightings import calibrate_from_board

    board = parse_board(given.board)
    if not given.pictures:
        raise Pose3DError("--board: no videos or folders of images given")
    sightings = read_sightings(given.pictures, board, given.every, _offsets(given.offsets), log)
    known: list[CalibratedCamera] | None = None
    notes: list[str] = []
    if given.intrinsics is not None:
        known, notes = _known(
            given.intrinsics, [held.name for held in sightings], [held.size for held in sightings]
        )
    found = calibrate_from_board(sightings, board, given.fisheye, known, given.floor, log)
    for camera, error in zip(found.cameras, found.per_camera, strict=True):
        log(f"camera {camera.name}: {error:.3f} px, focal length {camera.matrix[0, 0]:.1f} px")
    return found.cameras, [*notes, *found.notes], found.error


def _known(
    path: str, names: Sequence[str], sizes: Sequence[tuple[int, int] | None]
) -> tuple[list[CalibratedCamera], list[str]]:
    """The cameras of a calibration file, by the names of the views."""
    from tf_pose3d.multicamera.matching import match_names

    calibration = read_calibration(path)
    matched = match_names(names, calibration.names)
    missing = [name for name, camera in zip(names, matched, strict=True) if camera is None]
    if missing:
        raise Pose3DError(
            f"--intrinsics {path} has no camera for {', '.join(missing)}; it holds "
            f"{', '.join(calibration.names)}"
        )
    picked = calibration.select([calibration.names[index] for index in matched if index is not None])
    fitted = fitted_to_images(picked, sizes)
    return list(fitted.cameras), [note for note in fitted.notes if "lengths taken" not in note]


def _by_people(
    given: argparse.Namespace, log: Log
) -> tuple[Sequence[CalibratedCamera], Sequence[str], float]:
    from tf_pose3d.calibration.people import calibrate_from_people, guessed_camera
    from tf_pose3d.multicamera.inputs import read_views, view_clips

    if given.intrinsics is None:
        raise Pose3DError(
            "--people: give --intrinsics FILE, a calibration of the lenses, or --intrinsics guess"
        )
    clips, skeleton = view_clips(
        read_views(given.people, layout=given.layout, input_format=given.input_format)
    )
    labels = [re.sub(r"[_-]?(json|keypoints|pose)$", "", clip.label) or clip.label for clip in clips]
    offsets = _offsets(given.offsets)
    unknown = [name for name in offsets if name not in labels]
    if unknown:
        raise Pose3DError(f"--offsets: no camera {unknown[0]}; there are {', '.join(labels)}")
    flags = None if given.width is None or given.height is None else (given.width, given.height)
    own = _sizes(given.sizes, labels)
    sizes = [own.get(label) or clip.size or flags for label, clip in zip(labels, clips, strict=True)]
    notes: list[str] = []
    stature = _STATURE if given.stature is None else given.stature
    if given.stature is None:
        notes.append(
            f"the person is taken to be {stature} m tall, which gives the scale: --stature says otherwise"
        )
    guessed = given.intrinsics == "guess"
    if guessed:
        held = [
            size or _usual_size(clip.keypoints, label, notes)
            for label, clip, size in zip(labels, clips, sizes, strict=True)
        ]
        cameras = [guessed_camera(label, size) for label, size in zip(labels, held, strict=True)]
    else:
        cameras, said = _known(given.intrinsics, labels, sizes)
        notes += said
    tables = []
    for clip, label in zip(clips, labels, strict=True):
        number, points, note = _one_person(clip.number, clip.track, clip.keypoints, label)
        tables.append((number + offsets.get(label, 0), points))
        notes += note
    keypoints, frames = _common(tables, skeleton)
    log(f"{frames} frames of {len(cameras)} cameras, joints {skeleton.name}")
    found = calibrate_from_people(keypoints, skeleton, cameras, stature, guessed, given.seed, log)
    for camera, error in zip(found.cameras, found.per_camera, strict=True):
        log(f"camera {camera.name}: {error:.2f} px, focal length {camera.matrix[0, 0]:.1f} px")
    return found.cameras, [*notes, *found.notes], found.error


def _usual_size(keypoints: npt.NDArray[np.float32], label: str, notes: list[str]) -> tuple[int, int]:
    """The smallest usual image that holds a camera's keypoints, for files that tell no size; it is noted.

    Raises:
        Pose3DError: The camera has no keypoints, or some beyond every usual image.
    """
    points = keypoints[..., :2].reshape(-1, 2)
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise Pose3DError(f"camera {label}: no person in its keypoints")
    # A few keypoints of any detector lie outside the image.
    right, bottom = np.percentile(points, 99.9, axis=0)
    sizes = sorted({turned for size in _USUAL_SIZES for turned in (size, size[::-1])}, key=np.prod)
    fitting = [(width, height) for width, height in sizes if right <= width and bottom <= height]
    if not fitting:
        raise Pose3DError(
            f"camera {label}: keypoints up to {right:.0f}, {bottom:.0f} pixels, and no image size: give "
            "--width and --height, or --sizes"
        )
    notes.append(
        f"camera {label}: its file has no image size: taken as {fitting[0][0]}x{fitting[0][1]}, the smallest "
        "usual one that holds its keypoints: --width and --height, or --sizes say otherwise"
    )
    return fitting[0]


def _one_person(
    number: npt.NDArray[np.int64],
    track: npt.NDArray[np.int64],
    keypoints: npt.NDArray[np.float32],
    label: str,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], list[str]]:
    """The frames and keypoints of the person who is seen most."""
    if not len(number):
        raise Pose3DError(f"camera {label}: no person in its keypoints")
    tracks, counts = np.unique(track, return_counts=True)
    most = tracks[np.argmax(counts)]
    notes = []
    beside = np.isin(number[track != most], number[track == most]).sum()
    if beside > 0.2 * counts.max():
        notes.append(
            f"camera {label}: several people; the one seen in most frames is taken: calibrate with one alone"
        )
    kept = track == most
    if len(tracks) > 1 and not notes:
        # Pieces of one person whom the detector lost: the largest of each frame.
        order = np.argsort(-counts[np.searchsorted(tracks, track)], kind="stable")
        _, first = np.unique(number[order], return_index=True)
        kept = np.zeros(len(number), bool)
        kept[order[first]] = True
    return number[kept], keypoints[kept], notes


def _common(
    tables: Sequence[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]], skeleton: Skeleton
) -> tuple[npt.NDArray[np.float64], int]:
    """`(C, F, J, 3)` of frames that two or more cameras have, at most `_MOST_FRAMES`, and how many."""
    numbers, counts = np.unique(np.concatenate([number for number, _ in tables]), return_counts=True)
    shared = numbers[counts >= 2]
    if len(shared) < 5:
        raise Pose3DError(
            f"{len(shared)} frames have a person in two cameras: are frame numbers of one time? (--offsets)"
        )
    if len(shared) > _MOST_FRAMES:
        shared = shared[np.linspace(0, len(shared) - 1, _MOST_FRAMES).astype(int)]
    result = np.full((len(tables), len(shared), skeleton.num_joints, 3), np.nan)
    for part, (number, keypoints) in zip(result, tables, strict=True):
        place = np.searchsorted(shared, number)
        there = (place < len(shared)) & (shared[np.minimum(place, len(shared) - 1)] == number)
        part[place[there]] = keypoints[there]
    return result, len(shared)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run_program("calibrate.py", calibrate, arguments)


if __name__ == "__main__":
    sys.exit(main())
