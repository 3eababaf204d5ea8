"""MPI-INF-3DHP's images and annotation pickles, laid out as Human3.6M's, from what is downloaded."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_pose3d.data.checks import LARGEST, check_finite, real_numbers
from tf_pose3d.data.matlab import load_matlab
from tf_pose3d.data.multiview.h36m_preparation import person_boxes
from tf_pose3d.data.multiview.mpi_inf_3dhp import CAMERAS, JOINTS_OF_28
from tf_pose3d.errors import Pose3DError, shown
from tf_pose3d.extras import require_av
from tf_pose3d.files import require_writable_folder, write_whole
from tf_pose3d.video_file import opened_video

__all__ = ["prepare_mpi_inf_3dhp_views", "read_calibration"]

_FOLDER = re.compile(r"S(\d+)/Seq(\d+)")
_JOINTS = 28
_PIXELS_PER_SCALE = 200.0


def read_calibration(path: str | Path) -> dict[int, dict[str, Any]]:
    """Cameras by number.

    Args:
        path: `camera.calibration`, with `name`, `intrinsic` and `extrinsic` (4 x 4, rows) of each camera.

    Returns:
        Dicts of `R (3, 3)` and `T (3, 1)` of `R X + T` in millimetres, and `fx`, `fy`, `cx`, `cy` in pixels.

    Raises:
        Pose3DError: No such file, or a camera without intrinsics or extrinsics.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Pose3DError(f"{path}: cannot read the cameras: {error}") from None
    cameras: dict[int, dict[str, Any]] = {}
    matrices: dict[int, dict[str, np.ndarray]] = {}
    number = None
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if word == "name":
            digits = re.fullmatch(r"\s*([0-9]{1,4})\s*", rest, re.ASCII)
            if digits is None or int(digits[1]) in matrices:
                raise Pose3DError(f"{path}: a camera named {shown(rest.strip())}, expected each number once")
            number = int(digits[1])
            matrices[number] = {}
        elif word in ("intrinsic", "extrinsic") and number is not None:
            try:
                matrices[number][word] = np.array(rest.split(), np.float64).reshape(4, 4)
            except ValueError:
                raise Pose3DError(f"{path}: camera {number}: {word} is not 16 numbers") from None
            if not (np.abs(matrices[number][word]) <= LARGEST).all():
                raise Pose3DError(f"{path}: camera {number}: {word} holds numbers that are not finite")
    for number, held in matrices.items():
        for word in ("intrinsic", "extrinsic"):
            if word not in held:
                raise Pose3DError(f"{path}: camera {number} has no {word} matrix")
        inner, outer = held["intrinsic"], held["extrinsic"]
        if inner[0, 0] <= 0 or inner[1, 1] <= 0:
            raise Pose3DError(f"{path}: camera {number}: its focal lengths are not positive")
        if not np.allclose(outer[:3, :3] @ outer[:3, :3].T, np.eye(3), atol=1e-3):
            raise Pose3DError(f"{path}: camera {number}: extrinsic holds no rotation matrix")
        cameras[number] = {
            "R": outer[:3, :3],
            "T": outer[:3, 3:],
            "fx": float(inner[0, 0]),
            "fy": float(inner[1, 1]),
            "cx": float(inner[0, 2]),
            "cy": float(inner[1, 2]),
            "name": str(number),
        }
    if not cameras:
        raise Pose3DError(f"{path}: holds no camera; expected lines name, intrinsic, extrinsic")
    return cameras


