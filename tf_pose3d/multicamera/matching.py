"""Which camera a view is of: by name, never by position; where names do not tell, an order is proposed."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.calibration import Calibration
from tf_pose3d.errors import Pose3DError
from tf_pose3d.multicamera.agreement import median_error
from tf_pose3d.multicamera.detections import ViewDetections, dense_views
from tf_pose3d.multicamera.inputs import ViewClip
from tf_pose3d.multicamera.known import mean_known, median_known
from tf_pose3d.multicamera.reconstruction import confident
from tf_pose3d.multicamera.rig import Rig, make_rig
from tf_pose3d.multicamera.timeline import Timeline, make_timeline, on_timeline

__all__ = ["JUDGED", "main_keypoints", "match_cameras", "match_names"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

# Frames that the geometry is judged by: the beginning of a longer clip tells enough.
JUDGED = 20_000
# Orders of cameras that are tried to propose one where names tell nothing; the one that is proposed has at
# most this share of the next one's error.
_MOST_ORDERS = 5040
_DECIDES = 0.6
# People of a view among whom the one is that all views show; frames that tell; cameras up to which two of
# them are also tried exchanged; and the confidence from which keypoints count.
_TRACKS, _FRAMES, _MOST_EXCHANGED, _CONFIDENT = 3, 16, 8, 0.3
# Share of a person's mean spread in the image below which keypoints meet.
_MEETS = 0.12
# What folders and files of keypoints add to a camera's name.
_ADDED = {
    "json", "keypoints", "keypoint", "pose", "poses", "openpose", "2d", "kpts", "kpt", "sync", "tracked",
    "associated", "images", "video", "views", "detections",
}  # fmt: skip


def match_names(
    labels: Sequence[str], names: Sequence[str], given: Mapping[str, str] | None = None
) -> list[int | None]:
    """The camera of each view, by name alone.

    A view is a camera's where their names are the same but for case, zeros before a number and the words that
    folders of keypoints add (`cam01_json`); else where the camera's name stands in the view's as a whole
    word; else where both are numbered (`view 2`, `2`) and the numbers of all views are those of all cameras.

    Args:
        labels: The views' names.
        names: The cameras'.
        given: View -> camera, as the user says.

    Returns:
        Index of the camera of each view, None where there is none.

    Raises:
        Pose3DError: Two views have one camera; a name in `given` that is not there.
    """
    given = dict(given or {})
    for view, camera in given.items():
        if view not in labels:
            raise Pose3DError(
                f"match {view}={camera}: there is no view {view}; there are {', '.join(labels)}"
            )
        if camera not in names:
            raise Pose3DError(
                f"match {view}={camera}: there is no camera {camera}; there are {', '.join(names)}"
            )
    matched: list[int | None] = []
    for label in labels:
        if label in given:
            matched.append(list(names).index(given[label]))
            continue
        found = [index for index, name in enumerate(names) if _same_name(label, name)]
        if not found:
            words = _plain(label).split()
            within = [index for index, name in enumerate(names) if _contains(words, _plain(name).split())]
            longest = max((len(_plain(names[index])) for index in within), default=0)
            found = [index for index in within if len(_plain(names[index])) == longest]
        matched.append(found[0] if len(found) == 1 else None)
    if all(camera is None for camera in matched):
        matched = _by_number(labels, names)
    for one, found_one in enumerate(matched):
        for other in range(one):
            if found_one is not None and matched[other] == found_one:
                raise Pose3DError(
                    f"views {labels[other]} and {labels[one]} both match camera {names[found_one]}; name "
                    f"them by their cameras, or give --match VIEW=CAMERA"
                )
    return matched


def _same_name(label: str, name: str) -> bool:
    if _plain(label) == _plain(name):
        return True
    one, other = _numbered(label), _numbered(name)
    return one is not None and one == other


def _contains(words: list[str], part: list[str]) -> bool:
    size = len(part)
    return any(words[start : start + size] == part for start in range(len(words) - size + 1))


def _by_number(labels: Sequence[str], names: Sequence[str]) -> list[int | None]:
    views, cameras = [_numbered(label) for label in labels], [_numbered(name) for name in names]
    mine = [entry[1] for entry in views if entry is not None]
    theirs = [entry[1] for entry in cameras if entry is not None]
    complete = len(mine) == len(labels) == len(set(mine)) and len(theirs) == len(names) == len(set(theirs))
    if not complete or set(mine) != set(theirs):
        return [None] * len(labels)
    return [theirs.index(number) for number in mine]


def _plain(name: str) -> str:
    """A name without case, and without what folders of keypoints add to it."""
    words = [word for word in re.split(r"[^0-9a-z]+", name.lower()) if word]
    kept = [word for word in words if word not in _ADDED]
    return " ".join(kept or words)


def _numbered(name: str) -> tuple[str, int] | None:
    """A name's last word split into letters and number: `cam 07` and `cam7` are one."""
    found = re.fullmatch(r"(.*?)\s*0*([0-9]+)", _plain(name))
    return None if found is None else (found[1].strip(), int(found[2]))


