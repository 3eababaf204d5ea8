"""One group of views, from image files and a file of cameras."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tf_pose3d.data.calibration import read_calibration
from tf_pose3d.data.calibration.formats.placed_json import boxes_of
from tf_pose3d.data.multiview.grouping import ViewGroups
from tf_pose3d.data.multiview.images import FileImages
from tf_pose3d.data.multiview.records import Calibrations, MultiViewRecords
from tf_pose3d.errors import Pose3DError

__all__ = ["read_cameras", "view_group"]


def read_cameras(
    path: str | Path | Sequence[str | Path], count: int
) -> tuple[Calibrations, list[npt.NDArray[np.float32] | None]]:
    """Cameras of a calibration file of any kind (docs/calibration.md), in the order of the file.

    Args:
        path: The file or files. DenseWarper's own kind is a list of one object per image: `R (3, 3)` world to
            camera, `T` the camera's centre in the world in millimetres, `fx`, `fy`, `cx`, `cy` pixels; and
            `box` (left, top, right, bottom, pixels), where the person is, by default the whole image.
        count: How many images there are.

    Returns:
        The cameras, without distortion, and each one's box or None.

    Raises:
        Pose3DError: Not such a file, a camera without intrinsics, or another number of cameras.
    """
    calibration = read_calibration(path)
    cameras = calibration.cameras
    if len(cameras) != count:
        raise Pose3DError(
            f"{calibration.source}: holds {len(cameras)} cameras ({', '.join(calibration.names)}), expected "
            f"{count}, one per image"
        )
    boxes = boxes_of(path) if isinstance(path, (str, Path)) else []
    if len(boxes) != count:
        boxes = [None for _ in cameras]
    picked = Calibrations(
        names=calibration.names,
        rotation=np.stack([camera.rotation for camera in cameras]).astype(np.float32),
        centre=np.stack([camera.centre * 1000 for camera in cameras]).astype(np.float32),
        intrinsics=np.stack([camera.matrix[[0, 1, 0, 1], [0, 1, 2, 2]] for camera in cameras]).astype(
            np.float32
        ),
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
