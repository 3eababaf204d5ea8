"""MediaPipe's pose landmarks as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.source import ReadOptions, Source, read_json
from tf_pose3d.inference.keypoints import KeypointVideo, checked_keypoints
from tf_pose3d.inference.people import link_detections
from tf_pose3d.skeleton import get_skeleton

__all__ = ["KEYS", "landmark_keypoints", "matches", "people_of_frame", "read"]

KEYS = ("pose_landmarks", "poseLandmarks", "landmarks")
_JOINTS = 33


def _is_landmarks(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], dict)
        and {"x", "y"} <= value[0].keys()
    )


def matches(source: Source) -> bool:
    """Whether frames have landmarks: dicts with `x`, `y` and perhaps `visibility`."""
    sample = source.sample
    if isinstance(sample, dict):
        return any(key in sample for key in KEYS) or "frames" in sample
    return _is_landmarks(sample) or (isinstance(sample, list) and bool(sample) and _is_landmarks(sample[0]))


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads frames of 33 landmarks, whose x and y are fractions of the image's width and height.

    A frame is such a list, a list of one per person, null, or an object that holds it under
    `pose_landmarks`, `poseLandmarks` or `landmarks`; the file is an array of frames, or an object with
    `frames` and perhaps `width`, `height` and `fps`. `visibility` is the confidence. World landmarks are not
    used.

    Raises:
        Pose3DError: No image size, neither here nor given, or another number of landmarks.
    """
    if source.kind not in ("json", "folder"):
        raise Pose3DError(f"{source} is no JSON file of MediaPipe's landmarks")
    facts = {}
    if source.kind == "json" and not source.is_array and "frames" in source.document:
        facts = source.document
    width, height = options.width or facts.get("width"), options.height or facts.get("height")
    if not width or not height:
        raise Pose3DError(
            f"{source}: MediaPipe's coordinates are fractions of the image; give its size by --width and "
            "--height"
        )
    detections = []
    for number, frame in enumerate(_frames(source)):
        where = f"{source}, frame {number}"
        detections.append((number, people_of_frame(frame, width, height, where)))
    return KeypointVideo(
        str(source),
        "mediapipe",
        get_skeleton("mediapipe_33"),
        link_detections(detections),
        len(detections),
        width=int(width),
        height=int(height),
        fps=float(facts["fps"]) if "fps" in facts else None,
    )


def _frames(source: Source) -> Iterable[Any]:
    if source.kind == "folder":
        return (read_json(path) for path in source.json_files)
    if source.is_array:
        # One frame's landmarks are an array, too.
        single = isinstance(source.sample, dict) and not any(key in source.sample for key in KEYS)
        return [source.document] if single else source.items()
    return source.document.get("frames", [source.document])


def people_of_frame(frame: Any, width: float, height: float, where: str) -> list[np.ndarray]:
    """`(33, 3)` keypoints in pixels of everyone in a frame.

    Raises:
        Pose3DError: No landmarks, or not 33.
    """
    if isinstance(frame, dict):
        frame = next((frame[key] for key in KEYS if key in frame), frame)
    if frame is None or frame == []:
        return []
    people = [frame] if _is_landmarks(frame) else frame
    if not isinstance(people, list) or not all(_is_landmarks(person) for person in people):
        raise Pose3DError(f"{where} has no landmarks with x and y, expected MediaPipe's")
    return [landmark_keypoints(person, width, height, where) for person in people]


def landmark_keypoints(
    landmarks: list[dict[str, Any]], width: float, height: float, where: str
) -> np.ndarray:
    """`(33, 3)` pixels and confidence of one person's landmarks.

    Raises:
        Pose3DError: Another number of landmarks, or values that are no numbers.
    """
    if len(landmarks) != _JOINTS:
        raise Pose3DError(f"{where}: {len(landmarks)} landmarks, expected the {_JOINTS} of MediaPipe's pose")
    try:
        points = [(mark["x"] * width, mark["y"] * height, mark.get("visibility", 1)) for mark in landmarks]
    except (KeyError, TypeError, AttributeError):
        raise Pose3DError(f"{where}: a landmark without x and y") from None
    return checked_keypoints(points, _JOINTS, where)
