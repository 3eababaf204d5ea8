"""MPI-INF-3DHP in P-STMO's files, `data_train_3dhp.npz` and `data_test_3dhp.npz`.

2D poses are exact projections, 3D poses the data set's `univ_annot3`: in the camera's frame, with bones
rescaled to one person's size, so that they do not project onto the 2D poses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.data.archive import load_archive, require_keys
from tf_pose3d.data.checks import LARGEST, real_numbers
from tf_pose3d.data.datasets import Log, Option, PoseDataset
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.skeleton import convert_joints, get_skeleton, make_skeleton
from tf_pose3d.types import Parsed

__all__ = ["DATASET", "PSTMO_JOINTS", "SCENES", "TRAINING_WIDTH", "image_size", "read_3dhp_sequences"]

# The files' order of joints.
PSTMO_JOINTS = (
    *("head_top", "neck", "r_shoulder", "r_elbow", "r_wrist", "l_shoulder", "l_elbow", "l_wrist"),
    *("r_hip", "r_knee", "r_ankle", "l_hip", "l_knee", "l_ankle", "pelvis", "spine", "head"),
)
# Test sequence -> scene.
SCENES: Mapping[str, str] = {
    "TS1": "Green screen",
    "TS2": "Green screen",
    "TS3": "No green screen",
    "TS4": "No green screen",
    "TS5": "Outdoor",
    "TS6": "Outdoor",
}

_TRAIN, _TEST = "data_train_3dhp.npz", "data_test_3dhp.npz"
_LAYOUT = make_skeleton("mpi_inf_3dhp_pstmo", PSTMO_JOINTS)
_FPS = 50.0
_SIZE, _OUTDOOR_SIZE = (2048, 2048), (1920, 1080)
TRAINING_WIDTH = _SIZE[0]


def image_size(scene: str) -> tuple[int, int]:
    """Width and height in pixels of the test images of a scene."""
    return _OUTDOOR_SIZE if scene == "Outdoor" else _SIZE


def _file(folder: Path, subset: str) -> Path:
    """That holds a subset."""
    path = folder / (_TEST if subset in ("test", "val") or subset in SCENES else _TRAIN)
    if not path.is_file():
        raise Pose3DError(
            f"{path} does not exist; --path_3dhp names the folder of P-STMO's {_TRAIN} and {_TEST}"
        )
    return path


def _data(path: Path) -> dict[str, Parsed]:
    archive = load_archive(path)
    require_keys(archive, path, "data")
    if not isinstance(archive["data"], dict) or not archive["data"]:
        raise Pose3DError(f"{path}: data is no dict of sequences, expected P-STMO's file")
    return archive["data"]


def _poses(part: Parsed, where: str) -> tuple[np.ndarray, np.ndarray]:
    """`(N, 17, 2)` pixels and `(N, 17, 3)` metres of one camera's dict."""
    arrays = []
    for name, numbers in (("data_2d", 2), ("data_3d", 3)):
        if not isinstance(part, dict) or name not in part:
            raise Pose3DError(f"{where} has no {name}")
        held = real_numbers(part[name])
        if held is None:
            raise Pose3DError(f"{where}: {name} is {shown(part[name])}, expected numbers")
        values = np.where(np.abs(held) <= LARGEST, held, np.nan).astype(np.float32)
        joints = len(PSTMO_JOINTS)
        if values.ndim != 3 or values.shape[1] != joints or values.shape[2] < numbers:
            raise Pose3DError(
                f"{where}: {name} has shape {values.shape}, expected (frames, {joints}, {numbers})"
            )
        if not np.isfinite(values).all():
            raise Pose3DError(f"{where}: {name} holds numbers that are not finite")
        arrays.append(values[..., :numbers])
    if len(arrays[0]) != len(arrays[1]):
        raise Pose3DError(f"{where}: {len(arrays[0])} 2D poses and {len(arrays[1])} 3D poses")
    return arrays[0], arrays[1] / np.float32(1000)


def _training(path: Path, subject: str | None) -> Iterator[Sequence]:
    for name, parts in _data(path).items():
        who, _, recording = str(name).partition(" ")
        if subject not in (None, who):
            continue
        cameras = parts[0] if isinstance(parts, (list, tuple)) and parts else parts
        if not isinstance(cameras, dict):
            raise Pose3DError(
                f"{path}: {name} is no list of cameras and a frame rate, expected P-STMO's file"
            )
        for camera, part in cameras.items():
            pixels, pose = _poses(part, f"{path}: {name}, camera {camera}")
            yield Sequence(
                subject=who,
                action=recording or "Seq1",
                name=str(name),
                skeleton=_LAYOUT,
                fps=_FPS,
                camera=Camera(id=str(camera), width=_SIZE[0], height=_SIZE[1]),
                pose_2d=pixels,
                pose_3d=pose,
            )


