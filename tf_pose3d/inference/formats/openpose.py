"""OpenPose's JSON: a folder with one file per frame, or its frames in one array.

Pose2Sim and Sports2D write it with their models' joints, ControlNet's annotators with the canvas' size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.assembly import Detections, keypoint_table, make_video, size_of, track_name
from tf_pose3d.inference.formats.frames import frame_number, image_numbers
from tf_pose3d.inference.formats.source import ReadOptions, Source, natural_order, read_json
from tf_pose3d.inference.formats.values import shown
from tf_pose3d.inference.keypoints import KeypointVideo
from tf_pose3d.types import Parsed

__all__ = ["LAYOUTS", "matches", "people_of_frame", "read"]

LAYOUTS: dict[int, str | tuple[str, ...]] = {
    25: ("openpose_25", "openpose_25b"),
    18: "openpose_18",
    15: "openpose_15",
    # Pose2Sim's and Sports2D's models: body with feet (the default), COCO's, MPII's.
    26: "halpe_26",
    17: "coco_17",
    16: "mpii_16",
}
_KEYS = ("pose_keypoints_2d", "pose_keypoints")
_CANVAS = ("canvas_width", "canvas_height")


def matches(source: Source) -> bool:
    """Whether the first frame has `people`."""
    sample = source.sample
    if source.kind == "folder" and sample == {}:
        # Some tools write an empty object where nobody is: the first other frame tells, or that none does.
        sample = next((frame for frame in map(read_json, source.json_files) if frame != {}), {"people": []})
    return isinstance(sample, dict) and isinstance(sample.get("people"), list)


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads the frames under the numbers in their files' names, empty ones included.

    Layouts are told apart by their number of joints, BODY_25 and BODY_25B by the bones that they would make.
    OpenPose's person ids are -1 unless it tracks; then people are linked here.

    Raises:
        Pose3DError: A frame that is damaged, or with another number of joints than those before.
    """
    if source.kind not in ("folder", "json"):
        raise Pose3DError(f"{source} is no folder of OpenPose's JSON files")
    found, listed = Detections(), []
    size: tuple[int | None, int | None] = (None, None)
    names, warnings = _numbers(source)
    for number, where, frame in _frames(source, names):
        listed.append(number)
        if isinstance(frame, dict):
            size = _same_size(size, size_of(frame, _CANVAS, where), where)
        for place, (person, points) in enumerate(people_of_frame(frame, where)):
            found.add(number, person, points, f"{where}, person {place}")
    scaled = _in_pixels(found, size)
    return make_video(
        source,
        "openpose",
        found,
        options,
        LAYOUTS,
        listed=listed,
        are_ids=source.kind == "folder",
        width=size[0],
        height=size[1],
        warnings=(*warnings, *scaled),
    )


def _same_size(
    before: tuple[int | None, int | None], now: tuple[int | None, int | None], where: str
) -> tuple[int | None, int | None]:
    if None in now:
        return before
    if None not in before and before != now:
        raise Pose3DError(
            f"{where}: a canvas of {now[0]}x{now[1]}, expected {before[0]}x{before[1]} as in the frames "
            f"before"
        )
    return now


def _in_pixels(found: Detections, size: tuple[int | None, int | None]) -> tuple[str, ...]:
    """Scales fractions of the canvas, which some of ControlNet's annotators write, in place."""
    if None in size or not found.points:
        return ()
    points = np.stack(found.points)
    seen = points[points[..., 2] > 0][:, :2]
    if not len(seen) or not np.nanmax(np.abs(seen)) <= 1.5:
        return ()
    for detection in found.points:
        detection[:, :2] *= size
    return ("all coordinates are fractions: taken as such of the canvas",)


def people_of_frame(frame: Parsed, where: str) -> list[tuple[str | None, np.ndarray]]:
    """(id or None, `(J, 3)` keypoints) of everyone in a frame.

    Args:
        frame: OpenPose's JSON object.
        where: Names the frame in messages.

    Raises:
        Pose3DError: No such object.
    """
    if isinstance(frame, dict) and frame.keys() <= {"version", "part_candidates"}:
        # Some tools write an empty object where nobody is.
        return []
    people = frame.get("people") if isinstance(frame, dict) else None
    if not isinstance(people, list):
        raise Pose3DError(f"{where} has no list of people, expected OpenPose's JSON")
    found = []
    for person in people:
        if person == {} or person is None:
            continue
        key = next((key for key in _KEYS if isinstance(person, dict) and key in person), None)
        if key is None:
            if isinstance(person, dict) and all(
                name in ("person_id", "id") or "keypoints" in name for name in person
            ):
                # Hands or a face alone.
                continue
            raise Pose3DError(f"{where}: a person without {_KEYS[0]}: {shown(person)}")
        # Nobody: an empty list, or ControlNet's null.
        if person[key] in ([], None):
            continue
        found.append((track_name(person.get("person_id")), keypoint_table(person[key], where)))
    return found


def _numbers(source: Source) -> tuple[dict[str, int], tuple[str, ...]]:
    """The frame's number of each file of a folder."""
    if source.kind != "folder":
        return {}, ()
    names = [path.stem.removesuffix("_keypoints") for path in source.json_files]
    cameras = _cameras(names)
    if cameras:
        raise Pose3DError(
            f"{source} holds the files of several cameras ({', '.join(cameras)}): give each its own folder, "
            "or all with --cameras to triangulate"
        )
    if any(not any(character.isdecimal() for character in name) for name in names):
        order = sorted(names, key=natural_order)
        return {name: row for row, name in enumerate(order)}, ()
    return image_numbers(names, str(source))


# What stands before a number that counts cameras, not frames.
_CAMERA = re.compile(
    r"(?:^|[^a-z])((?:cam|camera|view|cn|kinect|gopro|dev|device|phone)[ _-]?\d+)[^0-9].*\d", re.I
)


def _cameras(names: list[str]) -> list[str]:
    """The cameras whose files lie side by side, where every name has one and they have frames in common."""
    frames: dict[str, set[str]] = {}
    for name in names:
        found = _CAMERA.search(name)
        if found is None:
            return []
        frames.setdefault(found[1], set()).add(re.findall(r"[0-9]+", name)[-1])
    common = set.intersection(*frames.values()) if frames else set()
    return list(frames) if len(frames) > 1 and common else []


def _frames(source: Source, names: dict[str, int]) -> Iterator[tuple[int, str, Any]]:
    """(frame number, name for messages, JSON object)."""
    if source.kind == "json":
        for place, frame in enumerate(source.items() if source.is_array else [source.document]):
            where = f"{source}, frame {place}"
            stated = frame_number(frame, where)
            yield place if stated is None else stated, where, frame
        return
    for path in source.json_files:
        yield names[path.stem.removesuffix("_keypoints")], str(path), read_json(path)
