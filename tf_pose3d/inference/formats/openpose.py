"""OpenPose's JSON: a folder with one file per frame, or its frames in one array."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.layouts import choose_layout
from tf_pose3d.inference.formats.source import ReadOptions, Source, frame_numbers, read_json
from tf_pose3d.inference.keypoints import KeypointVideo, checked_keypoints
from tf_pose3d.inference.people import link_detections
from tf_pose3d.skeleton import Skeleton

__all__ = ["matches", "people_of_frame", "read"]

LAYOUTS = {25: "openpose_25", 18: "openpose_18"}
_KEYS = ("pose_keypoints_2d", "pose_keypoints")


def matches(source: Source) -> bool:
    """Whether the first frame has `people`."""
    return isinstance(source.sample, dict) and isinstance(source.sample.get("people"), list)


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads the frames in the order of the numbers in their files' names, empty ones included.

    BODY_25 and COCO_18 are told apart by their number of joints. OpenPose's person ids are -1 unless it
    tracks, so people are always linked here.

    Raises:
        Pose3DError: A frame that is damaged, or with another number of joints than those before.
    """
    if source.kind not in ("folder", "json"):
        raise Pose3DError(f"{source} is no folder of OpenPose's JSON files")
    skeleton: Skeleton | None = None
    detections, count = [], 0
    for number, where, frame in _frames(source):
        found, skeleton = people_of_frame(frame, options.layout, skeleton, where)
        detections.append((number, found))
        count = number + 1
    skeleton = skeleton or choose_layout(options.layout or "openpose_25", 25, LAYOUTS, str(source))
    return KeypointVideo(str(source), "openpose", skeleton, link_detections(detections), count)


def people_of_frame(
    frame: Any, layout: str | None, skeleton: Skeleton | None, where: str
) -> tuple[list[np.ndarray], Skeleton | None]:
    """`(J, 3)` keypoints of everyone in a frame, and their layout.

    Args:
        frame: OpenPose's JSON object.
        layout: What the user says.
        skeleton: The layout of the frames before, None before the first person.
        where: Names the frame in messages.

    Raises:
        Pose3DError: No such object, or another number of joints.
    """
    people = frame.get("people") if isinstance(frame, dict) else None
    if not isinstance(people, list):
        raise Pose3DError(f"{where} has no list of people, expected OpenPose's JSON")
    found = []
    for person in people:
        values = (
            next((person[key] for key in _KEYS if key in person), None) if isinstance(person, dict) else None
        )
        if not isinstance(values, list):
            raise Pose3DError(f"{where}: a person without {_KEYS[0]}")
        if not values:
            continue
        if skeleton is None:
            skeleton = choose_layout(layout, len(values) // 3, LAYOUTS, where)
        found.append(checked_keypoints(values, skeleton.num_joints, where))
    return found, skeleton


def _frames(source: Source) -> Iterator[tuple[int, str, Any]]:
    """(frame number, name for messages, JSON object)."""
    if source.kind == "json":
        items = source.items() if source.is_array else [source.document]
        for number, frame in enumerate(items):
            yield number, f"{source}, frame {number}", frame
        return
    files = source.json_files
    numbers = [re.findall(r"\d+", path.stem.removesuffix("_keypoints")) for path in files]
    order = {place: place for place in range(len(files))}
    if all(numbers):
        last = [int(found[-1]) for found in numbers]
        if len(set(last)) == len(last):
            ranks = frame_numbers(last)
            order = {place: ranks[number] for place, number in enumerate(last)}
    for place in sorted(order, key=order.get):
        yield order[place], str(files[place]), read_json(files[place])