def match_cameras(
    clips: list[ViewClip],
    calibration: Calibration,
    match: Mapping[str, str] | None,
    min_confidence: float,
) -> tuple[list[ViewClip], Calibration, list[str]]:
    """The views and the cameras in their order.

    Raises:
        Pose3DError: A view without a camera, or fewer than two views; it proposes what fits where that is
            plain.
    """
    labels = [clip.label for clip in clips]
    if len(clips) < 2:
        what = f"one view ({labels[0]})" if clips else "no view"
        raise Pose3DError(f"{what}: triangulation needs keypoints of two calibrated cameras or more")
    if len(calibration.cameras) < 2:
        raise Pose3DError(
            f"{calibration.source} holds one camera ({', '.join(calibration.names)}) for {len(clips)} views: "
            "triangulation needs two or more"
        )
    found = match_names(labels, calibration.names, match)
    without = [label for label, camera in zip(labels, found, strict=True) if camera is None]
    counts = (
        f"{len(calibration.cameras)} cameras ({', '.join(calibration.names)}) for {len(labels)} views "
        f"({', '.join(labels)})"
    )
    if without:
        proposal = _proposal(clips, calibration, min_confidence)
        one = len(without) == 1
        raise Pose3DError(
            f"{calibration.source}: {counts}: view{'' if one else 's'} {', '.join(without)} "
            f"{'matches' if one else 'match'} no camera by name; rename, or give --match "
            f"VIEW=CAMERA{proposal}"
        )
    chosen = [calibration.names[camera] for camera in found if camera is not None]
    notes = []
    rest = [name for name in calibration.names if name not in chosen]
    if rest:
        notes.append(f"{counts}: {', '.join(rest)} {'is' if len(rest) == 1 else 'are'} not used")
    empty = [clip.label for clip in clips if not len(clip.number)]
    if empty:
        kept = [row for row, clip in enumerate(clips) if len(clip.number)]
        if len(kept) < 2:
            raise Pose3DError(
                f"{', '.join(empty)}: no person in any frame; triangulation needs two views with someone in "
                "them"
            )
        notes.append(f"{', '.join(empty)}: no person in any frame")
    return clips, calibration.select(chosen), notes


def _proposal(clips: Sequence[ViewClip], calibration: Calibration, min_confidence: float) -> str:
    """What fits where names do not tell, for the error's message; empty where there are too few cameras."""
    views, count = len(clips), len(calibration.cameras)
    if count < views or math.perm(count, views) > _MOST_ORDERS:
        return ""
    timeline = make_timeline(clips, np.ones(views), np.zeros(views))
    detections = [on_timeline(clip, view, timeline) for view, clip in enumerate(clips)]
    keypoints = main_keypoints(clips, detections, timeline)
    weights = confident(keypoints, min_confidence)
    frames = np.flatnonzero(((weights > 0).sum(axis=2) > 2).sum(axis=0) >= 2)
    if not len(frames):
        return ""
    frames = frames[np.unique(np.linspace(0, len(frames) - 1, 24).astype(int))]
    keypoints, weights = keypoints[:, frames], weights[:, frames].reshape(views, -1)
    errors = []
    for order in itertools.permutations(range(count), views):
        rig = make_rig([calibration.cameras[camera] for camera in order])
        errors.append((median_error(rig, rig.rays(keypoints).reshape(views, -1, 2), weights), order))
    errors.sort()
    best = errors[0]
    if len(errors) > 1 and best[0] > _DECIDES * errors[1][0]:
        return "; by the reprojection error no order is plainly the right one"
    pairs = " ".join(
        f"{clip.label}={calibration.names[camera]}" for clip, camera in zip(clips, best[1], strict=True)
    )
    other = f", any other order {errors[1][0]:.1f} px or more" if len(errors) > 1 else ""
    return f"; likeliest by the reprojection error ({best[0]:.1f} px{other}): --match {pairs}"


