"""Detectron2's keypoints as VideoPose3D's `infer_video_d2.py` saves them, an npz per video."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.layouts import choose_layout
from tf_pose3d.inference.formats.source import ReadOptions, Source
from tf_pose3d.inference.keypoints import KeypointVideo, checked_keypoints
from tf_pose3d.inference.people import link_detections

__all__ = ["matches", "read"]


def matches(source: Source) -> bool:
    """Whether this is a `.npz` with `boxes` and `keypoints`."""
    return source.kind == "npz" and {"boxes", "keypoints"} <= source.archive.keys()


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads `keypoints[frame][class]`, each `(people, 4, 17)`: x, y, logit and probability.

    Class 1 is the person; `boxes[frame][1]` is `(people, 5)` with a score. `metadata` holds `w` and `h`.
    Detectron2's own evaluation writes COCO results, which `coco` reads.

    Raises:
        Pose3DError: Another structure.
    """
    if not matches(source):
        raise Pose3DError(f"{source} has no boxes and keypoints, as infer_video_d2.py writes them")
    skeleton, detections = None, []
    frames = source.archive["keypoints"]
    for number, frame in enumerate(frames):
        where = f"{source}, frame {number}"
        try:
            found = np.asarray(frame[1], np.float32)
        except (IndexError, TypeError, ValueError, KeyError):
            raise Pose3DError(f"{where}: expected the keypoints of class 1, people x 4 x joints") from None
        if not found.size:
            detections.append((number, []))
            continue
        if found.ndim != 3 or found.shape[1] not in (3, 4):
            raise Pose3DError(f"{where}: keypoints of shape {found.shape}, expected (people, 4, joints)")
        if skeleton is None:
            skeleton = choose_layout(options.layout, found.shape[2], {17: "coco_17"}, str(source))
        points = np.stack([found[:, 0], found[:, 1], found[:, -1]], axis=2)
        detections.append(
            (number, [checked_keypoints(person, skeleton.num_joints, where) for person in points])
        )
    skeleton = skeleton or choose_layout(options.layout or "coco_17", 17, {}, str(source))
    metadata = source.archive.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    return KeypointVideo(
        str(source),
        "detectron2",
        skeleton,
        link_detections(detections),
        len(frames),
        width=int(metadata["w"]) if "w" in metadata else None,
        height=int(metadata["h"]) if "h" in metadata else None,
        fps=float(metadata["fps"]) if "fps" in metadata else None,
    )
