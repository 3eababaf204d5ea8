"""HumanEva-I in the files of VideoPose3D: `data_3d_humaneva15.npz` and `data_2d_humaneva15_*.npz`.

Subjects are named with their part of the data set, `Train/S1` or `Validate/S1`; recordings by action, take
and chunk, `Walking 1 chunk0`: motion capture fails in places, and what is sound between them are the chunks.
Sequences come out by subject, by recording as the 3D file lists them, by camera.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.data.archive import load_archive, load_recordings, recordings_of
from tf_pose3d.data.checks import check_coordinates, check_finite, single_precision
from tf_pose3d.data.datasets import Log, PoseDataset
from tf_pose3d.data.human36m import action_of
from tf_pose3d.data.pose_files import pose_file_options, pose_files
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.stated_layout import in_layout, say_conversion, stated_layout
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import Skeleton, convert_joints, get_skeleton
from tf_pose3d.types import Parsed

__all__ = [
    "ACTIONS",
    "CAMERAS",
    "FPS",
    "HUMANEVA_15",
    "HUMANEVA_20",
    "LAYOUT_NAMES",
    "SPLITS",
    "SUBJECTS",
    "read_humaneva",
    "select_recordings",
    "split_subjects",
]

SUBJECTS = ("Train/S1", "Train/S2", "Train/S3", "Validate/S1", "Validate/S2", "Validate/S3")
ACTIONS = ("Walking", "Jog", "ThrowCatch", "Gestures", "Box")
FPS = 60.0
# The release validates on what it tests on, and trains on all else.
SPLITS: Mapping[str, tuple[str, ...]] = {
    "train": SUBJECTS[:3],
    "trainval": SUBJECTS[:3],
    "val": SUBJECTS[3:],
    "test": SUBJECTS[3:],
} | {subject: (subject,) for subject in SUBJECTS}

_WIDTH, _HEIGHT = 640, 480
_CAMERA_IDS = ("C1", "C2", "C3")
# Orientation (camera to world) and centre in millimetres of each camera; S1 and S3 were filmed alike.
_PLACES_S1 = (
    ((0.424207, -0.4983646, -0.5802981, 0.4847012), (4062.227, 663.2477, 1528.397)),
    ((0.6503354, -0.7481602, -0.0919284, 0.0941766), (844.8131, -3805.2092, 1504.9929)),
    ((0.0664734, -0.0690535, 0.7416416, -0.6639132), (-797.67377, 3916.3174, 1433.6602)),
)
_PLACES_S2 = (
    ((0.4214752, -0.4961493, -0.5838273, 0.4851187), (4112.9121, 626.4929, 1545.2988)),
    ((0.6501393, -0.7476588, -0.0954617, 0.0959808), (923.5740, -3877.9243, 1504.5518)),
    ((0.0699353, -0.0712403, 0.7421637, -0.662742), (-781.4915, 3838.8853, 1444.9929)),
)


def _cameras(places: tuple) -> tuple[Camera, ...]:
    return tuple(
        Camera(
            id=name,
            width=_WIDTH,
            height=_HEIGHT,
            orientation=np.array(orientation),
            translation=np.array(centre) / 1000,
        )
        for name, (orientation, centre) in zip(_CAMERA_IDS, places, strict=True)
    )


_BY_PERSON = {"S1": _cameras(_PLACES_S1), "S2": _cameras(_PLACES_S2), "S3": _cameras(_PLACES_S1)}
# Cameras without intrinsics: the community's files hold none.
CAMERAS: Mapping[str, tuple[Camera, ...]] = {
    subject: _BY_PERSON[subject.split("/")[-1]] for subject in SUBJECTS
}

# Data set -> layout of its files, and what a number of joints means where the files say nothing.
LAYOUT_NAMES = {"humaneva15": "humaneva_15", "humaneva20": "humaneva_20"}
_LAYOUT_2D = {15: "humaneva_15", 20: "humaneva_20", 17: "coco_17"}
_LAYOUT_3D = {15: "humaneva_15", 20: "humaneva_20"}


def split_subjects(name: str) -> list[str]:
    """Subjects of a split: `train`, `val`, `test`, or a subject's name, or several with commas.

    Raises:
        Pose3DError: There is no such split.
    """
    subjects: dict[str, None] = {}
    for part in (part.strip() for part in name.split(",")):
        if part not in SPLITS:
            nearest = difflib.get_close_matches(part, SPLITS, n=1, cutoff=0.0)[0]
            raise Pose3DError(
                f"unknown HumanEva-I split {part!r}: did you mean {nearest!r}? Known: {', '.join(SPLITS)}"
            )
        subjects.update(dict.fromkeys(SPLITS[part]))
    return list(subjects)


def select_recordings(recordings: Iterable[str], actions: Iterable[str] | None, where: str) -> set[str]:
    """The recordings that an action filter lets through.

    Args:
        recordings: Full names, e.g. `"Walking 1 chunk0"`.
        actions: Beginnings of names: `"Walk"` and `"Walking"` mean all of that action, as in VideoPose3D's
            `-a Walk,Jog,Box`; None lets all through.
        where: What is being filtered, for the message.

    Raises:
        Pose3DError: An action of the filter matches nothing.
    """
    recordings = set(recordings)
    if actions is None:
        return recordings
    selected: set[str] = set()
    for action in actions:
        matches = {name for name in recordings if name.startswith(action)}
        if not matches:
            present = ", ".join(sorted({action_of(name) for name in recordings}))
            raise Pose3DError(f"action {action!r} matches nothing in {where}; it has {present}")
        selected |= matches
    return selected


def read_humaneva(
    path_3d: str | Path,
    path_2d: str | Path,
    subjects: Iterable[str],
    skeleton: str | Skeleton = "humaneva_15",
    actions: Iterable[str] | None = None,
    skeleton_2d: str | Skeleton | None = None,
    log: Log | None = None,
) -> list[Sequence]:
    """Read HumanEva-I recordings, one sequence per subject, chunk and camera.

    2D poses of COCO's 17 joints, as detectors give them, are turned into HumanEva's (`convert_joints`); so
    are 20 joints into 15, which averages what the markers of two neighbouring limbs say. 2D videos longer
    than their 3D sequence are cut. Recordings of the 2D file without 3D are left out.

    Args:
        path_3d: `data_3d_humaneva15.npz`: `positions_3d[subject][recording]` of shape `(F, 15 or 20, 3)`,
            metres, world frame.
        path_2d: `data_2d_humaneva15_*.npz`: `positions_2d[subject][recording]`, one `(F, J, 2 or 3)` array a
            camera, pixels.
        subjects: Subject names, e.g. from `split_subjects`; the sequences come in this order.
        skeleton: `humaneva_15` or `humaneva_20`.
        actions: See `select_recordings`.
        skeleton_2d: The joint layout of the 2D poses, if another.
        log: Takes a line where joints had to be made up.

    Returns:
        Sequences with `pose_3d` in the camera frame; their cameras have no intrinsics.

    Raises:
        Pose3DError: A file or its content is not as above; the message names file, subject, recording and,
            where it applies, camera and frame.
    """
    target, subjects = get_skeleton(skeleton), list(subjects)
    target_2d = target if skeleton_2d is None else get_skeleton(skeleton_2d)
    if target.name not in _LAYOUT_3D.values():
        raise Pose3DError(
            f"HumanEva-I has 15 or 20 joints, this model reads {target.name}: set SKELETON to humaneva_15"
        )
    truth = load_recordings(path_3d, "positions_3d")
    archive = load_archive(path_2d)
    videos = recordings_of(archive, path_2d, "positions_2d")
    for path, content in ((path_3d, truth), (path_2d, videos)):
        for subject in subjects:
            if subject not in content:
                raise Pose3DError(f"{path} has no subject {subject}; it has {', '.join(content)}")
    where = f"{path_3d} ({', '.join(subjects)})"
    selected = select_recordings((name for subject in subjects for name in truth[subject]), actions, where)
    sequences: list[Sequence] = []
    for subject in subjects:
        for name, values in truth[subject].items():
            if name not in selected:
                continue
            if name not in videos[subject]:
                raise Pose3DError(f"{path_2d} has no {name!r} of {subject}, which {path_3d} has")
            recording = f"{subject}, {name}"
            world = _world_poses(values, target, path_3d, recording)
            views = _views(videos[subject][name], path_2d, recording)
            for camera, pixels in zip(CAMERAS[subject], views, strict=True):
                view = f"{recording}, camera {camera.id}"
                check_coordinates(pixels, (2, 3), f"{path_2d}: {view}")
                check_finite(pixels, path_2d, view)
                source = stated_layout(
                    archive.get("metadata"), pixels.shape[1], _LAYOUT_2D, f"{path_2d}: {view}"
                )
                pose_2d = in_layout(pixels, source, target_2d, f"{path_2d}: {view}")
                if not sequences:
                    say_conversion(source, target_2d, path_2d, log)
                if len(pose_2d) < len(world):
                    raise Pose3DError(
                        f"{path_2d}: {view} has {len(pose_2d)} frames, fewer than the {len(world)} of its "
                        "3D sequence"
                    )
                sequences.append(
                    Sequence(
                        subject=subject,
                        action=action_of(name),
                        name=name,
                        skeleton=target,
                        fps=FPS,
                        camera=camera,
                        pose_2d=pose_2d[: len(world)],
                        pose_3d=camera.from_world(world),
                        skeleton_2d=None if target_2d is target else target_2d,
                    )
                )
    if not sequences:
        raise Pose3DError(f"{where} holds no recording")
    return sequences


def _views(content: Parsed, path: str | Path, recording: str) -> list[Any]:
    """The videos of a recording, one per camera."""
    views = list(content) if isinstance(content, (list, tuple, np.ndarray)) else []
    if len(views) != len(_CAMERA_IDS):
        raise Pose3DError(f"{path}: {recording} has {len(views)} cameras, expected {len(_CAMERA_IDS)}")
    for camera, view in zip(_CAMERA_IDS, views, strict=True):
        if view is None:
            raise Pose3DError(f"{path}: {recording} has no 2D poses of camera {camera}")
    return views


def _world_poses(values: Parsed, target: Skeleton, path: str | Path, recording: str) -> np.ndarray:
    """One recording's `(F, J, 3)` world poses, checked, in the target's layout."""
    where = f"{path}: {recording}"
    check_coordinates(values, (3,), where)
    joints = values.shape[1]
    if joints not in _LAYOUT_3D:
        raise Pose3DError(f"{where} has {joints} joints, expected {' or '.join(map(str, _LAYOUT_3D))}")
    check_finite(values, path, recording)
    values = single_precision(values)
    if _LAYOUT_3D[joints] == target.name:
        return values
    try:
        return convert_joints(values, _LAYOUT_3D[joints], target)
    except Pose3DError as error:
        raise Pose3DError(f"{where}: {error}") from None


def _dataset(name: str, joints: int) -> PoseDataset:
    """The record of the files with that many joints."""

    def files(options: Mapping[str, Any]) -> tuple[Path, Path]:
        return pose_files(name, options)

    def check(subset: str, options: Mapping[str, Any]) -> None:
        split_subjects(subset)

    def read(
        subset: str, options: Mapping[str, Any], skeleton: str, input_skeleton: str, log: Log | None
    ) -> list[Sequence]:
        path_3d, path_2d = files(options)
        subjects = split_subjects(subset)
        return read_humaneva(path_3d, path_2d, subjects, skeleton, options["actions"], input_skeleton, log)

    return PoseDataset(
        name=name,
        description=f"HumanEva-I in VideoPose3D's files of {joints} joints: 3 people, 5 actions, 3 cameras",
        splits=tuple(SPLITS),
        subjects=SUBJECTS,
        actions=ACTIONS,
        frame_rate=FPS,
        options=pose_file_options(name),
        files=files,
        read=read,
        check=check,
    )


HUMANEVA_15 = _dataset("humaneva15", 15)
HUMANEVA_20 = _dataset("humaneva20", 20)
