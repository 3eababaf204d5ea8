"""LCN's pickles from the folders that H36M-Toolbox makes.

A folder `s_01_act_02_subact_01_ca_01` holds one recording in one camera; its `matlab_meta.mat` the poses in
the camera frame. `cameras.h5` (of 3d-pose-baseline) holds the calibration. Source: LCN's release, `gendb.py`,
whose camera module is not part of it.
"""

from __future__ import annotations

import itertools
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tf_pose3d.data.checks import LARGEST, check_finite, real_numbers
from tf_pose3d.data.matlab import load_matlab, matlab_numbers
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import write_whole
from tf_pose3d.hdf5_values import hdf5_values, opened_hdf5

__all__ = [
    "TRAIN_SUBJECTS",
    "Cameras",
    "folder_items",
    "read_toolbox_cameras",
    "recording_folders",
    "recording_numbers",
    "recording_poses",
    "write_pickles",
]

TRAIN_SUBJECTS = (1, 5, 6, 7, 8)

_FOLDER = re.compile(r"s_(\d+)_act_(\d+)_subact_(\d+)_ca_(\d+)")
_JOINTS = 17
_BOX_HALF = 1000.0  # millimetres from the root to each side of its box
# Numbers under each key of a camera.
_SIZES = {"R": 9, "T": 3, "f": 2, "c": 2, "k": 3, "p": 2}

Cameras = dict[tuple[int, int], dict[str, Any]]


def read_toolbox_cameras(path: str | Path) -> Cameras:
    """Cameras by (subject, number), numbers from 1, as LCN's items hold them.

    Args:
        path: `cameras.h5` with `subject1/camera1/R`, `T`, `f`, `c`, `k`, `p` and `Name`.

    Returns:
        Dicts of `R (3, 3)` world to camera, `T (3, 1)` millimetres, `fx`, `fy`, `cx`, `cy` pixels,
        `k (3, 1)`, `p (2, 1)`, `name`.

    Raises:
        Pose3DError: Not such a file, or a camera without one of these.
    """
    expected = "; expected cameras.h5 with subjectN/cameraM/R, T, f, c, k, p and Name"
    cameras: Cameras = {}
    with opened_hdf5(path, path, expected) as file:
        for subject, group in file.items():
            for camera, facts in group.items() if subject.startswith("subject") else ():
                where = f"{path}: {subject}/{camera}"
                digits = subject.removeprefix("subject"), camera.removeprefix("camera")
                if not all(re.fullmatch("[0-9]{1,9}", text, re.ASCII) for text in digits):
                    raise Pose3DError(f"{where} is no camera{expected}")
                cameras[int(digits[0]), int(digits[1])] = _camera(facts, where)
    if not cameras:
        raise Pose3DError(f"{path}: holds no subjectN/cameraM")
    return cameras


def _camera(facts: h5py.Group, where: str) -> dict[str, Any]:
    arrays = {}
    for key, size in _SIZES.items():
        values = real_numbers(hdf5_values(facts, key, where))
        if values is None or values.size != size or not (np.abs(values) <= LARGEST).all():
            raise Pose3DError(f"{where}: {key} is not {size} finite numbers")
        arrays[key] = values
    (fx, fy), (cx, cy) = arrays["f"].reshape(2), arrays["c"].reshape(2)
    if fx <= 0 or fy <= 0:
        raise Pose3DError(f"{where}: focal lengths f of {fx:g} and {fy:g} pixels, expected positive numbers")
    codes = real_numbers(hdf5_values(facts, "Name", where))
    if codes is None or codes.size > 99 or not ((codes >= 0) & (codes < 0x110000)).all():
        raise Pose3DError(f"{where}: Name is no text")
    return {
        # MATLAB stores columns first.
        "R": arrays["R"].reshape(3, 3).T,
        "T": arrays["T"].reshape(3, 1),
        "fx": float(fx),
        "fy": float(fy),
        "cx": float(cx),
        "cy": float(cy),
        "k": arrays["k"].reshape(3, 1),
        "p": arrays["p"].reshape(2, 1),
        "name": "".join(chr(int(code)) for code in codes.ravel()),
    }


def recording_folders(root: str | Path) -> tuple[list[Path], list[Path]]:
    """Training and test folders, each in the order of their names.

    Raises:
        Pose3DError: There is no such folder in `root`.
    """
    folders = sorted(
        path for path in Path(root).glob("s_*") if path.is_dir() and _FOLDER.fullmatch(path.name)
    )
    if not folders:
        raise Pose3DError(f"{root}: holds no folder s_XX_act_XX_subact_XX_ca_XX of H36M-Toolbox")
    train = [path for path in folders if recording_numbers(path)[0] in TRAIN_SUBJECTS]
    return train, [path for path in folders if path not in train]


