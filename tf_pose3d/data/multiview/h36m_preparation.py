"""Human3.6M's annotation pickles for multi-view images, from the folders that H36M-Toolbox makes."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.data.h36m_toolbox import (
    Cameras,
    read_toolbox_cameras,
    recording_folders,
    recording_numbers,
    recording_poses,
)
from tf_pose3d.errors import Pose3DError
from tf_pose3d.files import require_writable_folder, write_whole

__all__ = ["person_boxes", "prepare_human36m_views"]

# Millimetres from the root joint to the sides of its box: left, up, right, down.
_BOX = np.array([[-1000.0, -900.0], [1000.0, 1100.0]])
_PIXELS_PER_SCALE = 200.0


def person_boxes(root: np.ndarray, focal: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Boxes of two metres round the root joint, as H36M-Toolbox makes them.

    Args:
        root: `(F, 3)` millimetres, camera frame.
        focal, middle: `(2,)` pixels.

    Returns:
        `(F, 4)` left, top, right, bottom, pixels.
    """
    corners = (root[:, None, :2] + _BOX) / root[:, None, 2:] * focal + middle
    return corners.reshape(-1, 4)


def prepare_human36m_views(root: str | Path, log: Callable[[str], None]) -> list[Path]:
    """Writes `annot/h36m_train.pkl` (subjects 1, 5, 6, 7, 8) and `annot/h36m_validation.pkl`.

    Only frames whose image exists are written. Recordings that lie in `root` itself are linked into its
    folder `images`, where the release looks for them.

    Args:
        root: Of `cameras.h5`, and of folders `s_XX_act_XX_subact_XX_ca_XX` with `matlab_meta.mat` and images,
            directly or below `images`.
        log: Takes a line for the user.

    Raises:
        Pose3DError: One of these is missing or something else, or a file cannot be written.
    """
    root = Path(root)
    cameras = read_toolbox_cameras(root / "cameras.h5")
    images = root / "images"
    if not any(images.glob("s_*")):
        train, test = recording_folders(root)
        require_writable_folder(images)
        for folder in (*train, *test):
            os.symlink(Path("..") / folder.name, images / folder.name, target_is_directory=True)
        log(f"linked {len(train) + len(test)} recordings into {images}")
    require_writable_folder(root / "annot")
    written = []
    for split, folders in zip(("train", "validation"), recording_folders(images), strict=True):
        items: list[dict[str, Any]] = []
        for folder in folders:
            items += _items(folder, cameras)
        path = root / "annot" / f"h36m_{split}.pkl"
        if not items:
            log(f"no images of {split}: {path} is not written")
            continue
        with write_whole(path) as file:
            pickle.dump(items, file, protocol=4)
        log(f"wrote {path}: {len(items)} images of {len(folders)} recordings")
        written.append(path)
    if not written:
        raise Pose3DError(f"{images}: its recordings hold no images NAME/NAME_000001.jpg")
    return written


def _items(folder: Path, cameras: Cameras) -> Iterator[dict[str, Any]]:
    """The items of a recording in one camera, one per image that exists."""
    subject, action, subaction, number = recording_numbers(folder)
    facts = cameras.get((subject, number))
    if facts is None:
        raise Pose3DError(f"{folder.name}: cameras.h5 has no camera {number} of subject {subject}")
    poses = recording_poses(folder)
    focal, middle = np.array([facts["fx"], facts["fy"]]), np.array([facts["cx"], facts["cy"]])
    pixels = poses[..., :2] / poses[..., 2:] * focal + middle
    boxes = person_boxes(poses[:, 0], focal, middle)
    held = set(os.listdir(folder))
    for frame, (pose, points, box) in enumerate(zip(poses, pixels, boxes, strict=True), start=1):
        name = f"{folder.name}_{frame:06}.jpg"
        if name not in held:
            continue
        yield {
            "image": f"{folder.name}/{name}",
            "joints_2d": points,
            "joints_3d": pose,
            "joints_3d_camera": pose,
            "joints_vis": np.ones((len(pose), 3)),
            "image_id": frame,
            "subject": subject,
            "action": action,
            "subaction": subaction,
            "camera_id": number - 1,
            "source": "h36m",
            "camera": facts,
            "center": (box[:2] + box[2:]) / 2,
            "scale": (box[2:] - box[:2]) / _PIXELS_PER_SCALE,
            "box": box,
        }
