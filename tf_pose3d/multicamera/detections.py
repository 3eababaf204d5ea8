"""What the detectors found, view by view on one time axis, as flat arrays of single detections."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

__all__ = ["ViewDetections", "dense_views"]


@dataclasses.dataclass(frozen=True, eq=False)
class ViewDetections:
    """Everyone whom one view's detector found.

    Attributes:
        frame: `(N,)` int64, increasing: the frame of the common time of each detection.
        keypoints: `(N, J, 3)` float32 pixels and confidence, NaN where a joint was not found.
    """

    frame: npt.NDArray[np.int64]
    keypoints: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def crowd(self) -> int:
        """The most detections in one frame."""
        return int(np.bincount(self.frame).max()) if len(self.frame) else 0


def dense_views(
    views: list[ViewDetections], rows: npt.NDArray[np.int64] | None, num_frames: int
) -> npt.NDArray[np.float32]:
    """`(V, F, J, 3)` keypoints of one person, NaN where a view does not have them.

    Args:
        views: V views.
        rows: `(V, F)` index of the person's detection in each view and frame, -1 for none; None: a view's
            only detection of a frame is the person's.
        num_frames: F.
    """
    joints = views[0].keypoints.shape[1]
    dense = np.full((len(views), num_frames, joints, 3), np.nan, np.float32)
    for number, view in enumerate(views):
        if rows is None:
            dense[number, view.frame] = view.keypoints
        else:
            held = rows[number] >= 0
            dense[number, held] = view.keypoints[rows[number, held]]
    return dense
