"""Make `data_3d_humaneva15.npz` and its 2D files from what HumanEva-I's own MATLAB tools export.

VideoPose3D's `ConvertHumanEva.m`, run beside HumanEva's toolbox, writes one `.mat` file per recording:
`Train/S1/Walking_1.mat` with `poses_3d (F, J, 3)` in millimetres, world frame, and `poses_2d (3, F, J, 2)` in
pixels, NaN where motion capture failed. Facts and tables here are those of VideoPose3D's
`prepare_data_humaneva.py`.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.data.archive import load_archive, require_keys
from tf_pose3d.data.checks import LARGEST, check_finite, real_numbers
from tf_pose3d.data.humaneva import ACTIONS, LAYOUT_NAMES, SUBJECTS
from tf_pose3d.data.matlab import load_matlab, matlab_numbers
from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.files import require_writable_folder, write_whole
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Parsed

__all__ = [
    "FRAME_RANGES",
    "Chunk",
    "Recording",
    "align_detections",
    "missing_recordings",
    "read_detections",
    "read_recordings",
    "save_detections",
    "save_poses",
]

_CAMERAS = ("C1", "C2", "C3")
# Where a recording of the training part ends; it begins where the validation part ends.
_TRAIN_ENDS = {
    "S1": {"Walking": 1203, "Jog": 740, "ThrowCatch": 945, "Gestures": 801, "Box": 789},
    "S2": {"Walking": 876, "Jog": 795, "ThrowCatch": 1128, "Gestures": 901, "Box": 734},
    "S3": {"Walking": 939, "Jog": 842, "ThrowCatch": 1027, "Gestures": 1102, "Box": 1021},
}
_VALIDATE_ENDS = {
    "S1": {"Walking": 590, "Jog": 367, "ThrowCatch": 473, "Gestures": 395, "Box": 385},
    "S2": {"Walking": 438, "Jog": 398, "ThrowCatch": 550, "Gestures": 500, "Box": 382},
    "S3": {"Walking": 448, "Jog": 401, "ThrowCatch": 493, "Gestures": 533, "Box": 512},
}
_FIRST = 5
# subject -> action -> first frame and the one behind the last, counted in the motion capture.
FRAME_RANGES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    f"{part}/{person}": {
        action: (_FIRST, end) if part == "Validate" else (end, _TRAIN_ENDS[person][action])
        for action, end in ends.items()
    }
    for part in ("Train", "Validate")
    for person, ends in _VALIDATE_ENDS.items()
}
# Frame of each camera's video, counted from 1, at which motion capture begins.
_SYNC = {
    "S1": {
        "Walking": (82, 81, 82),
        "Jog": (51, 51, 50),
        "ThrowCatch": (61, 61, 60),
        "Gestures": (45, 45, 44),
        "Box": (57, 57, 56),
    },
    "S2": {
        "Walking": (115, 115, 114),
        "Jog": (100, 100, 99),
        "ThrowCatch": (127, 127, 127),
        "Gestures": (122, 122, 121),
        "Box": (119, 119, 117),
    },
    "S3": {
        "Walking": (80, 80, 80),
        "Jog": (65, 65, 65),
        "ThrowCatch": (79, 79, 79),
        "Gestures": (83, 83, 82),
        "Box": (1, 1, 1),
    },
}
# Damaged motion capture, which the MATLAB script leaves out.
_DAMAGED = {("Train/S3", "ThrowCatch"), ("Validate/S3", "ThrowCatch")}
_DETECTION = re.compile(r"(.+) \((C\d)\)\.avi\.npz")
# What a name of 2D poses tells of their joints.
_DETECTED_LAYOUTS = {"coco": "coco_17", "humaneva15": "humaneva_15", "humaneva20": "humaneva_20"}


@dataclasses.dataclass(frozen=True)
class Chunk:
    """A run of frames that are all sound or all damaged.

    Attributes:
        name: E.g. `"Walking 1 chunk0"`.
        begin, end: First frame and the one behind the last, counted in the motion capture.
        sound: Whether motion capture succeeded.
    """

    name: str
    begin: int
    end: int
    sound: bool


@dataclasses.dataclass(frozen=True)
class Recording:
    """One `.mat` file.

    Attributes:
        subject, name: `"Train/S1"`, `"Walking 1"`.
        chunks: In order; they cover all frames.
        pose_3d: `(F, J, 3)` float32, metres, world frame.
        pose_2d: `(3, F, J, 2)` float32, pixels.
    """

    subject: str
    name: str
    chunks: tuple[Chunk, ...]
    pose_3d: np.ndarray
    pose_2d: np.ndarray


def read_recordings(folder: str | Path) -> list[Recording]:
    """All recordings, by subject and action.

    Args:
        folder: Holds `Train/S1/Walking_1.mat` and so on.

    Raises:
        Pose3DError: No such folder, a subject without recordings, a recording of another name, shape or
            length, or mixed joint numbers.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise Pose3DError(f"{folder} is not a folder, expected HumanEva-I's with Train/S1/*.mat and so on")
    recordings: list[Recording] = []
    for subject in SUBJECTS:
        files = sorted((folder / subject).glob("*.mat"))
        if not files:
            raise Pose3DError(f"{folder} has no recordings of {subject}, expected {subject}/*.mat")
        recordings += [_read(path, subject) for path in files]
    joints = {recording.pose_3d.shape[1] for recording in recordings}
    if len(joints) > 1:
        raise Pose3DError(f"{folder}: recordings with {' and '.join(map(str, sorted(joints)))} joints, mixed")
    return sorted(
        recordings, key=lambda one: (SUBJECTS.index(one.subject), ACTIONS.index(one.name.split(" ")[0]))
    )