def prepare_mpi_inf_3dhp_views(
    root: str | Path,
    log: Callable[[str], None],
    validation: Sequence[int] = (8,),
    every: int = 1,
    cameras: Sequence[int] = CAMERAS,
) -> list[Path]:
    """Writes frames as `images/s_1_seq_1_ca_0/s_1_seq_1_ca_0_000001.jpg`, and `annot/3dhp_*.pkl`.

    Frames that are there already are not written again.

    Args:
        root: Of folders `S1/Seq1` with `annot.mat`, `camera.calibration` and `imageSequence/video_N.avi`.
        log: Takes a line for the user.
        validation: Subjects that make the validation set. The release does not say which it took.
        every: Every n-th frame is used; image numbers count the used ones.
        cameras: Camera numbers.

    Raises:
        Pose3DError: One of these is missing or something else; PyAV is not installed.
    """
    root = Path(root)
    folders = sorted(
        path.parent
        for path in root.glob("S*/Seq*/annot.mat")
        if _FOLDER.fullmatch(path.parent.relative_to(root).as_posix())
    )
    if not folders:
        raise Pose3DError(
            f"{root}: holds no S1/Seq1/annot.mat and so on, as MPI-INF-3DHP's download makes them"
        )
    require_writable_folder(root / "annot")
    splits: dict[str, list[dict[str, Any]]] = {"train": [], "validation": []}
    for folder in folders:
        subject, sequence = (
            int(part[len(name) :]) for part, name in zip(folder.parts[-2:], ("S", "Seq"), strict=True)
        )
        items = list(_items(root, folder, subject, sequence, every, cameras))
        splits["validation" if subject in validation else "train"] += items
        log(f"{folder}: {len(items)} images")
    written = []
    for split, items in splits.items():
        path = root / "annot" / f"3dhp_{split}.pkl"
        if not items:
            log(f"no subject of {split}: {path} is not written")
            continue
        with write_whole(path) as file:
            pickle.dump(items, file, protocol=4)
        log(f"wrote {path}: {len(items)} images")
        written.append(path)
    return written


def _annotations(path: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """2D (pixels) and 3D (millimetres, camera frame) joints of every camera, `(F, 28, 2 or 3)`."""
    content = load_matlab(path)
    result = []
    for key, width in (("annot2", 2), ("annot3", 3)):
        if key not in content:
            raise Pose3DError(f"{path}: holds no {key}")
        poses = []
        for camera, cell in enumerate(np.ravel(content[key])):
            values = real_numbers(cell)
            if values is None or values.ndim != 2 or values.shape[1] != _JOINTS * width:
                raise Pose3DError(f"{path}: {key} must hold (frames, {_JOINTS * width}) numbers per camera")
            check_finite(values, path, f"{key}, camera {camera}")
            poses.append(values.reshape(-1, _JOINTS, width))
        if not poses:
            raise Pose3DError(f"{path}: {key} holds no camera")
        result.append(poses)
    return result[0], result[1]


def _items(
    root: Path, folder: Path, subject: int, sequence: int, every: int, cameras: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """The items of a sequence in all cameras, after their frames are written."""
    calibration = read_calibration(folder / "camera.calibration")
    pixels, poses = _annotations(folder / "annot.mat")
    for camera in cameras:
        if camera not in calibration or camera >= len(poses):
            raise Pose3DError(f"{folder}: has no camera {camera}")
        facts = calibration[camera]
        name = f"s_{subject}_seq_{sequence}_ca_{camera}"
        pose, points = poses[camera][::every][:, JOINTS_OF_28], pixels[camera][::every][:, JOINTS_OF_28]
        video = folder / "imageSequence" / f"video_{camera}.avi"
        count = _write_frames(video, root / "images" / name, every, len(pose))
        focal, middle = np.array([facts["fx"], facts["fy"]]), np.array([facts["cx"], facts["cy"]])
        boxes = person_boxes(pose[:, 0], focal, middle)
        for frame in range(count):
            box = boxes[frame]
            yield {
                "image": f"{name}/{name}_{frame + 1:06}.jpg",
                "joints_2d": points[frame],
                "joints_3d_camera": pose[frame],
                "joints_vis": np.ones((len(JOINTS_OF_28), 3)),
                "image_id": frame + 1,
                # The release stores the subject's number under this name.
                "action": subject,
                "seq": sequence,
                "camera_id": camera,
                "source": "3dhp",
                "camera": facts,
                "center": (box[:2] + box[2:]) / 2,
                "scale": (box[2:] - box[:2]) / _PIXELS_PER_SCALE,
                "box": box,
            }


def _write_frames(video: Path, folder: Path, every: int, most: int) -> int:
    """Writes a video's frames as JPEG files and gives their number, at most `most`."""
    if not video.is_file():
        raise Pose3DError(f"{video} does not exist; unpack the videos of MPI-INF-3DHP's download")
    require_av()
    import av

    require_writable_folder(folder)
    count = 0
    try:
        with opened_video(video) as (container, stream):
            for number, frame in enumerate(container.decode(stream)):
                if number % every:
                    continue
                if count == most:
                    break
                count += 1
                path = folder / f"{folder.name}_{count:06}.jpg"
                if path.exists():
                    continue
                with write_whole(path) as file:
                    file.write(tf.io.encode_jpeg(frame.to_ndarray(format="rgb24"), quality=95).numpy())
    except av.error.FFmpegError as error:
        raise Pose3DError(f"{video}: no video, or damaged: {error}") from None
    return count
