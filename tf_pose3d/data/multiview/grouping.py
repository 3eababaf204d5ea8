"""Groups of interleaved views: view v shows frame `pattern[v]` of each group of T frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tf_pose3d.data.multiview.records import MultiViewRecords
from tf_pose3d.errors import Pose3DError

__all__ = ["ViewGroups", "make_groups"]


@dataclasses.dataclass(frozen=True)
class ViewGroups:
    """G groups of T consecutive frames seen by V views.

    Attributes:
        shown: `(G, V)` int32, the record whose image each view shows.
        target: `(G, T)` int32, a record that holds the 3D pose of each frame.
        every: `(G, T, V)` int32, the record of each view at each frame; -1 where there is none.
        pattern: V frames of a group, from 0: which one each view shows.
        skipped: Groups left out because an image or a pose is missing.
    """

    shown: np.ndarray
    target: np.ndarray
    every: np.ndarray
    pattern: tuple[int, ...]
    skipped: int

    def __len__(self) -> int:
        return len(self.shown)


def make_groups(
    records: MultiViewRecords,
    views: Sequence[int],
    pattern: Sequence[int],
    step: int = 1,
    missing: str = "skip",
) -> ViewGroups:
    """Cuts every recording into groups of T = max(pattern) + 1 frames, starting at its frame 0.

    Args:
        records: Of at least one recording.
        views: V camera numbers of the data set, in the order of the network's views.
        pattern: V frames of a group, from 0: which one each view shows.
        step: Every n-th of the whole groups is kept, as the release samples them.
        missing: `"skip"`: a group without the image of a view, or without the pose of a frame, is left out
            and counted; `"error"`: it is an error.

    Raises:
        Pose3DError: A group is missing a view and `missing` is `"error"`; no group is whole.
    """
    frames = max(pattern) + 1
    for view in views:
        if not (records.view == view).any():
            held = ", ".join(map(str, np.unique(records.view)))
            raise Pose3DError(f"{records.source} has no camera {view} (--cams, SELECTED_CAMS); it has {held}")
    row = np.flatnonzero(np.isin(records.view, views))
    order = np.argsort(views)
    column = order[np.searchsorted(np.asarray(views)[order], records.view[row])]
    number = records.frame[row] // frames
    # Numbers of groups within a recording are far below 2 ** 31.
    keys, group = np.unique((records.recording[row].astype(np.int64) << 31) + number, return_inverse=True)
    every = np.full((len(keys), frames, len(views)), -1, np.int32)
    every[group, records.frame[row] % frames, column] = row

    shown = every[:, list(pattern), np.arange(len(views))]
    # Any view's record tells the pose of its frame; the first that there is serves.
    has_pose = (every >= 0) & np.isfinite(records.pose_3d).any(axis=(1, 2))[every]
    first = has_pose.argmax(axis=2)
    target = np.take_along_axis(every, first[..., None], axis=2)[..., 0]
    lacks_view, lacks_pose = shown < 0, ~has_pose.any(axis=2)
    # A recording's end is no missing view: groups of which no camera shows the last frames do not count.
    partial = np.any(np.all(every < 0, axis=2), axis=1)
    whole = ~(lacks_view.any(axis=1) | lacks_pose.any(axis=1))
    lacking = np.flatnonzero(~whole & ~partial)
    if missing == "error" and len(lacking):
        bad = lacking[0]
        take = records.takes[int(keys[bad] >> 31)]
        begin = int(keys[bad] & 0x7FFFFFFF) * frames
        if lacks_view[bad].any():
            view = int(np.argmax(lacks_view[bad]))
            what = f"no image of camera {views[view]} at frame {begin + pattern[view]}"
        else:
            what = f"no 3D pose at frame {begin + int(np.argmax(lacks_pose[bad]))}"
        raise Pose3DError(
            f"{records.source}: {take}: {what}, needed by the group that begins at frame {begin} "
            f"({len(lacking)} such groups; MISSING_VIEW skip leaves them out)"
        )
    kept = np.flatnonzero(whole)[::step]
    if not len(kept):
        raise Pose3DError(
            f"{records.source}: no group of {frames} frames has images of cameras "
            f"{', '.join(map(str, views))} at frames {', '.join(map(str, pattern))} of the group"
        )
    return ViewGroups(shown[kept], target[kept], every[kept], tuple(pattern), len(lacking))
