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

from tf_pose3d.errors import Pose3DError
from tf_pose3d.extras import require_extra
from tf_pose3d.files import write_whole

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
_ARRAYS = {"R": (3, 3), "T": (3, 1), "k": (3, 1), "p": (2, 1)}

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
    try:
        with h5py.File(path, "r") as file:
            cameras = {}
            for subject, group in file.items():
                for camera, facts in group.items() if subject.startswith("subject") else ():
                    number = int(subject.removeprefix("subject")), int(camera.removeprefix("camera"))
                    cameras[number] = _camera(facts)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise Pose3DError(
            f"{path}: expected cameras.h5 with subjectN/cameraM/R, T, f, c, k, p and Name ({reason})"
        ) from None
    if not cameras:
        raise Pose3DError(f"{path}: holds no subjectN/cameraM")
    return cameras


def _camera(facts: h5py.Group) -> dict[str, Any]:
    values = {key: np.asarray(facts[key], np.float64) for key in ("R", "T", "f", "c", "k", "p")}
    # MATLAB stores columns first.
    values["R"] = values["R"].T
    arrays = {key: values[key].reshape(shape) for key, shape in _ARRAYS.items()}
    (fx, fy), (cx, cy) = values["f"].reshape(2), values["c"].reshape(2)
    name = "".join(chr(int(code)) for code in np.ravel(facts["Name"]))
    return {
        "R": arrays["R"],
        "T": arrays["T"],
        "fx": float(fx),
        "fy": float(fy),
        "cx": float(cx),
        "cy": float(cy),
        "k": arrays["k"],
        "p": arrays["p"],
        "name": name,
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
    require_extra("scipy", "SciPy", "prepare", "reading .mat files")
    from scipy.io import loadmat

    path = folder / "matlab_meta.mat"
    if not path.is_file():
        raise Pose3DError(f"{path} does not exist")
    try:
        content = loadmat(path)
    except Exception as error:  # damage may surface anywhere in scipy
        raise Pose3DError(f"{path} is no MATLAB file, or damaged: {' '.join(str(error).split())}") from None
    if "Y3d_mono" not in content or "num_images" not in content:
        raise Pose3DError(f"{path}: holds no Y3d_mono and num_images")
    count = int(np.ravel(content["num_images"])[0])
    values = np.transpose(content["Y3d_mono"])
    if values.size != count * _JOINTS * 3:
        raise Pose3DError(
            f"{path}: Y3d_mono has {values.size} numbers, expected {count} x {_JOINTS} x 3 for num_images"
        )
    poses = values.reshape(count, _JOINTS, 3).astype(np.float64)
    if (poses[:, 0, 2] <= 0).any():
        raise Pose3DError(f"{path}: a root lies behind the camera")
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