def main_keypoints(
    clips: Sequence[ViewClip],
    detections: Sequence[ViewDetections],
    timeline: Timeline,
    rig: Rig | None = None,
) -> Singles:
    """`(V, F, J, 3)` of one person in every view, at most `JUDGED` frames: tells rigs before people do.

    Of each view it is whoever is seen most; with a rig, where views show several, those of them whose
    keypoints meet best, the cameras as they are or with two of them exchanged.
    """
    frames = min(timeline.count, JUDGED)
    choices = [_tracks(clip, view, frames) for clip, view in zip(clips, detections, strict=True)]
    picked = [0] * len(choices)
    if rig is not None and max(map(len, choices)) > 1:
        picked = _same_person(choices, rig)
    return np.stack([tracks[number] for tracks, number in zip(choices, picked, strict=True)])


def _tracks(clip: ViewClip, view: ViewDetections, frames: int) -> list[Singles]:
    """`(F, J, 3)` of those who are seen most in a view, at least one."""
    whole = [np.ones(len(view), bool)]
    if len(clip.track) == len(view) and view.crowd > 1:
        who, count = np.unique(clip.track, return_counts=True)
        whole = [clip.track == person for person in who[np.argsort(-count, kind="stable")][:_TRACKS]]
    found = []
    for keep in whole:
        rows = np.flatnonzero(keep & (view.frame < frames))
        rows = rows[np.unique(view.frame[rows], return_index=True)[1]]
        part = ViewDetections(view.frame[rows], view.keypoints[rows])
        found.append(dense_views([part], None, frames)[0])
    return found


def _same_person(choices: list[list[Singles]], rig: Rig) -> list[int]:
    """Which of its people to take of each view: changed view by view while they meet better."""
    views = len(choices)
    frames = np.unique(np.linspace(0, len(choices[0][0]) - 1, _FRAMES).astype(int))
    rays, weights = [], []
    for view, tracks in enumerate(choices):
        part = np.stack([track[frames] for track in tracks])
        weights.append(confident(part, _CONFIDENT).reshape(len(tracks), -1))
        rays.append(rig.cameras[view].rays(part[..., :2]).reshape(len(tracks), -1, 2))
    orders = [list(range(views))]
    for a, b in itertools.combinations(range(views), 2):
        orders.append(list(range(views)))
        orders[-1][a], orders[-1][b] = b, a
    best: tuple[float, list[int]] = (np.inf, [0] * views)
    boxes = np.concatenate([np.concatenate([track[frames] for track in tracks]) for tracks in choices])
    spread = mean_known(np.abs(boxes[..., :2] - median_known(boxes[..., :2], axis=1)[:, None]).reshape(-1))
    # Cameras that meet so well are not exchanged.
    good = _MEETS * float(spread)
    for order in orders[: 1 if views > _MOST_EXCHANGED else None]:
        other = rig if order == orders[0] else rig.take(order)
        lens = rays
        if order != orders[0]:
            lens = [
                other.cameras[view]
                .rays(np.stack([track[frames] for track in tracks])[..., :2])
                .reshape(len(tracks), -1, 2)
                for view, tracks in enumerate(choices)
            ]

        def error(picked: list[int], lens: list[Floats] = lens, other: Rig = other) -> float:
            ray = np.stack([lens[view][number] for view, number in enumerate(picked)])
            weight = np.stack([weights[view][number] for view, number in enumerate(picked)])
            return median_error(other, ray, weight)

        for start in range(len(choices[0])):
            picked = [0] * views
            picked[0] = start
            now = error(picked)
            for view in [*range(1, views), *range(1, views)]:
                for number in range(len(choices[view])):
                    tried = [*picked[:view], number, *picked[view + 1 :]]
                    if number != picked[view] and (after := error(tried)) < now:
                        picked, now = tried, after
            if now < best[0]:
                best = (now, picked)
        if best[0] < good:
            break
    return best[1]
