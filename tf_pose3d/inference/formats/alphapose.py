"""AlphaPose's `alphapose-results.json`, and its forms of `--format cmu` and `--format open`."""

from __future__ import annotations

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.assembly import Detections, keypoint_table, make_video
from tf_pose3d.inference.formats.coco import read_detections
from tf_pose3d.inference.formats.frames import image_numbers
from tf_pose3d.inference.formats.source import ReadOptions, Source, read_json
from tf_pose3d.inference.formats.values import shown
from tf_pose3d.inference.keypoints import KeypointVideo
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Parsed

__all__ = ["matches", "read"]

# Key of a frame's people -> key of a person's numbers.
_FORMS = {"bodies": "joints", "people": "pose_keypoints_2d"}
_LAYOUTS = {18: "openpose_18"}


def _is_frame(value: Parsed) -> bool:
    if not isinstance(value, dict) or not str(value.get("version", "")).startswith("AlphaPose"):
        return False
    return any(isinstance(value.get(key), list) for key in _FORMS)


def matches(source: Source) -> bool:
    """Whether detections have `image_id` and `keypoints`, and an `idx` or a file's name as the id.

    Or whether frames, under their images' names or in a file each, say that they are AlphaPose's.
    """
    sample = source.sample
    if not isinstance(sample, dict):
        return False
    if source.kind == "folder":
        return _is_frame(sample)
    if not source.is_array:
        return any(_is_frame(frame) for frame in list(sample.values())[:8])
    if not {"image_id", "keypoints"} <= sample.keys():
        return False
    return "idx" in sample or isinstance(sample["image_id"], str)


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads detections of 17 (COCO), 26 (Halpe) or 136 joints (Halpe, of which the body is used).

    The number in `image_id` (`12.jpg`) is the frame; `idx` is the person, where tracking was on (without,
    everyone is 0). `--format cmu` and `open` write an object of frames by image name, with OpenPose's 18
    joints.

    Raises:
        Pose3DError: As `tf_pose3d.inference.formats.coco.read`.
    """
    if source.is_array:
        return read_detections(source, options, source.items(), "alphapose")
    if source.kind == "folder":
        frames = {path.stem: read_json(path) for path in source.json_files}
    elif source.kind == "json":
        frames = source.document
    else:
        raise Pose3DError(f"{source} is no JSON of AlphaPose's detections")
    found = Detections()
    for image, frame in frames.items():
        where = f"{source}, {shown(image)}"
        key = next(
            (key for key in _FORMS if isinstance(frame, dict) and isinstance(frame.get(key), list)), None
        )
        if key is None:
            raise Pose3DError(
                f"{where} has no list of bodies or people, as AlphaPose's --format cmu and open"
            )
        for number, person in enumerate(frame[key]):
            place = f"{where}, person {number}"
            if not isinstance(person, dict) or _FORMS[key] not in person:
                raise Pose3DError(f"{place} has no {_FORMS[key]}")
            if person[_FORMS[key]] != []:
                found.add(image, None, _with_neck(keypoint_table(person[_FORMS[key]], place)), place)
    numbers, warnings = image_numbers(list(frames), str(source))
    found.frames = [numbers[image] for image in found.frames]
    return make_video(
        source,
        "alphapose",
        found,
        options,
        _LAYOUTS,
        listed=numbers.values(),
        are_ids=True,
        warnings=warnings,
    )


def _with_neck(points: np.ndarray) -> np.ndarray:
    """Detections with the middle of the shoulders as their neck.

    AlphaPose makes it so for its 17 joints; for its 26 and 136 the place in the list is the head's top.
    """
    layout = get_skeleton("openpose_18")
    if len(points) != layout.num_joints:
        return points
    points = points.copy()
    shoulders = points[[layout.index("l_shoulder"), layout.index("r_shoulder")]]
    points[layout.index("neck")] = [*shoulders[:, :2].mean(axis=0), shoulders[:, 2].min()]
    return points
