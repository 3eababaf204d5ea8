"""Human3.6M in the files of VideoPose3D: `data_3d_h36m.npz` and `data_2d_h36m_*.npz`.

The 3D file holds one world pose per frame, the 2D files one video per camera. Sequences come out in the
order of the Uplift and Upsample release: by subject, by action as the 2D file lists them, by camera.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.data.archive import load_archive, recordings_of
from tf_pose3d.data.checks import check_coordinates, check_finite, single_precision
from tf_pose3d.data.datasets import Log, PoseDataset
from tf_pose3d.data.pose_files import pose_file_options, pose_files
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.data.stated_layout import HOURGLASS_16, in_layout, say_conversion, stated_layout
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import Skeleton, get_skeleton, joint_indices
from tf_pose3d.types import Parsed

__all__ = [
    "ACTIONS",
    "CAMERAS",
    "DATASET",
    "FPS",
    "SPLITS",
    "SUBJECTS",
    "action_of",
    "canonical_name",
    "read_human36m",
    "select_actions",
    "split_subjects",
]

SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
ACTIONS = (
    "Directions",
    "Discussion",
    "Eating",
    "Greeting",
    "Phoning",
    "Photo",
    "Posing",
    "Purchases",
    "Sitting",
    "SittingDown",
    "Smoking",
    "Waiting",
    "WalkDog",
    "Walking",
    "WalkTogether",
)
FPS = 50.0
SPLITS: Mapping[str, tuple[str, ...]] = {
    "train": ("S1", "S5", "S6", "S7"),
    "val": ("S8",),
    "trainval": ("S1", "S5", "S6", "S7", "S8"),
    "test": ("S9", "S11"),
} | {subject: (subject,) for subject in SUBJECTS}

# The data set's own names of two actions; the community's files hold the shorter ones.
_RENAMED = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}
_LAYOUT_2D = {17: "h36m_17", 16: "h36m_16"}
_LAYOUT_3D = {32: "h36m_32", 17: "h36m_17"}


def _load_cameras() -> dict[str, tuple[Camera, ...]]:
    text = resources.files("tf_pose3d.data").joinpath("h36m_cameras.json").read_text(encoding="utf-8")
    facts = json.loads(text)
    return {
        subject: tuple(
            Camera(
                id=camera,
                **facts["intrinsics"][camera],
                orientation=place["orientation"],
                translation=np.array(place["translation_mm"]) / 1000,
            )
            for camera, place in places.items()
        )
        for subject, places in facts["extrinsics"].items()
    }


CAMERAS: Mapping[str, tuple[Camera, ...]] = _load_cameras()

# People whose 3D poses the data set keeps to itself; files of detections hold them. They stood before the
# same cameras, in places that nobody tells.
UNLABELED_SUBJECTS = ("S2", "S3", "S4")
_ALL_CAMERAS: Mapping[str, tuple[Camera, ...]] = {
    **CAMERAS,
    **{
        subject: tuple(
            dataclasses.replace(camera, orientation=None, translation=None) for camera in CAMERAS[SUBJECTS[0]]
        )
        for subject in UNLABELED_SUBJECTS
    },
}


def split_subjects(name: str) -> list[str]:
    """Subjects of a split: `train`, `val`, `trainval`, `test`, or a subject's name, or several with commas.

    Raises:
        Pose3DError: There is no such split.
    """
    if "," in name:
        parts = [part.strip() for part in name.split(",")]
        return list(dict.fromkeys(subject for part in parts for subject in split_subjects(part)))
    if name not in SPLITS:
        nearest = difflib.get_close_matches(str(name), SPLITS, n=1, cutoff=0.0)[0]
        raise Pose3DError(
            f"unknown Human3.6M split {name!r}: did you mean {nearest!r}? Known: {', '.join(SPLITS)}"
        )
    return list(SPLITS[name])


def action_of(recording: str) -> str:
    """`"Walking"` for the recording `"Walking 1"`."""
    return recording.split(" ")[0]


def select_actions(recordings: Iterable[str], actions: Iterable[str] | None, where: str) -> set[str]:
    """The recordings that an action filter lets through.

    Args:
        recordings: Full names, e.g. `"Walking 1"`.
        actions: Action names (`"Walking"` means all its recordings) or full names; None lets all through.
        where: What is being filtered, for the message.

    Raises:
        Pose3DError: An action of the filter matches nothing.
    """
    recordings = set(recordings)
    if actions is None:
        return recordings
    selected = set()
    for action in actions:
        wanted = canonical_name(action)
        matches = {name for name in recordings if wanted in (name, action_of(name))}
        if not matches:
            present = sorted({action_of(name) for name in recordings})
            raise Pose3DError(f"action {action!r} matches nothing in {where}; it has {', '.join(present)}")
        selected |= matches
    return selected


def canonical_name(name: str) -> str:
    """An action or recording as the community's files name it: `"Photo 1"` for `"TakingPhoto 1"`."""
    action, *take = name.split(" ")
    return " ".join([_RENAMED.get(action, action), *take])


