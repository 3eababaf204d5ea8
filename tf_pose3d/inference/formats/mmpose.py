"""MMPose's predictions: of its inferencer (a file per video or image) and of its demos."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.coco import people_of
from tf_pose3d.inference.formats.layouts import choose_layout
from tf_pose3d.inference.formats.source import ReadOptions, Source, read_json
from tf_pose3d.inference.keypoints import KeypointVideo, checked_keypoints

__all__ = ["matches", "read"]

LAYOUTS = {17: "coco_17", 26: "halpe_26"}


def _is_instance(value: Any) -> bool:
    return isinstance(value, dict) and "keypoints" in value and "keypoint_scores" in value


def matches(source: Source) -> bool:
    """Whether there are `instances`, or people with `keypoint_scores`."""
    sample = source.sample
    if isinstance(sample, dict):
        return "instance_info" in sample or "instances" in sample or _is_instance(sample)
    return isinstance(sample, list) and bool(sample) and _is_instance(sample[0])


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads frames of people with `keypoints` (x, y) and `keypoint_scores`.

    Three forms: an array of `{frame_id, instances}`; an object with `instance_info` of these; a folder (or
    file) whose frames are arrays of people. COCO's 17 joints, Halpe's 26, and COCO-WholeBody's 133, of which
    the body is used. People with `track_id` keep it, others are linked here.

    Raises:
        Pose3DError: A frame that is damaged or has another number of joints.
    """
    if source.kind not in ("json", "folder"):
        raise Pose3DError(f"{source} is no JSON file of MMPose's predictions")
    skeleton, total, found, tracked, count = None, 0, [], True, 0
    first_id = None
    for place, frame in enumerate(_frames(source)):
        where = f"{source}, frame {place}"
        instances = frame.get("instances") if isinstance(frame, dict) and "instances" in frame else frame
        # The inferencer wraps the people of an image in one more array.
        if isinstance(instances, list) and len(instances) == 1 and isinstance(instances[0], list):
            instances = instances[0]
        if isinstance(instances, dict):
            instances = [instances]
        if not isinstance(instances, list):
            raise Pose3DError(f"{where} has no list of instances, expected MMPose's predictions")
        number = place
        if isinstance(frame, dict) and isinstance(frame.get("frame_id"), int):
            first_id = frame["frame_id"] if first_id is None else first_id
            number = frame["frame_id"] - first_id
        count = max(count, number + 1)
        for instance in instances:
            if not _is_instance(instance):
                raise Pose3DError(f"{where}: a person without keypoints and keypoint_scores")
            joints = len(instance["keypoints"])
            if skeleton is None:
                skeleton, total = choose_layout(options.layout, joints, LAYOUTS, where), joints
            points = checked_keypoints(_joined(instance, where), total, where)
            tracked = tracked and instance.get("track_id") is not None
            found.append((number, str(instance.get("track_id")), points[: skeleton.num_joints]))
    skeleton = skeleton or choose_layout(options.layout or "coco_17", 17, LAYOUTS, str(source))
    return KeypointVideo(
        str(source), "mmpose", skeleton, people_of(found, tracked and bool(found), str(source)), count
    )


def _joined(instance: dict[str, Any], where: str) -> np.ndarray:
    try:
        points = np.asarray(instance["keypoints"], np.float32)
        scores = np.asarray(instance["keypoint_scores"], np.float32)
    except (TypeError, ValueError):
        raise Pose3DError(f"{where}: keypoints and keypoint_scores must be numbers") from None
    if points.ndim != 2 or points.shape[1] < 2 or scores.shape != points.shape[:1]:
        raise Pose3DError(f"{where}: keypoints of shape {points.shape} with scores of shape {scores.shape}")
    return np.concatenate([points[:, :2], scores[:, None]], axis=1)


def _frames(source: Source) -> Iterable[Any]:
    if source.kind == "folder":
        return (read_json(path) for path in source.json_files)
    if source.is_array:
        # The people of one image, or frames.
        return [source.document] if _is_instance(source.sample) else source.items()
    frames = source.document.get("instance_info", source.document)
    return frames if isinstance(frames, list) else [frames]
