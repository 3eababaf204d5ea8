"""Detectron2's keypoints as VideoPose3D's `infer_video_d2.py` saves them, an npz per video."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.assembly import Detections, make_video, rate_of, size_of
from tf_pose3d.inference.formats.scores import Score
from tf_pose3d.inference.formats.source import ReadOptions, Source
from tf_pose3d.inference.formats.values import shown
from tf_pose3d.inference.keypoints import KeypointVideo

__all__ = ["matches", "read"]

_LAYOUTS = {17: "coco_17"}


def matches(source: Source) -> bool:
    """Whether this is a `.npz` with `boxes` and `keypoints`."""
    return source.kind == "npz" and {"boxes", "keypoints"} <= source.archive.keys()


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads `keypoints[frame][class]`, each `(people, 4, 17)`: x, y, logit and score.

    Class 1 is the person; `boxes[frame][1]` is `(people, 5)` with a score. `metadata` holds `w` and `h`.
    The joints' scores are no probabilities, see `scores`. Detectron2's own evaluation writes COCO results,
    which `coco` reads.

    Raises:
        Pose3DError: Another structure.
    """
    if not matches(source):
        raise Pose3DError(f"{source} has no boxes and keypoints, as infer_video_d2.py writes them")
    found = Detections()
    frames = source.archive["keypoints"]
    if not isinstance(frames, (np.ndarray, list, tuple)) or np.ndim(frames) == 0:
        raise Pose3DError(f"{source}: keypoints are {shown(frames)}, expected one entry per frame")
    for number, frame in enumerate(frames):
        where = f"{source}, frame {number}"
        for person in _people(frame, where):
            found.add(number, None, person, where)
    metadata = source.archive.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    width, height = size_of(metadata, ("w", "h"), str(source))
    return make_video(
        source,
        "detectron2",
        found,
        options,
        _LAYOUTS,
        listed=range(len(frames)),
        score=Score.REGION,
        width=width,
        height=height,
        fps=rate_of(metadata, str(source)),
    )


def _people(frame: object, where: str) -> list[np.ndarray]:
    """`(J, 3)` of everyone in a frame."""
    if isinstance(frame, (str, bytes)) or not hasattr(frame, "__getitem__") or not hasattr(frame, "__len__"):
        raise Pose3DError(
            f"{where} is {shown(frame)}, expected the keypoints of class 1, people x 4 x joints"
        )
    try:
        points = np.asarray(frame[1])
    except (IndexError, TypeError, ValueError, KeyError, OverflowError):
        raise Pose3DError(f"{where}: expected the keypoints of class 1, people x 4 x joints") from None
    if not points.size:
        return []
    if points.dtype.kind not in "fiu":
        raise Pose3DError(f"{where}: keypoints of {points.dtype}, expected numbers")
    points = points.astype(np.float64)
    if points.ndim != 3 or points.shape[1] not in (3, 4):
        raise Pose3DError(f"{where}: keypoints of shape {points.shape}, expected (people, 4, joints)")
    if np.isinf(points).any():
        raise Pose3DError(f"{where}: an infinite number among the keypoints")
    return list(np.stack([points[:, 0], points[:, 1], points[:, -1]], axis=2))
