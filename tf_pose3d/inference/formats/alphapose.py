"""AlphaPose's `alphapose-results.json`."""

from __future__ import annotations

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.coco import read_detections
from tf_pose3d.inference.formats.source import ReadOptions, Source
from tf_pose3d.inference.keypoints import KeypointVideo

__all__ = ["matches", "read"]


def matches(source: Source) -> bool:
    """Whether detections have `image_id` and `keypoints`, and an `idx` or a file's name as the id."""
    sample = source.sample
    if not source.is_array or not isinstance(sample, dict):
        return False
    if not {"image_id", "keypoints"} <= sample.keys():
        return False
    return "idx" in sample or isinstance(sample["image_id"], str)


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads detections of 17 (COCO), 26 (Halpe) or 136 joints (Halpe, of which the body is used).

    The number in `image_id` (`12.jpg`) is the frame; `idx` is the person, where tracking was on.

    Raises:
        Pose3DError: As `tf_pose3d.inference.formats.coco.read`.
    """
    if not source.is_array:
        raise Pose3DError(f"{source} is no JSON array of AlphaPose's detections")
    return read_detections(source, options, source.items(), "alphapose")
