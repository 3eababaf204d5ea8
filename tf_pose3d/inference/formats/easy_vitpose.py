"""easy_ViTPose's JSON (`--save-json`): each frame's people by id, and the joints' names."""

from __future__ import annotations

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.assembly import Detections, make_video
from tf_pose3d.inference.formats.source import ReadOptions, Source
from tf_pose3d.inference.formats.values import number_table, shown
from tf_pose3d.inference.keypoints import KeypointVideo
from tf_pose3d.types import Parsed

__all__ = ["matches", "read"]


def matches(source: Source) -> bool:
    """Whether an object has `keypoints`, a list of frames, and `skeleton`."""
    sample = source.sample
    if source.kind != "json" or source.is_array or not isinstance(sample, dict):
        return False
    return isinstance(sample.get("keypoints"), list) and isinstance(sample.get("skeleton"), dict)


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads `keypoints`, per frame an object of `(J, 3)` y, x and score by the tracker's id.

    The file's order is y before x. `skeleton` names the joints: COCO's 17, 25 with feet and the trunk's
    middle, or others.

    Raises:
        Pose3DError: Another structure.
    """
    if not matches(source):
        raise Pose3DError(f"{source} has no keypoints and skeleton, as easy_ViTPose writes them")
    names = _names(source.document["skeleton"], str(source))
    found = Detections()
    frames = source.document["keypoints"]
    for number, frame in enumerate(frames):
        where = f"{source}, frame {number}"
        if not isinstance(frame, dict):
            raise Pose3DError(f"{where} is {shown(frame)}, expected people by their ids")
        for person, values in frame.items():
            table = number_table(values, f"{where}, person {shown(person)}")
            if table.ndim != 2 or table.shape[1] != 3:
                raise Pose3DError(f"{where}, person {shown(person)}: expected y, x and score for each joint")
            found.add(number, person, table[:, [1, 0, 2]], f"{where}, person {shown(person)}")
    return make_video(source, "easy_vitpose", found, options, {}, listed=range(len(frames)), names=names)


def _names(skeleton: Parsed, where: str) -> list[str]:
    names = [skeleton.get(str(number)) for number in range(len(skeleton))]
    missing = next((number for number, name in enumerate(names) if not isinstance(name, str)), None)
    if missing is not None:
        raise Pose3DError(f"{where}: its skeleton has no name for joint {missing}")
    return [str(name) for name in names]
