"""MPI-INF-3DHP laid out as Human3.6M: `annot/3dhp_{train,validation}.pkl`, `images/` or `images.zip`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_pose3d.data.checks import real_numbers
from tf_pose3d.data.datasets import ImageDataset, Log
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
from tf_pose3d.skeleton import get_skeleton, joint_indices

__all__ = ["CAMERAS", "DATASET", "JOINTS_OF_28", "read_mpi_inf_3dhp_views"]

# The four of the fourteen cameras that the paper uses, in the order of the network's views.
CAMERAS = (0, 2, 7, 8)
# Which of the data set's 28 joints the 17 are.
JOINTS_OF_28 = joint_indices("mpi_inf_3dhp_28", "mpi_inf_3dhp_17")

_SKELETON = get_skeleton("mpi_inf_3dhp_17")
_FOLDERS = ("mpi-inf-3dhp", "mpi_inf_3dhp")
_PIXELS_PER_SCALE = 200.0


def read_mpi_inf_3dhp_views(
    root: str | Path, subset: str, data_format: str = "jpg", log: Callable[[str], None] | None = None
) -> MultiViewRecords:
    """Records of a subset, with the joints of `mpi_inf_3dhp_17`.

    Items hold 17 or 28 joints. Their cameras' T is t of `R X + t`; the centre becomes -R^T t.

    Args:
        root: Folder of `annot` and `images`, or the folder above (`mpi-inf-3dhp` in it).
        subset: `train`, or `validation` (also named `val` and `test`).
        data_format: `jpg`: files below `images`; `zip`: members of `images.zip`.
        log: Takes a line for the user.

    Returns:
        Records whose views are the data set's camera numbers (the paper's are 0, 2, 7 and 8).

    Raises:
        Pose3DError: A missing file, an item without a key, a camera without intrinsics.
    """
    folder = find_root(root, _FOLDERS, "mpi_inf_3dhp")
    path = folder / "annot" / _annotation(subset)
    items = read_items(path)
    images, kept = locate_images(folder, value_column(items, "image", path), data_format, log)
    items = [items[number] for number in kept]
    view = number_column(items, "camera_id", path, dtype=np.int32, least=0)
    # The release stores the subject's number under the name action.
    subject, sequence = (number_column(items, key, path, dtype=np.int32) for key in ("action", "seq"))
    labels = [f"{number} of S{one}" for number, one in zip(view, subject, strict=True)]
    camera, cameras = calibration_table(items, labels, path, centre_from_translation=True)
    recording, first = numbered_recordings(np.stack([subject, sequence], axis=1))
    first_2d = real_numbers(value_column(items, "joints_2d", path)[0])
    joints = 0 if first_2d is None or not first_2d.ndim else len(first_2d)
    if joints not in (_SKELETON.num_joints, 28):
        raise Pose3DError(f"{path}: items have {joints} joints, expected 17 or 28")
    order = JOINTS_OF_28 if joints == 28 else np.arange(joints)
    return MultiViewRecords(
        source=str(path),
        images=images,
        joints=_SKELETON.joints,
        view=view,
        # Images count from 1.
        frame=number_column(items, "image_id", path, dtype=np.int32, least=1) - 1,
        recording=recording,
        camera=camera,
        keypoints_2d=number_column(items, "joints_2d", path, (joints, 2))[:, order],
        visible=number_column(items, "joints_vis", path, (joints, 3), mask=True)[:, order, 0] > 0,
        pose_3d=camera_to_world(
            number_column(items, "joints_3d_camera", path, (joints, 3))[:, order], cameras, camera
        ),
        centre=number_column(items, "center", path, (2,)),
        box=number_column(items, "scale", path, (2,)) * _PIXELS_PER_SCALE,
        cameras=cameras,
        subjects=tuple(f"S{subject[row]}" for row in first),
        actions=tuple(f"Seq{sequence[row]}" for row in first),
        takes=tuple(f"S{subject[row]}, Seq{sequence[row]}" for row in first),
    )


def _check(subset: str, options: Mapping[str, Any]) -> None:
    _annotation(subset)
    find_root(options["root"], _FOLDERS, "mpi_inf_3dhp")


def _annotation(subset: str) -> str:
    """The file that holds a subset."""
    names = {"train": "train", "validation": "validation", "val": "validation", "test": "validation"}
    if subset not in names:
        raise Pose3DError(f"subset {subset!r} of multiview_3dhp: expected train or validation")
    return f"3dhp_{names[subset]}.pkl"


def _read(subset: str, options: Mapping[str, Any], log: Log | None) -> MultiViewRecords:
    return read_mpi_inf_3dhp_views(options["root"], subset, options["data_format"], log)


DATASET = ImageDataset(
    name="multiview_3dhp",
    description="MPI-INF-3DHP's images from up to 14 cameras, laid out as Human3.6M's",
    splits=("train", "validation", "val", "test"),
    frame_rate=25,
    options=IMAGE_OPTIONS,
    check=_check,
    read=_read,
)
