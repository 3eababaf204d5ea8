"""One group of views, from image files and a file of cameras."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.data.multiview.annotations import calibration_table
from tf_pose3d.data.multiview.grouping import ViewGroups
from tf_pose3d.data.multiview.images import FileImages
from tf_pose3d.data.multiview.records import Calibrations, MultiViewRecords
from tf_pose3d.errors import Pose3DError

__all__ = ["read_cameras", "view_group"]


def read_cameras(path: str | Path, count: int) -> tuple[Calibrations, list[Any]]:
    """Cameras of a JSON file.

    Args:
        path: A list of one object per image: `R (3, 3)` world to camera, `T` the camera's centre in the world
            in millimetres, `fx`, `fy`, `cx`, `cy` pixels; and `box` (left, top, right, bottom, pixels), where
            the person is, by default the whole image.
        count: How many images there are.

    Returns:
        The cameras, and each one's box or None.

    Raises:
        Pose3DError: Not such a file, a camera without intrinsics, or another number of cameras.
    """
    path = Path(path)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Pose3DError(f"{path}: cannot read the cameras: {error.strerror}") from None
    except ValueError:
        raise Pose3DError(f"{path}: not valid JSON; expected a list of one object per image") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Pose3DError(f"{path}: expected a list of objects with R, T, fx, fy, cx, cy, one per image")
    if len(entries) != count:
        raise Pose3DError(f"{path}: holds {len(entries)} cameras, expected {count}, one per image")
    labels = [str(number) for number in range(count)]
    index, cameras = calibration_table([{"camera": entry} for entry in entries], labels, path)
    boxes = []
    for number, entry in enumerate(entries):
        box = entry.get("box")
        if box is not None:
            try:
                box = np.array(box, np.float32)
            except (TypeError, ValueError):
                box = np.zeros(0, np.float32)
            if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] <= box[:2]).any():
                raise Pose3DError(f"{path}: camera {number}: box must be left, top, right, bottom in pixels")
        boxes.append(box)
    picked = Calibrations(
        names=tuple(labels),
        rotation=cameras.rotation[index],
        centre=cameras.centre[index],
        intrinsics=cameras.intrinsics[index],
    )
    return picked, boxes


def view_group(
    images: Sequence[str | Path],
    cameras: Calibrations,
    boxes: Sequence[np.ndarray | None],
    joints: Sequence[str],
    pattern: Sequence[int],
) -> tuple[MultiViewRecords, ViewGroups]:
    """Records and the one group of V views without annotations.

    Args:
        images: V files, in the order of the network's views.
        cameras: V cameras.
        boxes: See `read_cameras`.
        joints: J names.
        pattern: The frame of the group that each view shows.

    Raises:
        Pose3DError: An image cannot be read.
    """
    source = FileImages(images)
    count, frames = len(source), max(pattern) + 1
    edges = []
    for position, box in enumerate(boxes):
        height, width = source.read(position).shape[:2]
        edges.append(np.array([0, 0, width, height], np.float32) if box is None else box)
    corners = np.stack(edges)
    number = np.arange(count, dtype=np.int32)
    shown = number[None]
    records = MultiViewRecords(
        source="--images",
        images=source,
        joints=tuple(joints),
        view=number,
        frame=np.array(pattern, np.int32),
        recording=np.zeros(count, np.int32),
        camera=number,
        keypoints_2d=np.zeros((count, len(joints), 2), np.float32),
        visible=np.zeros((count, len(joints)), bool),
        pose_3d=np.zeros((count, len(joints), 3), np.float32),
        centre=(corners[:, :2] + corners[:, 2:]) / 2,
        # A crop takes the box's width: the longer side, so that none of the box is lost.
        box=np.repeat((corners[:, 2:] - corners[:, :2]).max(axis=1, keepdims=True), 2, axis=1),
        cameras=cameras,
        subjects=("",),
        actions=("",),
        takes=("--images",),
    )
    every = np.full((1, frames, count), -1, np.int32)
    every[0, list(pattern), number] = number
    return records, ViewGroups(shown, np.zeros((1, frames), np.int32), every, tuple(pattern), 0)