def missing_recordings(recordings: list[Recording]) -> list[str]:
    """Recordings that HumanEva-I has and these are not."""
    present = {(one.subject, one.name.split(" ")[0]) for one in recordings}
    return [
        f"{subject} {action}"
        for subject, actions in FRAME_RANGES.items()
        for action in actions
        if (subject, action) not in present | _DAMAGED
    ]


def _read(path: Path, subject: str) -> Recording:
    name = path.stem.replace("_", " ")
    action, _, take = name.partition(" ")
    if action not in FRAME_RANGES[subject] or take != "1":
        known = ", ".join(f"{one}_1.mat" for one in FRAME_RANGES[subject])
        raise Pose3DError(f"{path}: no recording with motion capture has this name; expected {known}")
    content = load_matlab(path)
    pose_3d, pose_2d = (matlab_numbers(content, key, str(path)) for key in ("poses_3d", "poses_2d"))
    begin, end = FRAME_RANGES[subject][action]
    frames, joints = end - begin, pose_3d.shape[1] if pose_3d.ndim == 3 else None
    if joints not in (15, 20) or pose_3d.shape != (frames, joints, 3):
        raise Pose3DError(
            f"{path}: poses_3d has shape {pose_3d.shape}, expected ({frames}, 15 or 20, 3) for {name}"
        )
    if pose_2d.shape != (len(_CAMERAS), frames, joints, 2):
        raise Pose3DError(
            f"{path}: poses_2d has shape {pose_2d.shape}, expected ({len(_CAMERAS)}, {frames}, {joints}, 2)"
        )
    sound = np.isfinite(pose_3d).all((1, 2))
    sound_2d = np.isfinite(pose_2d).all((0, 2, 3))
    if (sound != sound_2d).any():
        frame = int(np.flatnonzero(sound != sound_2d)[0])
        raise Pose3DError(f"{path}: frame {frame} is damaged in one of poses_3d and poses_2d only")
    for key, values in (("poses_3d", pose_3d[sound]), ("poses_2d", pose_2d[:, sound])):
        if values.size and np.abs(values).max() > LARGEST:
            raise Pose3DError(f"{path}: {key} holds a coordinate of {np.abs(values).max():g}")
    return Recording(
        subject,
        name,
        _chunks(name, begin, sound),
        (pose_3d / 1000).astype(np.float32),
        pose_2d.astype(np.float32),
    )


def _chunks(name: str, begin: int, sound: np.ndarray) -> tuple[Chunk, ...]:
    """Runs of equal values; damaged ones are counted, too, so that numbers of sound chunks may have gaps."""
    chunks = []
    for number, (value, run) in enumerate(itertools.groupby(sound.tolist())):
        end = begin + len(list(run))
        chunks.append(Chunk(f"{name} chunk{number}", begin, end, bool(value)))
        begin = end
    return tuple(chunks)


def _dataset(recordings: list[Recording]) -> str:
    return f"humaneva{recordings[0].pose_3d.shape[1]}"


