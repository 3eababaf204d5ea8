"""Keypoints of several views from files of any format."""

from __future__ import annotations

import dataclasses
import glob
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tf_pose3d.errors import Pose3DError
from tf_pose3d.inference.formats import FORMATS, ReadOptions, read_source
from tf_pose3d.inference.formats.source import Source
from tf_pose3d.inference.keypoints import KeypointVideo, Person, mark_missing
from tf_pose3d.multicamera.detections import ViewDetections
from tf_pose3d.skeleton import Skeleton, get_skeleton, make_skeleton

__all__ = ["ViewClip", "Views", "common_skeleton", "read_views", "view_clips"]

PathLike = str | os.PathLike[str]
Views = PathLike | Sequence[PathLike] | Mapping[str, "PathLike | KeypointVideo | npt.NDArray[np.floating]"]

_FRAME = re.compile(r"^(.*?)([0-9]+)(?:_keypoints)?$")
# Files of one folder are those of several cameras where as many have frames in common.
_LEAST_COMMON = 2


@dataclasses.dataclass(frozen=True, eq=False)
class ViewClip:
    """One view's detections before they are put on the common time.

    Attributes:
        label: The view's own name: its folder, file or key.
        source: The file, for messages.
        skeleton: Names the J joints.
        number: `(N,)` int64: what the file calls the frame of each detection, increasing.
        track: `(N,)` int64: who of the view's people it is, as far as the detector or nearness told.
        keypoints: `(N, J, 3)` float32.
        numbers: `(F,)` int64: the file's frames, whether anyone is in them or not.
        size: Width and height of the image, None where the file does not tell.
        fps: Frames per second, None where the file does not tell.
        notes, warnings: What the reader has to say.
    """

    label: str
    source: str
    skeleton: Skeleton
    number: npt.NDArray[np.int64]
    track: npt.NDArray[np.int64]
    keypoints: npt.NDArray[np.float32]
    numbers: npt.NDArray[np.int64]
    size: tuple[int, int] | None = None
    fps: float | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def detections(self) -> ViewDetections:
        """The detections with their own frame numbers."""
        return ViewDetections(self.number, self.keypoints)


def _flat(video: KeypointVideo, label: str) -> ViewClip:
    numbers = video.numbers()
    size = None if video.width is None or video.height is None else (video.width, video.height)
    joints = video.skeleton.num_joints
    frames = [person.frames for person in video.people]
    row = np.concatenate(frames) if frames else np.zeros(0, np.int64)
    track = np.repeat(np.arange(len(frames)), [len(part) for part in frames]).astype(np.int64)
    order = np.lexsort((track, row))
    keypoints = np.empty((len(row), joints, 3), np.float32)
    if frames:
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        start = 0
        for person in video.people:
            keypoints[place[start : start + len(person.frames)]] = person.keypoints
            start += len(person.frames)
    return ViewClip(
        label,
        video.source,
        video.skeleton,
        numbers[row[order]],
        track[order],
        keypoints,
        numbers,
        size,
        video.fps,
        video.notes,
        video.warnings,
    )


def _array_video(values: npt.NDArray[np.floating], label: str, layout: str | None) -> KeypointVideo:
    """An array `(F, J, 2 or 3)` or `(F, P, J, 3)` as a video."""
    array = np.asarray(values)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.shape[-1] not in (2, 3):
        raise Pose3DError(
            f"view {label}: an array of shape {np.shape(values)}, expected (frames, joints, 3) with x, y and "
            "confidence, or (frames, people, joints, 3)"
        )
    if layout is None:
        raise Pose3DError(f"view {label}: an array does not name its joints; give layout=, e.g. 'coco_17'")
    skeleton = get_skeleton(layout)
    if array.shape[2] != skeleton.num_joints:
        raise Pose3DError(
            f"view {label}: {array.shape[2]} joints, expected the {skeleton.num_joints} of {skeleton.name}"
        )
    if array.shape[-1] == 2:
        array = np.concatenate([array, np.ones_like(array[..., :1])], axis=-1)
    points = mark_missing(array.astype(np.float32), f"view {label}")
    people = []
    for number in range(points.shape[1]):
        frames = np.flatnonzero(np.isfinite(points[:, number, :, 0]).any(axis=1))
        if len(frames):
            people.append(Person(str(number), frames.astype(np.int64), points[frames, number]))
    return KeypointVideo(f"view {label}", "array", skeleton, tuple(people), len(points))


class _Part(Source):
    """Some of a folder's JSON files."""

    def __init__(self, path: Path, files: list[Path]) -> None:
        super().__init__(path)
        # `json_files` is a cached property: what is here already is not looked for.
        self.__dict__["json_files"] = files


