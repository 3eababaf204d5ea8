"""What LCN learns from windows: their true poses in the normalised image frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.lcn.image_frame import image_poses

if TYPE_CHECKING:
    from tf_pose3d.data.windows import Windows

__all__ = ["WindowPoses", "window_labels"]


class WindowPoses:
    """Inputs and true poses of the first centres of some windows, of all when `count` is None.

    Attributes:
        keypoints: `(N, J, C)` normalised.
        targets: `(N, J, 3)` metres, camera frame.
        cameras, root_depth, box_width: Of `image_frame.camera_poses`; the box width None where the data
            hold none.

    Raises:
        Pose3DError: Windows without 2D or true poses.
    """

    def __init__(self, windows: Windows, count: int | None = None) -> None:
        store = windows.store
        if "keypoints_2d" not in store.arrays or "pose_3d" not in store.arrays:
            raise Pose3DError("LCN's evaluation needs 2D poses and true 3D poses")
        sequence, frame = windows.centre_frames()
        self.sequence, self.frame = sequence[:count], frame[:count]
        rows = store.offsets[self.sequence] + self.frame
        self.keypoints = store.arrays["keypoints_2d"][rows]
        self.targets = store.arrays["pose_3d"][rows]
        self.actions = store.action_ids[self.sequence]
        self.cameras = store.intrinsics[self.sequence][:, [0, 2, 3, 4, 5]].astype(np.float64)
        depth, width = store.arrays.get("root_depth"), store.arrays.get("box_width")
        self.root_depth = (self.targets[:, 0, 2] if depth is None else depth[rows]).astype(np.float64)
        self.box_width = None if width is None else width[rows].astype(np.float64)

    def frame_facts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """What `camera_poses` and `image_poses` take after the poses."""
        return self.cameras, self.root_depth, self.box_width

    def labels(self) -> np.ndarray:
        """`(N, J, 3)` normalised image coordinates of the true poses."""
        return np.asarray(image_poses(self.targets.astype(np.float64), *self.frame_facts()))


def window_labels(windows: Windows) -> np.ndarray:
    """`(N, J, 3)` normalised image coordinates of all centres' true poses."""
    stored = windows.store.arrays.get("pose_image")
    if stored is not None:
        sequence, frame = windows.centre_frames()
        return stored[windows.store.offsets[sequence] + frame].astype(np.float64)
    return WindowPoses(windows).labels()
