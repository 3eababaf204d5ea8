"""MediaPipe's pose landmarks as JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.assembly import Detections, make_video, rate_of, size_of
from tf_pose3d.inference.formats.frames import frame_number, image_numbers
from tf_pose3d.inference.formats.scores import Score
from tf_pose3d.inference.formats.source import ReadOptions, Source, read_json
from tf_pose3d.inference.formats.values import number_table, shown
from tf_pose3d.inference.keypoints import KeypointVideo
from tf_pose3d.types import Parsed

__all__ = ["KEYS", "landmark_table", "matches", "people_of_frame", "read"]

KEYS = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark")
_JOINTS = 33
_LAYOUTS = {_JOINTS: "mediapipe_33"}
# Keys of times, in letters alone.
_TIME_KEYS = ("timestampms", "timestamp", "timems", "time", "timestampus", "timesec", "seconds")
# A landmark may lie well outside the image; nobody's are all further away than this many image sizes.
_FARTHEST_FRACTION = 4.0


def _is_landmarks(value: Parsed) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], dict)
        and {"x", "y"} <= value[0].keys()
    )


def matches(source: Source) -> bool:
    """Whether frames have landmarks: dicts with `x`, `y` and perhaps `visibility`."""
    sample = source.first_found
    if isinstance(sample, dict):
        return any(key in sample for key in KEYS) or (
            isinstance(sample.get("frames"), list) and "joint_names" not in sample
        )
    if not isinstance(sample, list) or not sample:
        return False
    inner = sample[0]
    return _is_landmarks(sample) or _is_landmarks(inner) or (isinstance(inner, dict) and "landmark" in inner)


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads frames of 33 landmarks, whose x and y are fractions of the image's width and height.

    A frame is such a list, a list of one per person, null, or an object that holds it under `pose_landmarks`,
    `poseLandmarks`, `landmarks`, or (protobuf's `MessageToDict`) `landmark`; `frame` in it (or `frameNumber`
    and the like) is the frame's number. Where there are only times, and some are missing, these tell it.
    The file is an array of frames, or an object with `frames` and perhaps `width`, `height` and `fps`.
    `visibility` is the confidence, or in some versions its logit. World landmarks are not used. Coordinates
    that were multiplied by the image's size already are noticed.

    Raises:
        Pose3DError: No image size, neither here nor given, or another number of landmarks.
    """
    if source.kind not in ("json", "folder"):
        raise Pose3DError(f"{source} is no JSON file of MediaPipe's landmarks")
    facts: dict[str, Any] = {}
    if source.kind == "json" and not source.is_array and "frames" in source.document:
        facts = source.document
    width, height = size_of(facts, ("width", "height"), str(source))
    width, height = options.width or width, options.height or height
    found, listed, times = Detections(), [], []
    for place, (stated, where, frame) in enumerate(_frames(source)):
        listed.append(place if stated is None else stated)
        times.append(_time(frame) if stated is None else None)
        for points in people_of_frame(frame, where):
            found.add(listed[-1], None, points, where)
    by_time = _numbers_of_times(times)
    notes = []
    if by_time is not None:
        notes.append("its frames have times but no numbers, and some are missing: rows go by the times")
        found.frames = [by_time[number] for number in found.frames]
        listed = by_time
    size = width or options.video_width, height or options.video_height
    warnings = _to_pixels(found, *size, str(source))
    return make_video(
        source,
        "mediapipe",
        found,
        options,
        _LAYOUTS,
        listed=listed,
        score=Score.LOGIT,
        width=width,
        height=height,
        fps=rate_of(facts, str(source)),
        warnings=(*notes, *warnings),
    )


