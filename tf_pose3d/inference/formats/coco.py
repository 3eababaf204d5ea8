"""COCO's keypoints: results (an array of detections) and annotations (with images and their sizes)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.assembly import Detections, keypoint_table, make_video, size_of, track_name
from tf_pose3d.inference.formats.frames import FrameRows, image_numbers, lay_out_frames
from tf_pose3d.inference.formats.source import ReadOptions, Source, natural_order
from tf_pose3d.inference.formats.values import shown
from tf_pose3d.inference.keypoints import KeypointVideo
from tf_pose3d.types import Parsed

__all__ = ["matches", "read", "read_detections"]

LAYOUTS = {17: "coco_17", 26: "halpe_26", 16: "mpii_16"}
_TRACK_KEYS = ("track_id", "idx")


def matches(source: Source) -> bool:
    """Whether the detections have `image_id` and `keypoints`."""
    sample = source.sample
    if not isinstance(sample, dict):
        return False
    return {"image_id", "keypoints"} <= sample.keys() or {"annotations", "images"} <= sample.keys()


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads detections of a video's frames.

    Image ids are frame numbers (see `frames`); those of annotations have the numbers in their `file_name`s.
    People have a `track_id`, or are linked here. Annotations mark visibility (0, 1, 2) where results have a
    score; both marks of a labelled joint count as found. `categories` name the joints.

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
    frames, width, height = _images(images, str(source))
    found = Detections()
    for place, annotation in enumerate(annotations):
        where = f"{source}, annotation {place}"
        if not isinstance(annotation, dict):
            raise Pose3DError(
                f"{where} is {shown(annotation)}, expected an object with image_id and keypoints"
            )
        # Annotations without keypoints (crowds, objects) belong to the same files.
        if annotation.get("keypoints"):
            _add(found, annotation, where)
    for image, where in zip(found.frames, found.places, strict=True):
        if not _is_id(image) or image not in frames.rows:
            raise Pose3DError(f"{where}: of image {shown(image)}, which is not among the file's images")
    return make_video(
        source,
        "coco",
        found,
        options,
        LAYOUTS,
        frames=frames,
        names=_category_names(document.get("categories"), str(source)),
        width=width,
        height=height,
    )


def _is_id(value: Parsed) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _images(images: list[Any], where: str) -> tuple[FrameRows, int | None, int | None]:
    """Rows of the images' ids by the numbers in their names, else in the names' order; and their size."""
    sizes, names = set(), {}
    for place, image in enumerate(images):
        if not isinstance(image, dict) or not _is_id(image.get("id")):
            raise Pose3DError(f"{where}: image {place} is {shown(image)}, expected an object with an id")
        if image["id"] in names:
            raise Pose3DError(f"{where}: two images have id {shown(image['id'])}, expected one id for each")
        names[image["id"]] = str(image.get("file_name", image["id"]))
        sizes.add(size_of(image, ("width", "height"), f"{where}, image {place}"))
    if len(sizes) > 1:
        known = " and ".join(sorted(f"{width}x{height}" for width, height in sizes)[:2])
        raise Pose3DError(f"{where}: images of mixed sizes ({known} ...), expected the frames of one video")
    width, height = sizes.pop() if sizes else (None, None)
    return _rows(names, where), width, height


def _rows(names: dict[Any, str], where: str) -> FrameRows:
    """Rows of images by id.

    Args:
        names: Id -> the file's name.
        where: Names the annotations in messages.
    """
    distinct = set(names.values())
    if len(distinct) < len(names) or not all(
        re.search("[0-9]", re.split(r"[\\/]", name)[-1]) for name in distinct
    ):
        order = sorted(names, key=lambda image: natural_order(names[image]))
        rows = lay_out_frames(range(len(order)), where)
        return FrameRows({image: row for row, image in enumerate(order)}, rows.numbers)
    numbers, warnings = image_numbers(list(names.values()), where)
    laid = lay_out_frames(numbers.values(), where, are_ids=True)
    rows_of = {image: laid.rows[numbers[name]] for image, name in names.items()}
    return FrameRows(rows_of, laid.numbers, laid.notes, (*warnings, *laid.warnings))


def _category_names(categories: Parsed, where: str) -> list[str] | None:
    """The joints' names that the first category with keypoints states."""
    if not isinstance(categories, list):
        return None
    for category in categories:
        names = category.get("keypoints") if isinstance(category, dict) else None
        if names:
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise Pose3DError(
                    f"{where}: a category's keypoints are {shown(names)}, expected a list of names"
                )
            return names
    return None


def _add(found: Detections, detection: Parsed, where: str) -> None:
    if not isinstance(detection, dict) or not {"image_id", "keypoints"} <= detection.keys():
        raise Pose3DError(f"{where} has no image_id and keypoints")
    if detection["keypoints"] == []:
        return
    points = keypoint_table(detection["keypoints"], where)
    track = next((detection[key] for key in _TRACK_KEYS if detection.get(key) is not None), None)
    found.add(detection["image_id"], track_name(track), points, where)


def read_detections(
    source: Source, options: ReadOptions, detections: Iterable[Any], name: str
) -> KeypointVideo:
    """A video of detections with `image_id` and `keypoints`, one after another.

    Args:
        source, options: What is read.
        detections: The detections.
        name: Of the format.

    Raises:
        Pose3DError: See `read`.
    """
    found = Detections()
    for place, detection in enumerate(detections):
        _add(found, detection, f"{source}, detection {place}")
    numbers, warnings = image_numbers(found.frames, str(source))
    found.frames = [numbers[image] for image in found.frames]
    return make_video(source, name, found, options, LAYOUTS, are_ids=True, warnings=warnings)