def save_poses(recordings: list[Recording], folder: str | Path, overwrite: bool = False) -> tuple[Path, Path]:
    """Writes `data_3d_humaneva15.npz` and the exact `data_2d_humaneva15_gt.npz`, both whole or neither.

    Args:
        recordings: From `read_recordings`; with 20 joints the files are named humaneva20.
        folder: Where to; it is made where it is missing.
        overwrite: Replace files that are there.

    Returns:
        Paths of the 3D and the 2D file.

    Raises:
        Pose3DError: A file is there already, or cannot be written.
    """
    dataset = _dataset(recordings)
    path_3d, path_2d = Path(folder) / f"data_3d_{dataset}.npz", Path(folder) / f"data_2d_{dataset}_gt.npz"
    for path in (path_3d, path_2d):
        _refuse_existing(path, overwrite)
    poses: dict[str, dict[str, Any]] = {subject: {} for subject in SUBJECTS}
    keypoints: dict[str, dict[str, Any]] = {subject: {} for subject in SUBJECTS}
    for one in recordings:
        first = one.chunks[0].begin
        for chunk in one.chunks:
            if chunk.sound:
                rows = slice(chunk.begin - first, chunk.end - first)
                poses[one.subject][chunk.name] = one.pose_3d[rows]
                keypoints[one.subject][chunk.name] = list(one.pose_2d[:, rows])
    require_writable_folder(folder)
    with write_whole(path_3d) as file_3d, write_whole(path_2d) as file_2d:
        np.savez_compressed(file_3d, positions_3d=_boxed(poses))
        metadata = _boxed(_metadata(dataset, LAYOUT_NAMES[dataset]))
        np.savez_compressed(file_2d, positions_2d=_boxed(keypoints), metadata=metadata)
    return path_3d, path_2d


def read_detections(folder: str | Path, name: str) -> dict[tuple[str, str, str], np.ndarray]:
    """2D poses that a detector found in HumanEva-I's videos.

    Args:
        folder: Holds `S1/Walking_1_(C1).avi.npz` and so on.
        name: Of the 2D poses; it tells detector (`detectron` or `cpn`) and joints (`coco`, ...).

    Returns:
        (person, recording, camera) -> `(frames of the video, J, 2)` pixels.

    Raises:
        Pose3DError: No such files, a name that does not tell, or a file of another content.
    """
    joints = get_skeleton(_DETECTED_LAYOUTS[_detected_layout(name)]).num_joints
    read = next((read for detector, read in _DETECTORS.items() if detector in name), None)
    if read is None:
        raise Pose3DError(f"--output {name} does not tell the detector, expected {' or '.join(_DETECTORS)}")
    found = {}
    for path in sorted(Path(folder).glob("S*/*.avi.npz")):
        match = _DETECTION.fullmatch(path.name.replace("_", " "))
        if match is None or match[2] not in _CAMERAS:
            raise Pose3DError(f"{path}: expected a name such as Walking_1_(C1).avi.npz, cameras C1 to C3")
        values = read(path)
        if values.ndim != 3 or values.shape[1:] != (joints, 2):
            raise Pose3DError(f"{path}: poses of shape {values.shape}, expected (frames, {joints}, 2)")
        check_finite(values, path, "keypoints")
        found[path.parent.name, match[1], match[2]] = values
    if not found:
        raise Pose3DError(f"{folder} has no detections, expected S1/Walking_1_(C1).avi.npz and so on")
    return found


def _detected_layout(name: str) -> str:
    layout = next((layout for layout in _DETECTED_LAYOUTS if layout in name), None)
    if layout is None:
        raise Pose3DError(
            f"--output {name} does not tell the joints, expected {', '.join(_DETECTED_LAYOUTS)}"
        )
    return layout


def _read_detectron(path: Path) -> np.ndarray:
    """The best box's pose by soft-argmax (rows 4 and 5); the frame before's where nothing was found."""
    content = load_archive(path)
    require_keys(content, path, "keypoints", "boxes")
    poses: list[np.ndarray] = []
    expected = "expected boxes[frame][1] (people, 5) and keypoints[frame][1] (people, 6 or more, joints)"
    try:
        for keypoints, boxes in zip(content["keypoints"], content["boxes"], strict=True):
            where = f"{path}: frame {len(poses)} is not as Detectron writes it, {expected}"
            # Entry 1 holds what was found of people.
            found = real_numbers(boxes[1])
            if found is not None and not found.size:
                if not poses:
                    raise Pose3DError(f"{path}: no person in its first frame")
                poses.append(poses[-1])
                continue
            points = real_numbers(keypoints[1])
            if found is None or points is None or found.ndim != 2 or points.ndim != 3:
                raise Pose3DError(where)
            best = int(np.argmax(found[:, 4]))
            poses.append(points[best, 4:6].T)
        return np.array(poses)
    except Pose3DError:
        raise
    except (IndexError, KeyError, TypeError, ValueError):
        raise Pose3DError(f"{path}: frame {len(poses)} is not as Detectron writes it, {expected}") from None