def _parts(source: Source) -> dict[str, Source]:
    """Views that one folder holds, by name: its files differ before the frame's number."""
    if source.kind != "folder" or not source.json_files:
        return {"": source}
    groups: dict[str, list[Path]] = {}
    numbers: dict[str, set[int]] = {}
    for path in source.json_files:
        found = _FRAME.match(path.stem)
        if found is None or len(found[2]) > 18:
            return {"": source}
        groups.setdefault(found[1], []).append(path)
        numbers.setdefault(found[1], set()).add(int(found[2]))
    if len(groups) < 2 or min(map(len, groups.values())) < _LEAST_COMMON:
        return {"": source}
    common = set.intersection(*numbers.values())
    if len(common) < max(_LEAST_COMMON, min(map(len, numbers.values())) // 2):
        return {"": source}
    return {prefix.rstrip("_-. "): _Part(source.path, files) for prefix, files in groups.items()}


def _expanded(views: PathLike | Sequence[PathLike]) -> list[str]:
    listed = [views] if isinstance(views, (str, os.PathLike)) else list(views)
    paths: list[str] = []
    for entry in [os.fspath(entry) for entry in listed]:
        if not os.path.exists(entry) and any(character in entry for character in "*?["):
            found = sorted(glob.glob(entry))
            if not found:
                raise Pose3DError(f"{entry}: no file matches, expected keypoints of several views")
            paths += found
        else:
            paths.append(entry)
    if len(paths) == 1 and os.path.isdir(paths[0]):
        # A folder of folders, one a view, as Pose2Sim's `pose` is.
        inner = sorted(path for path in Path(paths[0]).iterdir() if path.is_dir())
        if inner and not any(Path(paths[0]).glob("*.json")):
            return [str(path) for path in inner]
    return paths


def _label(path: str) -> str:
    place = Path(os.path.normpath(path))
    return place.name if place.is_dir() else place.name.split(".")[0]


def read_views(
    views: Views,
    *,
    layout: str | None = None,
    input_format: str | None = None,
) -> list[ViewClip]:
    """The detections of every view.

    Args:
        views: Files or folders of keypoints, patterns among them, one a view; or name -> file,
            `KeypointVideo` or array `(F, J, 3)`. A folder with the files of several cameras is as many views.
        layout: Name of the joint layout where files do not tell.
        input_format: A name of `tf_pose3d.inference.formats.FORMATS`; None: by content.

    Raises:
        Pose3DError: What a reader finds wrong; fewer than two views; two with one name.
    """
    if input_format is not None and input_format not in FORMATS:
        raise Pose3DError(f"unknown input format {input_format!r}, expected one of {', '.join(FORMATS)}")
    options = ReadOptions(layout)
    clips: list[ViewClip] = []
    if isinstance(views, Mapping):
        for name, value in views.items():
            if isinstance(value, KeypointVideo):
                clips.append(_flat(value, str(name)))
            elif isinstance(value, (str, os.PathLike)):
                clips.append(_flat(read_source(Source(os.fspath(value)), input_format, options), str(name)))
            else:
                clips.append(_flat(_array_video(value, str(name), layout), str(name)))
    else:
        for path in _expanded(views):
            for prefix, source in _parts(Source(path)).items():
                clip = _flat(read_source(source, input_format, options), prefix or _label(path))
                if prefix:
                    note = f"holds the files of several cameras: those of {prefix} are one view"
                    clip = dataclasses.replace(clip, notes=(*clip.notes, note))
                clips.append(clip)
    labels = [clip.label for clip in clips]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        where = ", ".join(clip.source for clip in clips if clip.label == twice[0])
        raise Pose3DError(f"two views are called {twice[0]}: {where}; name folders or files by their cameras")
    return clips


def view_clips(clips: Sequence[ViewClip]) -> tuple[list[ViewClip], Skeleton]:
    """The views with the joints that all of them have, under one layout.

    Raises:
        Pose3DError: They have fewer than three joints in common.
    """
    # A view without anyone has whatever layout its format begins with.
    told = [clip for clip in clips if len(clip.number)] or list(clips)
    skeleton = common_skeleton([clip.skeleton for clip in told])
    result = []
    for clip in clips:
        if not len(clip.number):
            nobody = np.zeros((0, skeleton.num_joints, 3), np.float32)
            clip = dataclasses.replace(clip, skeleton=skeleton, keypoints=nobody)
        elif clip.skeleton.joints != skeleton.joints:
            columns = [clip.skeleton.joints.index(joint) for joint in skeleton.joints]
            clip = dataclasses.replace(clip, skeleton=skeleton, keypoints=clip.keypoints[:, columns])
        result.append(clip)
    return result, skeleton


def common_skeleton(skeletons: Sequence[Skeleton]) -> Skeleton:
    """The layout of all views, or one of the joints that they share.

    Raises:
        Pose3DError: They share fewer than three.
    """
    first = skeletons[0]
    if all(skeleton.joints == first.joints for skeleton in skeletons):
        return first
    shared = [joint for joint in first.joints if all(joint in skeleton.joints for skeleton in skeletons)]
    names = ", ".join(dict.fromkeys(skeleton.name for skeleton in skeletons))
    if len(shared) < 3:
        raise Pose3DError(f"the views' layouts {names} have fewer than three joints in common")
    for skeleton in skeletons:
        if len(skeleton.joints) == len(shared):
            return skeleton
    return make_skeleton(f"common_{len(shared)}", tuple(shared))
