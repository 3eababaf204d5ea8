"""What a caller says of a clip: keypoints, image size and frame rate, checked without TensorFlow."""

from __future__ import annotations

import numbers

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.skeleton import Skeleton
from tf_pose3d.types import Parsed

__all__ = ["as_numbers", "check_clip", "check_keypoint_array", "require_number"]


def check_keypoint_array(keypoints: np.ndarray, layout: Skeleton, where: str) -> np.ndarray:
    """Keypoints `(F, J, 3)` float32 of `(F, J, 2 or 3)`, with certain confidences where there are none.

    Raises:
        Pose3DError: Another shape.
    """
    points = as_numbers(keypoints, where)
    if points.ndim != 3 or points.shape[1] != layout.num_joints or points.shape[2] not in (2, 3):
        raise Pose3DError(
            f"{where} has shape {points.shape}, expected (frames, {layout.num_joints}, 2 or 3) for the "
            f"{layout.name} layout"
        )
    if not len(points):
        raise Pose3DError(f"{where} has no frames")
    if points.shape[2] == 2:
        points = np.concatenate([points, np.ones((*points.shape[:2], 1), np.float32)], axis=2)
    return points


def as_numbers(keypoints: Parsed, where: str) -> np.ndarray:
    """The keypoints as a float32 array.

    Raises:
        Pose3DError: They are something else.
    """
    try:
        return np.asarray(keypoints, np.float32)
    except (TypeError, ValueError):
        raise Pose3DError(
            f"{where} is no array of numbers, expected (frames, joints, 2 or 3) pixels"
        ) from None


def check_clip(
    width: int | None, height: int | None, fps: float | None, where: str
) -> tuple[int, int, float]:
    """Image size and frame rate, checked.

    Raises:
        Pose3DError: One is no number, or not positive.
    """
    width = require_number(width, "width", where)
    height = require_number(height, "height", where)
    fps = require_number(fps, "fps", where)
    if not (width > 0 and height > 0):
        raise Pose3DError(f"{where}: an image of {width}x{height} pixels, expected both above 0")
    # Windowed families resample to 50 per second: a rate of a thousandth would make 50,000 frames of each.
    if not 1 <= fps <= 10_000:
        expected = "a rate above 0" if fps <= 0 else "1 to 10,000"
        raise Pose3DError(f"{where}: {fps:g} frames per second, expected {expected}")
    return width, height, fps


def require_number(value: Parsed, name: str, where: str) -> Parsed:
    """The value, if it is a number.

    Raises:
        Pose3DError: It is something else.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise Pose3DError(f"{where}: {name} is {value!r}, expected a number")
    return value
