"""VideoPose3D's custom data sets, `data_2d_custom_NAME.npz`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tf_pose3d.data.archive import recordings_of
from tf_pose3d.errors import Pose3DError, shown_name
from tf_pose3d.inference.formats.assembly import make_video_of_tracks, rate_of, size_of
from tf_pose3d.inference.formats.source import ReadOptions, Source
from tf_pose3d.inference.formats.values import shown
from tf_pose3d.inference.keypoints import KeypointVideo
from tf_pose3d.skeleton import LAYOUTS, get_skeleton
from tf_pose3d.types import Parsed

__all__ = ["matches", "read", "stated_layout"]

_LAYOUT_NAMES = {
    "coco": "coco_17",
    "h36m": "h36m_17",
    "humaneva15": "humaneva_15",
    "humaneva20": "humaneva_20",
}


def matches(source: Source) -> bool:
    """Whether this is a `.npz` with `positions_2d`."""
    return source.kind == "npz" and "positions_2d" in source.archive


def stated_layout(metadata: Parsed, where: str) -> str | None:
    """The layout that `metadata['layout_name']` states; None where it states none.

    Raises:
        Pose3DError: A name that is no layout's.
    """
    name = metadata.get("layout_name") if isinstance(metadata, Mapping) else None
    if name is None:
        return None
    known = _LAYOUT_NAMES.get(str(name), str(name))
    if known not in LAYOUTS:
        raise Pose3DError(
            f"{where}: its metadata states the joint layout {shown(name)}, expected one of "
            f"{', '.join([*_LAYOUT_NAMES, *LAYOUTS])} (or say which by --layout)"
        )
    return known


def read(source: Source, options: ReadOptions) -> KeypointVideo:
    """Reads one video of `positions_2d[video][action]`, a list of one `(F, J, 2 or 3)` array per camera.

    People: one per camera. `metadata` names the layout (`layout_name`) and each video's `w` and `h`
    (`video_metadata`).

    Raises:
        Pose3DError: No such video, several and none named, or arrays of another shape.
    """
    if source.kind != "npz":
        raise Pose3DError(f"{source} is no .npz file")
    videos = recordings_of(source.archive, source.path, "positions_2d")
    name = _chosen(list(videos), options.recording, str(source))
    where = f"{source}, {shown_name(name)}"
    if len(videos[name]) != 1:
        raise Pose3DError(
            f"{where} has {len(videos[name])} actions, expected one: is this a data set's file?"
        )
    held = next(iter(videos[name].values()))
    views = [_view(view, where) for view in (held if isinstance(held, (list, tuple)) else [held])]
    if not views:
        raise Pose3DError(f"{where}: arrays of shape none, expected (frames, joints, 2 or 3)")
    if len({view.shape[1] for view in views}) > 1:
        raise Pose3DError(f"{where}: its people have different numbers of joints")
    metadata = source.archive.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    stated = None if options.layout is not None else stated_layout(metadata, str(source))
    joints = views[0].shape[1]
    if stated is not None and get_skeleton(stated).num_joints != joints:
        raise Pose3DError(f"{where} has {joints} joints, but its metadata states the layout {stated}")
    details = metadata.get("video_metadata")
    details = details.get(name) if isinstance(details, Mapping) else None
    details = details if isinstance(details, Mapping) else {}
    width, height = size_of(details, ("w", "h"), where)
    return make_video_of_tracks(
        where,
        "videopose3d",
        {str(number): view for number, view in enumerate(views)},
        None,
        options,
        {17: "coco_17"} if stated is None else {joints: stated},
        width=width,
        height=height,
        fps=rate_of(details, where),
    )


def _view(view: Parsed, where: str) -> np.ndarray:
    """`(F, J, 3)` of one camera's array."""
    if not isinstance(view, np.ndarray) or view.dtype.kind not in "fiu":
        raise Pose3DError(f"{where}: {shown(view)} is no array of numbers, expected (frames, joints, 2 or 3)")
    if view.ndim != 3 or view.shape[2] not in (2, 3) or not view.shape[1]:
        raise Pose3DError(f"{where}: arrays of shape {view.shape}, expected (frames, joints, 2 or 3)")
    confidence = np.ones((*view.shape[:2], 3 - view.shape[2]))
    return np.concatenate([view, confidence], axis=2).astype(np.float64)


def _chosen(names: list[str], wanted: str | None, where: str) -> str:
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted in names:
        return wanted
    listing = ", ".join(name[:60] for name in names[:20]) or "none"
    said = "give one by --recording" if wanted is None else f"{wanted!r} is none of them"
    raise Pose3DError(f"{where} holds the videos {listing}; {said}")