def _load(path: str | Path, key: str) -> tuple[dict[str, dict[str, Any]], Any]:
    """`subject -> recording -> content` of a file, with canonical recording names, and its metadata."""
    archive = load_archive(path)
    content = {
        subject: {canonical_name(name): value for name, value in recordings.items()}
        for subject, recordings in recordings_of(archive, path, key).items()
    }
    return content, archive.get("metadata")


def read_human36m(
    path_3d: str | Path | None,
    path_2d: str | Path | None,
    subjects: Iterable[str],
    skeleton: str | Skeleton = "uplift_17",
    actions: Iterable[str] | None = None,
    skeleton_2d: str | Skeleton | None = None,
    log: Log | None = None,
) -> list[Sequence]:
    """Read Human3.6M recordings, one sequence per subject, action and camera.

    2D videos longer than their 3D sequence are cut to its length. Recordings of the 2D file without 3D
    are left out when 3D is read.

    Args:
        path_3d: `data_3d_h36m.npz`: `positions_3d[subject][action]` of shape `(F, 32 or 17, 3)`, metres,
            world frame; None reads no ground truth.
        path_2d: `data_2d_h36m_*.npz`: `positions_2d[subject][action]` a list of one `(F, 17 or 16, 2 or 3)`
            array per camera, pixels; None reads no 2D. Its joints are Human3.6M's unless its metadata say
            otherwise, see `stated_layout`.
        subjects: Subject names, e.g. from `split_subjects`; the sequences come in this order.
        skeleton: The joint layout of the result.
        actions: Action names to read, or full names of recordings; None reads all.
        skeleton_2d: The joint layout of the 2D poses, if another.
        log: Takes a line where joints had to be made up.

    Returns:
        Sequences with `pose_3d` in the camera frame.

    Raises:
        Pose3DError: A file or its content is not as above; the message names file, subject, action and,
            where it applies, camera and frame.
    """
    target = get_skeleton(skeleton)
    target_2d = target if skeleton_2d is None else get_skeleton(skeleton_2d)
    main = path_2d if path_2d is not None else path_3d
    if main is None:
        raise Pose3DError("neither a 3D nor a 2D file of Human3.6M is given")
    subjects = list(subjects)
    for subject in subjects:
        if subject not in CAMERAS and (subject not in _ALL_CAMERAS or path_3d is not None):
            raise Pose3DError(f"unknown Human3.6M subject {subject!r}; known: {', '.join(SUBJECTS)}")
    files: dict[str | Path, dict[str, dict[str, Any]]] = {}
    if path_3d is not None:
        files[path_3d], _ = _load(path_3d, "positions_3d")
    if path_2d is not None:
        files[path_2d], metadata = _load(path_2d, "positions_2d")
    for path, content in files.items():
        for subject in subjects:
            if subject not in content:
                raise Pose3DError(f"{path} has no subject {subject}; it has {', '.join(content)}")

    recordings = [(subject, name) for subject in subjects for name in files[main][subject]]
    if path_3d is not None:
        recordings = [(subject, name) for subject, name in recordings if name in files[path_3d][subject]]
    everywhere = {name for path in files for subject in subjects for name in files[path][subject]}
    selected = select_actions(everywhere, actions, where=f"{main} ({', '.join(subjects)})")
    if path_3d is not None and path_2d is not None:
        for subject in subjects:
            for name in files[path_3d][subject]:
                if name in selected and name not in files[path_2d][subject]:
                    raise Pose3DError(f"{path_2d} has no action {name!r} of {subject}, which {path_3d} has")

    sequences = []
    said: set[str] = set()
    for subject, name in recordings:
        if name not in selected:
            continue
        # Taken out of the files' content, so that it is freed once converted.
        world = videos = None
        if path_3d is not None:
            world = _world_poses(files[path_3d][subject].pop(name), target, path_3d, f"{subject}, {name}")
        if path_2d is not None:
            videos = _videos(files[path_2d][subject].pop(name), world, subject, name, path_2d)
            for index, pixels in enumerate(videos):
                view = f"{subject}, {name}, camera {_ALL_CAMERAS[subject][index].id}"
                source = stated_layout(metadata, pixels.shape[1], _LAYOUT_2D, f"{path_2d}: {view}")
                videos[index] = _in_layout(pixels, source, target_2d, f"{path_2d}: {view}")
                if source.name not in said:
                    said.add(source.name)
                    say_conversion(source, target_2d, path_2d, log)
                check_finite(videos[index], path_2d, view)
        for index, camera in enumerate(_ALL_CAMERAS[subject]):
            pose_3d = None
            if world is not None:
                pose_3d = camera.from_world(world)
            sequences.append(
                Sequence(
                    subject=subject,
                    action=action_of(name),
                    name=name,
                    skeleton=target,
                    fps=FPS,
                    camera=camera,
                    pose_2d=None if videos is None else videos[index],
                    pose_3d=pose_3d,
                    skeleton_2d=None if target_2d is target else target_2d,
                )
            )
    if not sequences:
        raise Pose3DError(f"{main} ({', '.join(subjects)}) holds no recording")
    return sequences