def _to_pixels(found: Detections, width: int | None, height: int | None, where: str) -> tuple[str, ...]:
    """Multiplies fractions by the image's size, in place."""
    if found.points:
        points = np.stack(found.points)[..., :2]
        # Half of all coordinates beyond any image: these are pixels already.
        if np.nanmedian(np.abs(points)) > _FARTHEST_FRACTION:
            return ("its coordinates are no fractions of the image: taken as pixels",)
    if not width or not height:
        raise Pose3DError(
            f"{where}: MediaPipe's coordinates are fractions of the image; give its size by --width and "
            f"--height"
        )
    for detection in found.points:
        detection[:, :2] *= (width, height)
    return ()


def _frames(source: Source) -> Iterator[tuple[int | None, str, Any]]:
    """(frame number or None where nothing states it, name for messages, frame)."""
    if source.kind == "folder":
        numbers, _ = image_numbers([path.stem for path in source.json_files], str(source))
        for path in source.json_files:
            yield numbers[path.stem], str(path), read_json(path)
        return
    frames: Any
    if source.is_array:
        # One frame's landmarks are an array, too.
        first = source.first_found
        frames = (
            [source.document] if isinstance(first, dict) and {"x", "y"} <= first.keys() else source.items()
        )
    else:
        frames = source.document.get("frames", [source.document])
        if not isinstance(frames, list):
            raise Pose3DError(f"{source}: frames is {shown(frames)}, expected an array")
    for place, frame in enumerate(frames):
        where = f"{source}, frame {place}"
        yield frame_number(frame, where), where, frame


def _time(frame: Parsed) -> float | None:
    if not isinstance(frame, dict):
        return None
    stated = {re.sub("[^a-z]", "", key.lower()): value for key, value in frame.items()}
    value = next((stated[key] for key in _TIME_KEYS if key in stated), None)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) < 1e15:
        return None
    return float(value)


def _numbers_of_times(times: list[float | None]) -> list[int] | None:
    """Frames' numbers by their times, where some are missing between; None: none is, or nothing tells."""
    known = np.array([math.nan if time is None else time for time in times])
    gaps = np.diff(known)
    if len(gaps) < 2 or not (gaps > 0).all():
        return None
    step = float(np.median(gaps))
    if gaps.max() <= 1.6 * step or gaps.min() < 0.6 * step or (known[-1] - known[0]) / step > 1e6:
        return None
    return [int(number) for number in np.round((known - known[0]) / step)]


def people_of_frame(frame: Parsed, where: str) -> list[np.ndarray]:
    """`(33, 3)` x, y and visibility, as the file has them, of everyone in a frame.

    Raises:
        Pose3DError: No landmarks, or not 33.
    """
    while isinstance(frame, dict):
        key = next((key for key in KEYS if key in frame), None)
        if key is None:
            break
        frame = frame[key]
    if frame is None or frame == []:
        return []
    people = [frame] if _is_landmarks(frame) else frame
    if isinstance(people, list):
        people = [
            person["landmark"] if isinstance(person, dict) and "landmark" in person else person
            for person in people
        ]
    if not isinstance(people, list) or not all(_is_landmarks(person) for person in people):
        raise Pose3DError(f"{where} has no landmarks with x and y, expected MediaPipe's")
    return [landmark_table(person, where) for person in people]


def landmark_table(landmarks: list[Any], where: str) -> np.ndarray:
    """`(33, 3)` float64: x, y and visibility of one person's landmarks.

    Raises:
        Pose3DError: Another number of landmarks, or values that are no numbers.
    """
    if len(landmarks) != _JOINTS:
        raise Pose3DError(f"{where}: {len(landmarks)} landmarks, expected the {_JOINTS} of MediaPipe's pose")
    # Protobuf's JSON leaves zeros out, and proto3's defaults with them.
    rows = []
    for number, mark in enumerate(landmarks):
        if not isinstance(mark, dict) or "x" not in mark or "y" not in mark:
            raise Pose3DError(f"{where}: landmark {number} is {shown(mark)}, expected an object with x and y")
        rows.append([mark["x"], mark["y"], mark.get("visibility", 1)])
    return number_table(rows, where)
