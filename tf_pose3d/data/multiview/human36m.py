"""Human3.6M as H36M-Toolbox lays it out: `annot/h36m_{train,validation}.pkl`, `images/` or `images.zip`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.data.datasets import ImageDataset, Log
from tf_pose3d.data.human36m import ACTIONS, FPS, SUBJECTS
from tf_pose3d.data.lcn_pickles import ACTION_NAMES
from tf_pose3d.data.multiview.annotations import (
    calibration_table,
    camera_to_world,
    number_column,
    read_items,
    value_column,
)
from tf_pose3d.data.multiview.layout import IMAGE_OPTIONS, find_root, locate_images, numbered_recordings
from tf_pose3d.data.multiview.records import MultiViewRecords
from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import get_skeleton

__all__ = ["DATASET", "read_human36m_views"]

_SKELETON = get_skeleton("h36m_17")
_FOLDERS = ("human36", "h36m")
_PIXELS_PER_SCALE = 200.0


def read_human36m_views(
    root: str | Path, subset: str, data_format: str = "jpg", log: Callable[[str], None] | None = None
) -> MultiViewRecords:
    """Records of a subset, with the joints of `h36m_17`.

    Args:
        root: Folder of `annot` and `images`, or the folder above (`human36` or `h36m` in it).
        subset: `train`, or `validation` (also named `val` and `test`).
        data_format: `jpg`: files below `images`; `zip`: members of `images.zip`.
        log: Takes a line for the user.

    Returns:
        Records whose views are 0 to 3, in the order of the file.

    Raises:
        Pose3DError: A missing file, an item without a key, a camera without intrinsics.
    """
    folder = find_root(root, _FOLDERS, "h36m")
    path = folder / "annot" / f"h36m_{_annotation(subset)}.pkl"
    items = read_items(path)
    images, kept = locate_images(folder, value_column(items, "image", path), data_format, log)
    items = [items[number] for number in kept]
    view = number_column(items, "camera_id", path, dtype=np.int32, least=0)
    facts = [number_column(items, key, path, dtype=np.int32) for key in ("subject", "action", "subaction")]
    subject, action, subaction = facts
    unknown = ~np.isin(action, list(ACTION_NAMES))
    if unknown.any():
        raise Pose3DError(f"{path}: item {int(np.argmax(unknown))} has an action that is none of 2 to 16")
    labels = [f"{number} of S{one}" for number, one in zip(view, subject, strict=True)]
    camera, cameras = calibration_table(items, labels, path)
    # The toolbox also stores poses of a universal skeleton under joints_3d; those of the person go first.
    poses = "joints_3d_camera" if "joints_3d_camera" in items[0] else "joints_3d"
    joints = (_SKELETON.num_joints,)
    recording, first = numbered_recordings(np.stack(facts, axis=1))
    return MultiViewRecords(
        source=str(path),
        images=images,
        joints=_SKELETON.joints,
        view=view,
        # Images count from 1.
        frame=number_column(items, "image_id", path, dtype=np.int32, least=1) - 1,
        recording=recording,
        camera=camera,
        keypoints_2d=number_column(items, "joints_2d", path, (*joints, 2)),
        visible=number_column(items, "joints_vis", path, (*joints, 3), mask=True)[..., 0] > 0,
        pose_3d=camera_to_world(number_column(items, poses, path, (*joints, 3)), cameras, camera),
        centre=number_column(items, "center", path, (2,)),
        box=number_column(items, "scale", path, (2,)) * _PIXELS_PER_SCALE,
        cameras=cameras,
        subjects=tuple(f"S{subject[row]}" for row in first),
        actions=tuple(ACTION_NAMES[int(action[row])] for row in first),
        takes=tuple(f"S{subject[row]}, {ACTION_NAMES[int(action[row])]} {subaction[row]}" for row in first),
    )


def _annotation(subset: str) -> str:
    """The file that holds a subset."""
    names = {"train": "train", "validation": "validation", "val": "validation", "test": "validation"}
    if subset not in names:
        raise Pose3DError(f"subset {subset!r} of multiview_h36m: expected train or validation")
    return names[subset]


def _check(subset: str, options: Mapping[str, Any]) -> None:
    _annotation(subset)
    find_root(options["root"], _FOLDERS, "h36m")


def _read(subset: str, options: Mapping[str, Any], log: Log | None) -> MultiViewRecords:
    return read_human36m_views(options["root"], subset, options["data_format"], log)


DATASET = ImageDataset(
    name="multiview_h36m",
    description="Human3.6M's images from 4 cameras, as H36M-Toolbox lays them out",
    splits=("train", "validation", "val", "test"),
    subjects=SUBJECTS,
    actions=ACTIONS,
    frame_rate=FPS,
    options=IMAGE_OPTIONS,
    check=_check,
    read=_read,
)
