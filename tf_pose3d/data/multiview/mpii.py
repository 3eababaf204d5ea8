"""MPII Human Pose, single images for the backbone: `annot/train.json`, `images/` or `images.zip`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tf_pose3d.data.multiview.annotations import number_column, value_column
from tf_pose3d.data.multiview.layout import find_root, locate_images
from tf_pose3d.data.multiview.records import Calibrations, MultiViewRecords
from tf_pose3d.errors import Pose3DError
from tf_pose3d.json_text import decode_text, parse_json

__all__ = ["MPII_JOINTS", "read_mpii_images"]

MPII_JOINTS = (
    *("r_ankle", "r_knee", "r_hip", "l_hip", "l_knee", "l_ankle"),
    *("pelvis", "mpii_thorax", "mpii_upper_neck", "mpii_head_top"),
    *("r_wrist", "r_elbow", "r_shoulder", "l_shoulder", "l_elbow", "l_wrist"),
)
_PIXELS_PER_SCALE = 200.0
# The release widens boxes and moves them down, so that limbs are not cut off.
_WIDEN = 1.25
_DOWN = 15.0


def read_mpii_images(
    root: str | Path, subset: str, data_format: str = "jpg", log: Callable[[str], None] | None = None
) -> MultiViewRecords:
    """Records of MPII, of one view, without cameras and 3D poses.

    Args:
        root: Folder of `annot` and `images`, or the folder above (`mpii` in it).
        subset: Names the file: `train`, `valid` or `trainval`.
        data_format: `jpg`: files below `images`; `zip`: members of `images.zip`.
        log: Takes a line for the user.

    Raises:
        Pose3DError: A missing file, or items that are not of the JSON form of PoseResNet's release.
    """
    folder = find_root(root, ("mpii",), "")
    path = folder / "annot" / f"{subset}.json"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Pose3DError(f"{path}: cannot read the annotations: {error.strerror}") from None
    items = parse_json(decode_text(content, path), path)
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Pose3DError(f"{path} must hold a list of objects, one per person")
    images, kept = locate_images(folder, value_column(items, "image", path), data_format, log)
    items = [items[number] for number in kept]
    count, joints = len(items), len(MPII_JOINTS)
    centre = number_column(items, "center", path, (2,))
    scale = number_column(items, "scale", path)[:, None]
    known = centre[:, :1] != -1
    # Coordinates count from 1.
    centre = np.where(known, centre + scale * np.array([0, _DOWN], np.float32), centre) - 1
    scale = np.where(known, scale * _WIDEN, scale)
    return MultiViewRecords(
        source=str(path),
        images=images,
        joints=MPII_JOINTS,
        view=np.zeros(count, np.int32),
        frame=np.arange(count, dtype=np.int32),
        recording=np.zeros(count, np.int32),
        camera=np.full(count, -1, np.int32),
        keypoints_2d=number_column(items, "joints", path, (joints, 2)) - 1,
        visible=number_column(items, "joints_vis", path, (joints,), mask=True) > 0,
        pose_3d=np.full((count, joints, 3), np.nan, np.float32),
        centre=centre,
        box=np.repeat(scale * _PIXELS_PER_SCALE, 2, axis=1).astype(np.float32),
        cameras=Calibrations(
            names=(),
            rotation=np.zeros((0, 3, 3), np.float32),
            centre=np.zeros((0, 3), np.float32),
            intrinsics=np.zeros((0, 4), np.float32),
        ),
        subjects=("MPII",),
        actions=("MPII",),
        takes=(f"MPII {subset}",),
    )