def _in_layout(pixels: np.ndarray, source: Skeleton, target: Skeleton, where: str) -> np.ndarray:
    if source.name in ("h36m_16", HOURGLASS_16.name) and "head" in target.joints:
        raise Pose3DError(
            f"{where} has 16 joints (without Neck/Nose), but the {target.name} layout needs 17: "
            f"use a 2D file with 17 joints"
        )
    return in_layout(pixels, source, target, where)


def _world_poses(content: Parsed, target: Skeleton, path: str | Path, recording: str) -> np.ndarray:
    """One recording's `(F, J, 3)` world poses, checked."""
    check_coordinates(content, (3,), f"{path}: {recording}")
    joints = content.shape[1]
    if joints not in _LAYOUT_3D:
        raise Pose3DError(
            f"{path}: {recording} has {joints} joints, expected {' or '.join(map(str, _LAYOUT_3D))} in "
            "Human3.6M's order"
        )
    world = single_precision(content[:, joint_indices(_LAYOUT_3D[joints], target)])
    check_finite(world, path, recording)
    return world


def _videos(
    content: Parsed, world: np.ndarray | None, subject: str, name: str, path: str | Path
) -> list[np.ndarray]:
    """One recording's `(F, J, 2 or 3)` pixels in each camera, checked and cut to the length of its 3D."""
    cameras = _ALL_CAMERAS[subject]
    if not isinstance(content, (list, tuple, np.ndarray)):
        raise Pose3DError(
            f"{path}: {subject}, {name} holds a {type(content).__name__}, expected a list of videos"
        )
    if len(content) != len(cameras):
        raise Pose3DError(f"{path}: {subject}, {name} has {len(content)} cameras, expected {len(cameras)}")
    videos = []
    for values, camera in zip(content, cameras, strict=True):
        recording = f"{subject}, {name}, camera {camera.id}"
        check_coordinates(values, (2, 3), f"{path}: {recording}")
        pixels = single_precision(values)
        if world is not None:
            if len(pixels) < len(world):
                raise Pose3DError(
                    f"{path}: {recording} has {len(pixels)} frames, fewer than the {len(world)} of its "
                    f"3D sequence"
                )
            pixels = pixels[: len(world)]
        videos.append(pixels)
    return videos


# Where the 2D poses lie when nothing names them: Uplift and Upsample's.
_DEFAULT_2D = Path("./data/data_2d_h36m_cpn_ft_h36m_dbb.npz")


def _files(options: Mapping[str, Any]) -> tuple[Path, Path]:
    if options["path_2d"] is None and options["keypoints"] is None:
        return Path(options["path_3d"]), _DEFAULT_2D
    return pose_files("h36m", options)


def _check(subset: str, options: Mapping[str, Any]) -> None:
    split_subjects(subset)


def _read(
    subset: str, options: Mapping[str, Any], skeleton: str, input_skeleton: str, log: Log | None
) -> list[Sequence]:
    path_3d, path_2d = _files(options)
    subjects = split_subjects(subset)
    return read_human36m(path_3d, path_2d, subjects, skeleton, options["actions"], input_skeleton, log)


def _read_unlabeled(
    subset: str, options: Mapping[str, Any], skeleton: str, input_skeleton: str, log: Log | None
) -> list[Sequence]:
    names = [part.strip() for part in subset.split(",")]
    found = [[name] if name in UNLABELED_SUBJECTS else split_subjects(name) for name in names]
    subjects = list(dict.fromkeys(subject for part in found for subject in part))
    path_2d = _files(options)[1]
    return read_human36m(None, path_2d, subjects, skeleton, options["actions"], input_skeleton, log)


DATASET = PoseDataset(
    name="h36m",
    description="Human3.6M in VideoPose3D's files: 7 people, 15 actions, 4 cameras",
    splits=tuple(SPLITS),
    subjects=SUBJECTS,
    actions=ACTIONS,
    frame_rate=FPS,
    options=pose_file_options("h36m", ("--h36m_path",)),
    files=_files,
    read=_read,
    check=_check,
    read_unlabeled=_read_unlabeled,
)
