"""COCO's keypoints: results (an array of detections) and annotations (with images and their sizes)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.layouts import choose_layout
from tf_pose3d.inference.formats.source import ReadOptions, Source, frame_numbers, natural_order
from tf_pose3d.inference.keypoints import KeypointVideo, Person, checked_keypoints
from tf_pose3d.inference.people import group_by_id, link_detections

__all__ = ["detection_number", "matches", "people_of", "read", "read_detections"]

LAYOUTS = {17: "coco_17", 26: "halpe_26"}
_TRACK_KEYS = ("track_id", "idx")


def matches(source: Source) -> bool:
    """Whether the detections have `image_id` and `keypoints`."""
    sample = source.sample
    if not isinstance(sample, dict):
        return False
    return {"image_id", "keypoints"} <= sample.keys() or {"annotations", "images"} <= sample.keys()


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads detections of a video's frames.

    Image ids that count frames are frame numbers; those of annotations are put in the order of their
    `images`. People have a `track_id`, or are linked here. Annotations mark visibility (0, 1, 2) where
    results have a confidence; both marks of a labelled joint count as found.

    Raises:
        Pose3DError: A detection that is damaged or has another number of joints, or images of mixed sizes.
    """
    if source.kind != "json":
        raise Pose3DError(f"{source} is no JSON file of COCO's keypoints")
    if source.is_array:
        return read_detections(source, options, source.items(), "coco")
    document = source.document
    images, annotations = document.get("images"), document.get("annotations")
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise Pose3DError(f"{source} has no images and annotations, as COCO's keypoint files do")
    sizes = {(image.get("width"), image.get("height")) for image in images if isinstance(image, dict)}
    if len(sizes) > 1:
        known = " and ".join(sorted(f"{width}x{height}" for width, height in sizes)[:2])
        raise Pose3DError(f"{source}: images of mixed sizes ({known} ...), expected the frames of one video")
    order = sorted(images, key=lambda image: natural_order(str(image.get("file_name", image.get("id")))))
    frames = {image.get("id"): number for number, image in enumerate(order)}
    width, height = sizes.pop() if sizes else (None, None)
    visible = [_visible(annotation) for annotation in annotations if isinstance(annotation, dict)]
    return read_detections(source, options, visible, "coco", frames, width, height)


def _visible(annotation: dict[str, Any]) -> dict[str, Any]:
    """An annotation with its visibility marks as confidences."""
    values = annotation.get("keypoints")
    if not isinstance(values, list) or not set(values[2::3]) <= {0, 1, 2}:
        return annotation
    marked = [min(value, 1) if place % 3 == 2 else value for place, value in enumerate(values)]
    return {**annotation, "keypoints": marked}


def read_detections(
    source: Source,
    options: ReadOptions,
    detections: Iterable[Any],
    name: str,
    frames: dict[Any, int] | None = None,
    width: int | None = None,
    height: int | None = None,
) -> KeypointVideo:
    """A video of detections with `image_id` and `keypoints`, one after another.

    Args:
        source, options: What is read.
        detections: The detections.
        name: Of the format.
        frames: Image id -> frame number; None: by `frame_numbers`.
        width, height: Image size.

    Raises:
        Pose3DError: See `read`.
    """
    skeleton, total, found, tracked = None, 0, [], True
    for place, detection in enumerate(detections):
        where = f"{source}, detection {place}"
        if not isinstance(detection, dict) or not {"image_id", "keypoints"} <= detection.keys():
            raise Pose3DError(f"{where} has no image_id and keypoints")
        values = detection["keypoints"]
        if not isinstance(values, list):
            raise Pose3DError(f"{where}: its keypoints are no list of numbers")
        if not values:
            continue
        if skeleton is None:
            total = len(values) // 3
            skeleton = choose_layout(options.layout, total, LAYOUTS, where)
        points = checked_keypoints(values, total, where)
        track = next((detection[key] for key in _TRACK_KEYS if detection.get(key) is not None), None)
        tracked = tracked and track is not None
        found.append((detection["image_id"], _track_name(track), points))
    skeleton = skeleton or choose_layout(options.layout or "coco_17", 17, LAYOUTS, str(source))
    if frames is None:
        ranks = frame_numbers([detection_number(image, str(source)) for image, _, _ in found])
        numbers = [ranks[detection_number(image, str(source))] for image, _, _ in found]
        count = max(numbers, default=-1) + 1
    else:
        unknown = next((image for image, _, _ in found if image not in frames), None)
        if unknown is not None:
            raise Pose3DError(f"{source}: an annotation of image {unknown!r}, which is not among its images")
        numbers, count = [frames[image] for image, _, _ in found], len(frames)
    people = people_of(
        [
            (number, track, points[: skeleton.num_joints])
            for number, (_, track, points) in zip(numbers, found, strict=True)
        ],
        tracked,
        str(source),
    )
    return KeypointVideo(str(source), name, skeleton, people, count, width=width, height=height)


def people_of(
    detections: list[tuple[int, str, np.ndarray]], tracked: bool, source: str
) -> tuple[Person, ...]:
    """People by their tracks' ids, or by linking where detections have none."""
    if tracked:
        return group_by_id(detections, source)
    by_frame: dict[int, list[np.ndarray]] = {}
    for frame, _, points in detections:
        by_frame.setdefault(frame, []).append(points)
    return link_detections(sorted(by_frame.items(), key=lambda item: item[0]))


def detection_number(image: Any, source: str) -> int:
    """Number of an image id: itself, or the last number in a file's name.

    Raises:
        Pose3DError: There is none.
    """
    numbers = re.findall(r"\d+", str(image).rsplit(".", 1)[0] if isinstance(image, str) else str(image))
    if not numbers:
        raise Pose3DError(f"{source}: image_id {image!r} has no number that tells the frame")
    return int(numbers[-1])


def _track_name(track: Any) -> str:
    while isinstance(track, list):
        track = track[0] if track else None
    return f"{track:g}" if isinstance(track, (int, float)) else str(track)
