"""Where a lifted person is: in the camera's space, by geometry, or on a floor."""

from __future__ import annotations

import math

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.errors import Pose3DError

__all__ = [
    "PLACEMENTS",
    "camera_trajectory",
    "default_camera",
    "feet_on_floor",
    "focal_is_supposed",
    "place_poses",
]

# Where poses may be put, see `place_poses`.
PLACEMENTS = ("root", "camera", "floor")

# Focal length over the longer side of the image, as in Human3.6M, on which models are trained.
_FOCAL = 1.145


def default_camera(width: int, height: int, focal_length: float | None = None) -> Camera:
    """A camera without distortion that looks at the image's middle.

    Args:
        width, height: Image size in pixels.
        focal_length: Pixels; None: Human3.6M's, in proportion to the longer side.

    Raises:
        Pose3DError: A focal length that is not positive.
    """
    if focal_length is not None and not 0 < focal_length < math.inf:
        raise Pose3DError(f"a focal length of {focal_length:g} pixels, expected one above 0")
    focal = _FOCAL * max(width, height) if focal_length is None else focal_length
    return Camera(
        id="",
        width=width,
        height=height,
        focal_length=np.array([focal, focal]),
        center=np.array([width / 2, height / 2]),
        radial=np.zeros(3),
        tangential=np.zeros(2),
    )


def focal_is_supposed(camera: Camera) -> bool:
    """Whether a camera's focal length is the one that `default_camera` takes where nothing tells it."""
    if camera.focal_length is None:
        return True
    return bool(np.allclose(camera.focal_length, _FOCAL * max(camera.width, camera.height)))


def camera_trajectory(poses: np.ndarray, keypoints: np.ndarray, camera: Camera) -> np.ndarray:
    """The root's place in front of the camera that makes poses project onto their keypoints.

    Linear least squares per frame: u (Z + Tz) = X + Tx and v (Z + Tz) = Y + Ty for each joint with its ray
    u, v, weighted by confidence. Distortion is left out of account. Depth is as good as the focal length
    and the size of the person that the model supposes.

    Args:
        poses: `(F, J, 3)` metres, root-centred, camera frame.
        keypoints: `(F, J, 3)` pixels and confidence.
        camera: With its focal length.

    Returns:
        `(F, 3)` metres, camera frame; add it to `poses`.

    Raises:
        Pose3DError: The camera has no intrinsics.
    """
    if camera.center is None or camera.focal_length is None:
        raise Pose3DError(f"camera {camera.id} has no intrinsics, which say where poses project")
    rays = (keypoints[..., :2].astype(np.float64) - camera.center) / camera.focal_length
    weights = np.maximum(keypoints[..., 2].astype(np.float64), 1e-3)[..., None]
    # Unknown T: ray * Tz - T = xy - ray * Z, two rows per joint.
    rows = np.zeros((*rays.shape, 3))
    rows[..., 0, 0] = rows[..., 1, 1] = -1
    rows[..., 2] = rays
    right = poses[..., :2] - rays * poses[..., 2:]
    rows = (rows * weights[..., None]).reshape(len(poses), -1, 3)
    right = (right * weights).reshape(len(poses), -1, 1)
    transposed = rows.transpose(0, 2, 1)
    return np.linalg.solve(transposed @ rows + 1e-9 * np.eye(3), transposed @ right)[..., 0]


def feet_on_floor(poses: np.ndarray) -> np.ndarray:
    """Poses with their lowest joint on the floor of each frame, y = 0; the camera counts as held level.

    Args:
        poses: `(F, J, 3)` metres, camera frame (y points down).

    Returns:
        `(F, J, 3)` metres.
    """
    return poses - np.array([0.0, 1.0, 0.0], poses.dtype) * poses[..., 1].max(axis=1)[:, None, None]


def place_poses(
    poses: np.ndarray, keypoints: np.ndarray, present: np.ndarray, camera: Camera, placement: str
) -> np.ndarray:
    """Poses where a user wants them.

    Args:
        poses: `(F, J, 3)` metres, root-centred, camera frame; NaN where not `present`.
        keypoints: `(F, J, 3)` pixels and confidence.
        present: `(F,)` bool: the frame has a pose.
        camera: With its focal length.
        placement: `"root"`: as they are; `"camera"`: in the camera's space, see `camera_trajectory`;
            `"floor"`: see `feet_on_floor`.

    Returns:
        `(F, J, 3)` metres, camera frame, NaN where not `present`.

    Raises:
        Pose3DError: Another placement.
    """
    if placement not in PLACEMENTS:
        raise Pose3DError(f"placement is {placement!r}, expected {', '.join(PLACEMENTS[:-1])} or floor")
    if placement == "floor":
        return feet_on_floor(poses)
    if placement == "camera":
        place = camera_trajectory(poses[present], keypoints[present], camera)
        poses = poses.copy()
        poses[present] += place[:, None].astype(poses.dtype)
    return poses
