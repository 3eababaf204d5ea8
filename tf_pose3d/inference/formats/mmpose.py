"""MMPose's predictions: of its inferencer (a file per video or image), of its demos, and of version 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.assembly import Detections, keypoint_table, make_video, track_name
from tf_pose3d.inference.formats.frames import frame_number, image_numbers
from tf_pose3d.inference.formats.source import ReadOptions, Source, natural_order, read_json
from tf_pose3d.inference.formats.values import shown
from tf_pose3d.inference.keypoints import KeypointVideo
from tf_pose3d.types import Parsed

__all__ = ["matches", "read"]

LAYOUTS = {17: "coco_17", 26: "halpe_26", 16: "mpii_16"}


def _is_instance(value: Parsed) -> bool:
    return isinstance(value, dict) and "keypoints" in value and "keypoint_scores" in value


def _is_result(value: Parsed) -> bool:
    """Whether this is a person of version 0: x, y and score in one, beside a box."""
    return isinstance(value, dict) and isinstance(value.get("keypoints"), list) and "image_id" not in value


def _is_person(value: Parsed) -> bool:
    return _is_instance(value) or _is_result(value)


def matches(source: Source) -> bool:
    """Whether there are `instances`, or people with `keypoint_scores` or, in lists, `keypoints`."""
    sample = source.first_found
    if isinstance(sample, dict):
        return "instance_info" in sample or "instances" in sample or _is_instance(sample)
    while isinstance(sample, list) and sample and isinstance(sample[0], list):
        sample = sample[0]
    return isinstance(sample, list) and bool(sample) and _is_person(sample[0])


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads frames of people with `keypoints` (x, y) and `keypoint_scores`.

    Four forms: an array of `{frame_id, instances}`; an object with `instance_info` of these; a folder (or
    file) whose frames are arrays of people; and version 0's `pose_results`, whose `keypoints` hold the
    scores. `meta_info` names the joints; without it 17 are COCO's, 26 Halpe's, 16 MPII's, and of
    COCO-WholeBody's 133 the body is used. People with `track_id` keep it, others are linked here. `frame_id`
    is the frame's number.

    Raises:
        Pose3DError: A frame that is damaged or has another number of joints.
    """
    if source.kind not in ("json", "folder"):
        raise Pose3DError(f"{source} is no JSON file of MMPose's predictions")
    found, listed = Detections(), []
    numbers, warnings = _file_numbers(source)
    for place, (where, frame) in enumerate(_frames(source)):
        instances = frame.get("instances") if isinstance(frame, dict) and "instances" in frame else frame
        # The inferencer wraps the people of an image in one more array.
        if isinstance(instances, list) and len(instances) == 1 and isinstance(instances[0], list):
            instances = instances[0]
        if _is_person(instances):
            instances = [instances]
        if instances is None:
            instances = []
        if not isinstance(instances, list):
            raise Pose3DError(f"{where} has no list of instances, expected MMPose's predictions")
        stated = frame_number(frame, where)
        number = stated if stated is not None else numbers[place] if numbers else place
        listed.append(number)
        for instance in instances:
            if not _is_person(instance):
                raise Pose3DError(
                    f"{where}: a person without keypoints and keypoint_scores: {shown(instance)}"
                )
            scores = instance.get("keypoint_scores")
            if scores is None and isinstance(instance.get("scores"), list):
                # As Hugging Face's ViTPose calls them.
                scores = instance["scores"]
            points = keypoint_table(instance["keypoints"], where, scores)
            found.add(number, track_name(instance.get("track_id")), points, where)
    return make_video(
        source, "mmpose", found, options, LAYOUTS, listed=listed, names=_names(source), warnings=warnings
    )


def _names(source: Source) -> list[str] | None:
    """The joints' names that `meta_info` states."""
    sample = source.sample
    facts = sample.get("meta_info") if isinstance(sample, dict) else None
    names = facts.get("keypoint_id2name") if isinstance(facts, dict) else None
    if not names:
        return None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise Pose3DError(
            f"{source}: meta_info has keypoint_id2name {shown(names)}, expected numbers and names"
        )
    missing = next((str(number) for number in range(len(names)) if str(number) not in names), None)
    if missing is not None:
        raise Pose3DError(f"{source}: meta_info's keypoint_id2name has no joint {missing}")
    return [names[str(number)] for number in range(len(names))]


def _file_numbers(source: Source) -> tuple[Sequence[int], tuple[str, ...]]:
    """The frame's number of each file of a folder; empty for one file."""
    if source.kind != "folder":
        return [], ()
    names = [path.stem for path in source.json_files]
    if any(not any(character.isdecimal() for character in name) for name in names):
        order = sorted(names, key=natural_order)
        return [order.index(name) for name in names], ()
    numbers, warnings = image_numbers(names, str(source))
    return [numbers[name] for name in names], warnings


def _frames(source: Source) -> Iterator[tuple[str, Any]]:
    if source.kind == "folder":
        for path in source.json_files:
            content = read_json(path)
            if isinstance(content, dict) and isinstance(content.get("instance_info"), list):
                content = content["instance_info"]
            yield str(path), content
        return
    frames: Any
    if source.is_array:
        # The people of one image, or frames.
        frames = [source.document] if _is_person(source.first_found) else source.items()
    else:
        frames = source.document.get("instance_info", source.document)
        frames = frames if isinstance(frames, list) else [frames]
    for place, frame in enumerate(frames):
        yield f"{source}, frame {place}", frame