def _test(path: Path, wanted: str | None) -> Iterator[Sequence]:
    for name, part in _data(path).items():
        if wanted not in (None, name):
            continue
        if name not in SCENES:
            raise Pose3DError(f"{path}: unknown sequence {shown(name)}, expected {', '.join(SCENES)}")
        pixels, pose = _poses(part, f"{path}: {name}")
        if "valid" not in part:
            raise Pose3DError(f"{path}: {name} has no valid, the mask of the frames that count")
        mask = real_numbers(part["valid"], mask=True)
        if mask is None:
            raise Pose3DError(f"{path}: {name}: valid is {shown(part['valid'])}, expected a number a frame")
        valid = mask.reshape(-1)
        if len(valid) != len(pose):
            raise Pose3DError(f"{path}: {name}: valid has {len(valid)} frames, data_3d {len(pose)}")
        width, height = image_size(SCENES[name])
        yield Sequence(
            subject=name,
            action=SCENES[name],
            name=name,
            skeleton=_LAYOUT,
            fps=_FPS,
            camera=Camera(id=name, width=width, height=height),
            pose_2d=pixels,
            pose_3d=pose,
            per_frame={"valid": (valid != 0).astype(np.float32)},
        )


def read_3dhp_sequences(
    folder: str | Path, subset: str, skeleton: str = "h36m_17", input_skeleton: str | None = None
) -> list[Sequence]:
    """The sequences of a subset, in the joints of a layout.

    Args:
        folder: Of P-STMO's two files.
        subset: `train` (`trainval`), one of its subjects (`S1` to `S8`), `test` (`val`), or one of `TS1` to
            `TS6`.
        skeleton: Joint layout to give them in.
        input_skeleton: Joint layout of the 2D poses; None: the same.

    Returns:
        Sequences with exact `pose_2d` and `pose_3d` (metres, camera frame); of the test part also `valid
        (F,)`, 1 on frames that count. Frames are taken as 50 per second, whatever the cameras' rate.

    Raises:
        Pose3DError: A missing file or array, a subset that there is not, a layout with other joints, or a
            test sequence without the mask of valid frames.
    """
    folder = Path(folder)
    path = _file(folder, subset)
    if path.name == _TEST:
        found = list(_test(path, subset if subset in SCENES else None))
    else:
        found = list(_training(path, None if subset in ("train", "trainval") else subset))
    if not found:
        raise Pose3DError(
            f"{folder} holds no sequence of {subset!r}, expected train, test, S1 to S8 or TS1 to TS6"
        )
    target, target_2d = get_skeleton(skeleton), get_skeleton(input_skeleton or skeleton)
    return [
        Sequence(
            subject=one.subject,
            action=one.action,
            name=one.name,
            skeleton=target,
            fps=one.fps,
            camera=one.camera,
            pose_2d=convert_joints(one.pose_2d, _LAYOUT, target_2d),
            pose_3d=convert_joints(one.pose_3d, _LAYOUT, target),
            per_frame=one.per_frame,
            skeleton_2d=None if target_2d == target else target_2d,
        )
        for one in found
        if one.pose_2d is not None and one.pose_3d is not None
    ]


def _read(
    subset: str, options: Mapping[str, Any], skeleton: str, input_skeleton: str, log: Log | None
) -> list[Sequence]:
    return read_3dhp_sequences(options["path_3dhp"], subset, skeleton, input_skeleton)


def _check(subset: str, options: Mapping[str, Any]) -> None:
    _file(Path(options["path_3dhp"]), subset)


def _files(options: Mapping[str, Any]) -> tuple[Path, ...]:
    folder = Path(options["path_3dhp"])
    return folder / _TRAIN, folder / _TEST


DATASET = PoseDataset(
    name="mpi_inf_3dhp",
    description="MPI-INF-3DHP in P-STMO's files: exact 2D poses, errors by scene",
    splits=("train", "trainval", "val", "test", *(f"S{number}" for number in range(1, 9)), *SCENES),
    frame_rate=_FPS,
    options=(
        Option(
            "path_3dhp",
            "folder of P-STMO's data_train_3dhp.npz and data_test_3dhp.npz",
            Path("./data"),
            flags=("--path_3dhp",),
            metavar="DIR",
            is_place=True,
        ),
    ),
    files=_files,
    check=_check,
    read=_read,
    protocol="mpi_inf_3dhp",
)
