"""Whether a folder is one clip with a file per frame, or holds a clip in each file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.source import Source, read_json
from tf_pose3d.types import Parsed

__all__ = ["is_frame_folder"]

# A list of so many lists of landmarks may be the people of one frame.
_MOST_PEOPLE = 10


def is_frame_folder(path: str | Path) -> bool:
    """Whether a folder's JSON files, or its labels (.txt), are the frames of one clip.

    The first, the middle and the last file are looked at; those that cannot be read say nothing.
    """
    source = Source(path)
    if source.kind != "folder":
        return False
    if not source.json_files:
        labels = [_is_label(file) for file in _some(source.files(".txt"))]
        return any(found is True for found in labels) and False not in labels
    found = []
    for file in _some(source.json_files):
        try:
            found.append(_is_frame(read_json(file)))
        except Pose3DError:
            continue
    return bool(found) and all(found)


def _some(files: Sequence[Path]) -> list[Path]:
    chosen = dict.fromkeys((files[0], files[len(files) // 2], files[-1])) if files else {}
    # A pipe would be waited for.
    return [file for file in chosen if file.is_file()]


def _is_frame(value: Parsed) -> bool:
    """Whether a JSON file holds what was seen in one image."""
    if isinstance(value, dict):
        if not value:
            # What some tools write where nobody is.
            return True
        if isinstance(value.get("people"), list) or isinstance(value.get("bodies"), list):
            return True
        marks = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark")
        return "instances" in value or any(mark in value for mark in marks)
    if not isinstance(value, list):
        return False
    if not value:
        return True
    first = value[0]
    if isinstance(first, dict):
        if {"x", "y"} <= first.keys():
            # MediaPipe's landmarks of one person.
            return True
        # People of MMPose and Ultralytics, whom detections of a whole clip tell the image of.
        return "keypoints" in first and not {"image_id", "frame_id", "frame"} & first.keys()
    if isinstance(first, list) and first and isinstance(first[0], dict):
        # Lists in lists: MediaPipe's people, the inferencer's one more array; of a clip there would be many.
        return len(value) <= _MOST_PEOPLE and ("keypoints" in first[0] or {"x", "y"} <= first[0].keys())
    return False


def _is_label(path: Path) -> bool | None:
    """Whether a text holds lines of numbers, as Ultralytics' labels; None: it is empty."""
    try:
        with path.open("rb") as file:
            words = file.read(4096).partition(b"\n")[0].split()
    except OSError:
        return None
    if not words:
        return None
    try:
        return len([float(word) for word in words]) > 5
    except ValueError:
        return False
