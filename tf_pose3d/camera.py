"""Cameras: intrinsics with distortion, and the ways between world, camera, image and screen.

Frames: the world has z up; the camera looks along +z with x to the right and y down; pixels count from
the top left corner. *Normalised screen coordinates* map the image's width to [-1, 1] and keep the aspect
ratio, as VideoPose3D does. All functions take arrays with any leading axes, and return the dtype of the
points they are given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tf_pose3d.errors import Pose3DError

__all__ = [
    "Camera",
    "camera_to_world",
    "image_coordinates",
    "normalize_screen_coordinates",
    "project",
    "project_pixels",
    "quaternion_inverse",
    "quaternion_rotate",
    "quaternion_to_matrix",
    "world_to_camera",
]


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated camera.

    Attributes:
        id: The data set's name for it.
        width: Image width in pixels.
        height: Image height in pixels.
        focal_length: `(2,)` pixels; None, as the next three, where no intrinsics are known.
        center: `(2,)` principal point in pixels.
        radial: `(3,)` radial distortion coefficients.
        tangential: `(2,)` tangential distortion coefficients.
        orientation: `(4,)` unit quaternion w, x, y, z of the rotation from camera to world, or None.
        translation: `(3,)` the camera's centre in the world in metres, or None.
    """

    id: str
    width: int
    height: int
    focal_length: np.ndarray | None = None
    center: np.ndarray | None = None
    radial: np.ndarray | None = None
    tangential: np.ndarray | None = None
    orientation: np.ndarray | None = None
    translation: np.ndarray | None = None

    def __post_init__(self) -> None:
        sizes = {"focal_length": 2, "center": 2, "radial": 3, "tangential": 2}
        if all(getattr(self, key) is None for key in sizes):
            sizes = {}
        for key in ("orientation", "translation"):
            if getattr(self, key) is not None:
                sizes[key] = 4 if key == "orientation" else 3
        for key, size in sizes.items():
            values = np.array(getattr(self, key), dtype=np.float64)
            if values.shape != (size,) or not np.isfinite(values).all():
                raise Pose3DError(
                    f"camera {self.id}: {key} must be {size} finite numbers, got {values.tolist()}"
                )
            values.setflags(write=False)
            object.__setattr__(self, key, values)
        if self.width <= 0 or self.height <= 0:
            raise Pose3DError(f"camera {self.id}: image size {self.width}x{self.height} must be positive")

    @property
    def has_intrinsics(self) -> bool:
        """Whether focal length, principal point and distortion are known."""
        return self.focal_length is not None

    def intrinsics(self) -> np.ndarray:
        """`(11,)` float32: width and height in pixels; focal length times 2 / width (2); principal point in
        normalised screen coordinates (2); radial (3) and tangential (2) coefficients.

        Raises:
            Pose3DError: They are unknown.
        """
        focal_length, center, radial, tangential = self.lens()
        return np.concatenate(
            [
                [self.width, self.height],
                focal_length / self.width * 2,
                normalize_screen_coordinates(center, self.width, self.height),
                radial,
                tangential,
            ]
        ).astype(np.float32)

    def lens(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Focal length (2) and principal point (2) in pixels, radial (3) and tangential (2) coefficients.

        Raises:
            Pose3DError: They are unknown.
        """
        held = self.focal_length, self.center, self.radial, self.tangential
        focal_length, center, radial, tangential = held
        if focal_length is None or center is None or radial is None or tangential is None:
            raise Pose3DError(f"camera {self.id} has no intrinsics (focal length and principal point)")
        return focal_length, center, radial, tangential

    def extrinsics(self) -> np.ndarray:
        """`(7,)` float32: orientation quaternion (4), translation in metres (3).

        Raises:
            Pose3DError: The camera's place in the world is unknown.
        """
        if self.orientation is None or self.translation is None:
            raise Pose3DError(f"camera {self.id} has no extrinsics (orientation and translation)")
        return np.concatenate([self.orientation, self.translation]).astype(np.float32)

    def from_world(self, points: np.ndarray) -> np.ndarray:
        """World points `(..., 3)`, metres, in this camera's frame.

        Raises:
            Pose3DError: The camera's place in the world is unknown.
        """
        if self.orientation is None or self.translation is None:
            raise Pose3DError(f"camera {self.id} has no extrinsics (orientation and translation)")
        return world_to_camera(points, self.orientation, self.translation)


def _floating(points: np.ndarray) -> np.ndarray:
    points = np.asarray(points)
    return points if np.issubdtype(points.dtype, np.floating) else points.astype(np.float32)


def normalize_screen_coordinates(points: np.ndarray, width: float, height: float) -> np.ndarray:
    """Pixels `(..., 2)` to normalised screen coordinates: x within 1, y within height / width of zero."""
    points = _floating(points)
    return points * points.dtype.type(2 / width) - np.array([1, height / width], points.dtype)


def image_coordinates(points: np.ndarray, width: float, height: float) -> np.ndarray:
    """Normalised screen coordinates `(..., 2)` to pixels: the inverse of `normalize_screen_coordinates`."""
    points = _floating(points)
    return (points + np.array([1, height / width], points.dtype)) * points.dtype.type(width / 2)


def quaternion_to_matrix(quaternion: np.ndarray) -> np.ndarray:
    """Unit quaternions `(..., 4)`, w x y z, to rotation matrices `(..., 3, 3)`."""
    w, x, y, z = np.moveaxis(_floating(quaternion), -1, 0)
    return np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
            np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
            np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
        ],
        -2,
    )


def quaternion_inverse(quaternion: np.ndarray) -> np.ndarray:
    """The inverse of unit quaternions `(..., 4)`."""
    quaternion = _floating(quaternion)
    return quaternion * np.array([1, -1, -1, -1], quaternion.dtype)


def quaternion_rotate(quaternion: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points `(..., 3)` rotated by unit quaternions `(4,)` or `(..., 4)` that broadcast against them."""
    points = _floating(points)
    matrix = quaternion_to_matrix(quaternion).astype(points.dtype)
    if matrix.ndim == 2:
        return (points.reshape(-1, 3) @ matrix.T).reshape(points.shape)
    return np.einsum("...ij,...j->...i", matrix, points)


def world_to_camera(points: np.ndarray, orientation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """World points `(..., 3)` in the frame of a camera with this orientation (camera to world) and centre.

    Args:
        points: `(..., 3)` metres, world frame.
        orientation: `(4,)` or broadcastable `(..., 4)` unit quaternion, camera to world.
        translation: `(3,)` or broadcastable `(..., 3)` camera centre in metres, world frame.

    Returns:
        `(..., 3)` metres, camera frame.
    """
    points = _floating(points)
    return quaternion_rotate(quaternion_inverse(orientation), points - np.asarray(translation, points.dtype))


def camera_to_world(points: np.ndarray, orientation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Camera points `(..., 3)` in the world frame: the inverse of `world_to_camera`."""
    points = _floating(points)
    return quaternion_rotate(orientation, points) + np.asarray(translation, points.dtype)


def _distort(rays: np.ndarray, radial: np.ndarray, tangential: np.ndarray) -> np.ndarray:
    """Human3.6M's lens model on `(..., 2)` rays X/Z, Y/Z."""
    squared = np.sum(rays * rays, axis=-1, keepdims=True)
    k1, k2, k3 = radial[..., 0:1], radial[..., 1:2], radial[..., 2:3]
    stretch = 1 + squared * (k1 + squared * (k2 + squared * k3))
    stretch = stretch + np.sum(tangential * rays, axis=-1, keepdims=True)
    return rays * stretch + tangential * squared


def project(points: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Camera points to normalised screen coordinates, with lens distortion, as VideoPose3D projects.

    X/Z and Y/Z are clamped to [-1, 1] before distortion, so that points far outside the image do not
    run away with the distortion polynomial.

    Args:
        points: `(..., 3)` metres, camera frame.
        intrinsics: `(11,)`, or `(..., 11)` that broadcasts against the points, as `Camera.intrinsics` gives.

    Returns:
        `(..., 2)` normalised screen coordinates.
    """
    points = _floating(points)
    intrinsics = np.asarray(intrinsics, points.dtype)
    rays = np.clip(points[..., :2] / points[..., 2:], -1, 1)
    distorted = _distort(rays, intrinsics[..., 6:9], intrinsics[..., 9:11])
    return intrinsics[..., 2:4] * distorted + intrinsics[..., 4:6]


def project_pixels(points: np.ndarray, camera: Camera) -> np.ndarray:
    """Camera points `(..., 3)` in metres to pixels `(..., 2)`, with lens distortion and without clamping.

    Raises:
        Pose3DError: The camera has no intrinsics.
    """
    points = _floating(points)
    focal_length, center, radial, tangential = (part.astype(points.dtype) for part in camera.lens())
    return _distort(points[..., :2] / points[..., 2:], radial, tangential) * focal_length + center