def _read_cpn(path: Path) -> np.ndarray:
    content = load_archive(path)
    require_keys(content, path, "keypoints")
    values = real_numbers(content["keypoints"])
    if values is None or values.ndim != 3:
        raise Pose3DError(f"{path}: keypoints is {shown(content['keypoints'])}, expected (frames, joints, 3)")
    return values[:, :, :2]


_DETECTORS = {"detectron": _read_detectron, "cpn": _read_cpn}


def align_detections(
    detections: Mapping[tuple[str, str, str], np.ndarray], recordings: list[Recording]
) -> dict[str, dict[str, list[np.ndarray]]]:
    """Detections cut into the chunks of the motion capture.

    Args:
        detections: From `read_detections`.
        recordings: From `read_recordings`.

    Returns:
        subject -> chunk -> one `(F, J, 2)` float32 per camera. Damaged chunks are under
        `Unlabeled/Train/S1`, videos without motion capture whole under `Unlabeled/S1`.

    Raises:
        Pose3DError: A camera is missing, or a video is too short.
    """
    chunks: dict[tuple[str, str], list[tuple[str, Chunk]]] = {}
    for one in recordings:
        part, person = one.subject.split("/")
        chunks.setdefault((person, one.name), []).extend((part, chunk) for chunk in one.chunks)
    result: dict[str, dict[str, list[np.ndarray]]] = {}
    for person, name in dict.fromkeys((person, name) for person, name, _ in detections):
        views = []
        for camera in _CAMERAS:
            if (person, name, camera) not in detections:
                raise Pose3DError(f"there are no detections of {person}, {name}, camera {camera}")
            views.append(detections[person, name, camera].astype(np.float32))
        if (person, name) not in chunks:
            result.setdefault(f"Unlabeled/{person}", {})[name] = views
            continue
        offsets = [frame - 1 for frame in _SYNC[person][name.split(" ")[0]]]
        for part, chunk in chunks[person, name]:
            subject = f"{part}/{person}" if chunk.sound else f"Unlabeled/{part}/{person}"
            cut = [
                view[chunk.begin + offset : chunk.end + offset]
                for view, offset in zip(views, offsets, strict=True)
            ]
            for camera, view, part_of in zip(_CAMERAS, views, cut, strict=True):
                if len(part_of) != chunk.end - chunk.begin:
                    raise Pose3DError(
                        f"detections of {person}, {name}, camera {camera} end at frame {len(view)}, before "
                        f"{chunk.name} of {part} does"
                    )
            result.setdefault(subject, {})[chunk.name] = cut
    return result


def save_detections(
    positions: Mapping[str, Any],
    recordings: list[Recording],
    name: str,
    folder: str | Path,
    overwrite: bool = False,
) -> Path:
    """Writes `data_2d_humaneva15_NAME.npz`, whole or not at all.

    Args:
        positions: From `align_detections`.
        recordings: Decide between humaneva15 and humaneva20.
        name: Of the 2D poses.
        folder: Where to; it is made where it is missing.
        overwrite: Replace a file that is there.

    Raises:
        Pose3DError: The file is there already, or cannot be written.
    """
    path = Path(folder) / f"data_2d_{_dataset(recordings)}_{name}.npz"
    _refuse_existing(path, overwrite)
    layout = _detected_layout(name)
    require_writable_folder(folder)
    with write_whole(path) as file:
        metadata = _boxed(_metadata(layout, _DETECTED_LAYOUTS[layout]))
        np.savez_compressed(file, positions_2d=_boxed(dict(positions)), metadata=metadata)
    return path


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise Pose3DError(f"{path} exists already; move it away or say --overwrite")


def _metadata(name: str, layout: str) -> dict[str, Any]:
    skeleton = get_skeleton(layout)
    return {
        "layout_name": name,
        "num_joints": skeleton.num_joints,
        "keypoints_symmetry": [list(skeleton.left), list(skeleton.right)],
    }


def _boxed(value: Parsed) -> np.ndarray:
    """An array of no dimensions that holds the value itself, as these files have it."""
    box = np.empty((), object)
    box[()] = value
    return box
