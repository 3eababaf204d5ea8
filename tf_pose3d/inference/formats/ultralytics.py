"""Ultralytics' (YOLO's) poses: `results.to_json()` of each frame, or the folder of labels of `save_txt`."""

from __future__ import annotations

import re

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.assembly import Detections, keypoint_table, make_video, track_name
from tf_pose3d.inference.formats.frames import image_numbers
from tf_pose3d.inference.formats.source import ReadOptions, Source, read_json
from tf_pose3d.inference.formats.values import number_table, shown
from tf_pose3d.inference.keypoints import KeypointVideo
from tf_pose3d.json_text import decode_text, parse_json
from tf_pose3d.types import Parsed

__all__ = ["matches", "read"]

_LAYOUTS = {17: "coco_17", 26: "halpe_26"}
# A line of labels: class, box, joints, and with save_conf a confidence, with tracking an id.
_BEFORE = 5
_JOINTS = 17


def _is_person(value: Parsed) -> bool:
    points = value.get("keypoints") if isinstance(value, dict) else None
    return isinstance(points, dict) and {"x", "y"} <= points.keys()


def _is_frame(value: Parsed) -> bool:
    # Users put the text of `to_json` into lists as it is.
    if isinstance(value, str):
        return value.lstrip()[:1] == "[" and '"keypoints"' in value
    return isinstance(value, list) and bool(value) and _is_person(value[0])


def matches(source: Source) -> bool:
    """Whether people have `keypoints` of `x` and `y`, or a folder has lines of labels."""
    if source.kind == "folder" and not source.json_files:
        return bool(source.files(".txt"))
    sample = source.first_found
    return _is_person(sample) or _is_frame(sample)


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads people with `keypoints: {x, y, visible}`, frame by frame.

    Three forms: an array of frames, each an array of people (`to_json` of each result, as text or parsed); a
    folder of such arrays, a file per frame; a folder of `save_txt`'s labels (`clip_1.txt`, counted from 1;
    frames without anyone have no file). An array of people alone is one frame. `to_json(normalize=True)` and
    labels hold fractions of the image, whose size then has to be given. `track_id` is the person.

    Raises:
        Pose3DError: Another structure, fractions without a size.
    """
    found, listed = Detections(), []
    warnings: tuple[str, ...] = ()
    from_one = False
    if source.kind == "folder":
        files = source.json_files or source.files(".txt")
        numbers, warnings = image_numbers([path.stem for path in files], str(source))
        # Of a video; images' names are as they may be.
        labels = all(re.search(r"_[1-9][0-9]*$", path.stem) for path in files)
        from_one = labels and not source.json_files
        for path in files:
            listed.append(numbers[path.stem])
            if path.suffix == ".json":
                _add_people(found, numbers[path.stem], read_json(path), str(path))
            else:
                _add_labels(found, numbers[path.stem], path.read_bytes(), str(path))
    elif source.kind == "json" and source.is_array:
        frames = [source.document] if _is_person(source.first_found) else source.items()
        for number, frame in enumerate(frames):
            listed.append(number)
            _add_people(found, number, frame, f"{source}, frame {number}")
    else:
        raise Pose3DError(f"{source} is no array of Ultralytics' results")
    _scale(found, options, str(source))
    return make_video(
        source,
        "ultralytics",
        found,
        options,
        _LAYOUTS,
        listed=listed,
        from_one=from_one,
        warnings=warnings,
    )


def _add_people(found: Detections, number: int, frame: Parsed, where: str) -> None:
    if isinstance(frame, str):
        frame = parse_json(frame, where)
    if frame is None:
        return
    if not isinstance(frame, list):
        raise Pose3DError(f"{where} is {shown(frame)}, expected an array of Ultralytics' results")
    for place, person in enumerate(frame):
        if not _is_person(person):
            # Objects of other classes have no joints.
            if isinstance(person, dict) and "box" in person and "keypoints" not in person:
                continue
            raise Pose3DError(f"{where}, person {place}: no keypoints with x and y")
        joints = person["keypoints"]
        x, y = number_table(joints["x"], where), number_table(joints["y"], where)
        if x.ndim != 1 or x.shape != y.shape:
            raise Pose3DError(f"{where}, person {place}: {x.size} x and {y.size} y, expected the same number")
        if not len(x):
            continue
        points = keypoint_table(np.stack([x, y], axis=1).tolist(), where, joints.get("visible"))
        found.add(number, track_name(person.get("track_id")), points, f"{where}, person {place}")


def _add_labels(found: Detections, number: int, content: bytes, where: str) -> None:
    for line_number, line in enumerate(decode_text(content, where).splitlines(), start=1):
        place = f"{where}, line {line_number}"
        try:
            values = [float(word) for word in line.split()]
        except ValueError:
            raise Pose3DError(f"{place}: {shown(line)} is no line of labels, expected numbers") from None
        if not values:
            continue
        rest = values[_BEFORE:]
        width = 3 if len(rest) >= 3 * _JOINTS else 2
        extra = rest[width * _JOINTS :]
        if len(rest) < 2 * _JOINTS or len(extra) > 2:
            raise Pose3DError(
                f"{place} has {len(values)} numbers, expected class, box and {_JOINTS} joints of x, y and "
                f"confidence"
            )
        # The id comes last; a single number behind the joints is one where it is whole.
        track = extra[-1] if len(extra) == 2 or (extra and extra[0].is_integer() and extra[0] >= 1) else None
        points = number_table([rest[at : at + width] for at in range(0, width * _JOINTS, width)], place)
        found.add(number, track_name(track), keypoint_table(points.tolist(), place), place)


def _scale(found: Detections, options: ReadOptions, where: str) -> None:
    """Turns fractions of the image into pixels, in place."""
    if not found.points:
        return
    points = np.stack(found.points)[..., :2]
    if not np.nanmax(np.abs(points), initial=0) <= 1.5:
        return
    width, height = options.width or options.video_width, options.height or options.video_height
    if not width or not height:
        raise Pose3DError(
            f"{where}: its coordinates are fractions of the image; give its size by --width and --height"
        )
    for detection in found.points:
        detection[:, :2] *= (width, height)
