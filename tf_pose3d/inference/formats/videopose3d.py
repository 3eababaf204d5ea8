"""VideoPose3D's custom data sets, `data_2d_custom_NAME.npz`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tf_pose3d.data.archive import load_recordings
from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats.layouts import choose_layout
from tf_pose3d.inference.formats.source import ReadOptions, Source
from tf_pose3d.inference.keypoints import KeypointVideo, Person, mark_missing

__all__ = ["matches", "read"]

_LAYOUT_NAMES = {"coco": "coco_17", "h36m": "h36m_17", "humaneva15": "humaneva_15"}


def matches(source: Source) -> bool:
    """Whether this is a `.npz` with `positions_2d`."""
    return source.kind == "npz" and "positions_2d" in source.archive


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads one video of `positions_2d[video][action]`, a list of one `(F, J, 2 or 3)` array per camera.

    People: one per camera. `metadata` names the layout (`layout_name`) and each video's `w` and `h`
    (`video_metadata`).

    Raises:
        Pose3DError: No such video, several and none named, or arrays of another shape.
    """
    if source.kind != "npz":
        raise Pose3DError(f"{source} is no .npz file")
    videos = load_recordings(source.path, "positions_2d")
    name = _chosen(list(videos), options.recording, str(source))
    where = f"{source}, {name}"
    if len(videos[name]) != 1:
        raise Pose3DError(
            f"{where} has {len(videos[name])} actions, expected one: is this a data set's file?"
        )
    views = next(iter(videos[name].values()))
    views = [np.asarray(view) for view in (views if isinstance(views, (list, tuple)) else [views])]
    if not views or any(view.ndim != 3 or view.shape[2] not in (2, 3) for view in views):
        shapes = ", ".join(str(view.shape) for view in views) or "none"
        raise Pose3DError(f"{where}: arrays of shape {shapes}, expected (frames, joints, 2 or 3)")
    if len({view.shape[1] for view in views}) > 1:
        raise Pose3DError(f"{where}: its people have different numbers of joints")
    metadata = source.archive.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    layout = options.layout or _LAYOUT_NAMES.get(str(metadata.get("layout_name")))
    skeleton = choose_layout(layout, views[0].shape[1], {17: "coco_17"}, where)
    people = []
    for number, view in enumerate(views):
        confidence = np.ones((*view.shape[:2], 3 - view.shape[2]))
        points = mark_missing(np.concatenate([view, confidence], axis=2).astype(np.float32), where)
        seen = np.flatnonzero(np.isfinite(points[..., 0]).any(axis=1))
        if len(seen):
            people.append(Person(str(number), seen, points[seen, : skeleton.num_joints]))
    details = metadata.get("video_metadata")
    details = details.get(name) if isinstance(details, Mapping) else None
    details = details if isinstance(details, Mapping) else {}
    return KeypointVideo(
        where,
        "videopose3d",
        skeleton,
        tuple(people),
        max(map(len, views)),
        width=_whole(details.get("w")),
        height=_whole(details.get("h")),
        fps=float(details["fps"]) if "fps" in details else None,
    )


def _whole(value: object) -> int | None:
    return None if value is None else int(value)


def _chosen(names: list[str], wanted: str | None, where: str) -> str:
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted in names:
        return wanted
    listing = ", ".join(names[:20]) or "none"
    said = "give one by --recording" if wanted is None else f"{wanted!r} is none of them"
    raise Pose3DError(f"{where} holds the videos {listing}; {said}")