def recording_numbers(folder: Path) -> tuple[int, int, int, int]:
    """Subject, action, subaction and camera, the last from 1, of a folder's name.

    Raises:
        Pose3DError: It is no name of H36M-Toolbox.
    """
    match = _FOLDER.fullmatch(folder.name)
    if match is None:
        raise Pose3DError(f"{folder}: expected a folder s_XX_act_XX_subact_XX_ca_XX of H36M-Toolbox")
    subject, action, subaction, camera = (int(part) for part in match.groups())
    return subject, action, subaction, camera


def recording_poses(folder: Path) -> np.ndarray:
    """`(F, 17, 3)` millimetres, camera frame, of a recording's `matlab_meta.mat`.

    Raises:
        Pose3DError: It is missing or something else, or a root lies behind the camera.
    """
    path = folder / "matlab_meta.mat"
    content = load_matlab(path)
    counts = matlab_numbers(content, "num_images", str(path))
    values = matlab_numbers(content, "Y3d_mono", str(path)).T
    if counts.size != 1 or values.size != counts.item() * _JOINTS * 3:
        shown_count = f"{counts.item():g}" if counts.size == 1 else f"{counts.size} numbers"
        raise Pose3DError(
            f"{path}: Y3d_mono has {values.size} numbers, expected num_images ({shown_count}) x {_JOINTS} x 3"
        )
    poses = values.reshape(-1, _JOINTS, 3)
    check_finite(poses, path, "Y3d_mono")
    if (poses[:, 0, 2] <= 0).any():
        raise Pose3DError(f"{path}: a root lies behind the camera")
    if (poses[..., 2] == 0).any():
        raise Pose3DError(f"{path}: a joint lies in the plane of the camera")
    return poses


def folder_items(folder: Path, video: int, cameras: Cameras) -> list[dict[str, Any]]:
    """The items of one recording in one camera, one per image.

    Args:
        folder: Named as in the module's docstring.
        video: Its number.
        cameras: Of `read_toolbox_cameras`.

    Raises:
        Pose3DError: An unknown camera, or a `matlab_meta.mat` that is missing or something else.
    """
    subject, action, subaction, camera = recording_numbers(folder)
    facts = cameras.get((subject, camera))
    if facts is None:
        raise Pose3DError(f"{folder.name}: cameras.h5 has no camera {camera} of subject {subject}")
    poses = recording_poses(folder)
    focal = np.array([facts["fx"], facts["fy"]])
    center = np.array([facts["cx"], facts["cy"]])
    root = poses[:, :1]
    corners = (root[..., :2] + np.array([[-_BOX_HALF], [_BOX_HALF]])) / root[..., 2:] * focal + center
    boxes = corners.reshape(-1, 4)
    image = np.empty_like(poses)
    image[..., :2] = poses[..., :2] / poses[..., 2:] * focal + center
    ratio = (boxes[:, 2] - boxes[:, 0] + 1) / (2 * _BOX_HALF)
    image[..., 2] = ratio[:, None] * (poses[..., 2] - root[..., 2])
    items = []
    for number, (pose, box, image_pose) in enumerate(zip(poses, boxes, image, strict=True)):
        name = f"s_{subject:02}_act_{action:02}_subact_{subaction:02}_ca_{camera:02}_{number + 1:06}.jpg"
        items.append(
            {
                "videoid": video,
                "cameraid": camera - 1,
                "camera_param": facts,
                "imageid": number,
                "image_path": f"{folder.name}/{name}",
                "joint_3d_image": image_pose,
                "joint_3d_camera": pose,
                "center": (float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2),
                "scale": (float(box[2] - box[0]) / 200, float(box[3] - box[1]) / 200),
                "box": box,
                "subject": subject,
                "action": action,
                "subaction": subaction,
                "root_depth": float(pose[0, 2]),
            }
        )
    return items


def write_pickles(root: str | Path, out: str | Path, log: Callable[[str], None]) -> list[Path]:
    """Writes `h36m_train.pkl` (subjects 1, 5, 6, 7, 8) and `h36m_test.pkl` (the others).

    Args:
        root: Of the recordings' folders and `cameras.h5`.
        out: Existing folder to write into.
        log: Takes a line for the user.

    Raises:
        Pose3DError: As the functions above; or a file cannot be written.
    """
    cameras = read_toolbox_cameras(Path(root) / "cameras.h5")
    splits = dict(zip(("train", "test"), recording_folders(root), strict=True))
    written, videos = [], itertools.count()
    for split, folders in splits.items():
        items = []
        for folder in folders:
            items += folder_items(folder, next(videos), cameras)
        path = Path(out) / f"h36m_{split}.pkl"
        with write_whole(path) as file:
            pickle.dump(items, file, protocol=4)
        log(f"wrote {path}: {len(items)} items of {len(folders)} recordings")
        written.append(path)
    return written
