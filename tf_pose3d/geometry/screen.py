"""Normalised screen coordinates of points before a camera, in operations of Keras's backend."""

from __future__ import annotations

from keras import ops

from tf_pose3d.types import Tensor

__all__ = ["project_to_screen"]


def project_to_screen(points: Tensor, intrinsics: Tensor, linear: bool = False) -> Tensor:
    """Where points are seen, under Human3.6M's camera model.

    `tf_pose3d.data.projection.project` is the same in TensorFlow, which data are made with under any
    backend.

    Args:
        points: `(B, N, J, 3)` metres in the camera frame.
        intrinsics: `(B, 11)`, see `tf_pose3d.camera.Camera.intrinsics`.
        linear: Leave out the lens's distortion.

    Returns:
        `(B, N, J, 2)`. X / Z and Y / Z are clamped to [-1, 1] first, as VideoPose3D does.
    """
    camera = intrinsics[:, None, None, :]
    ray = ops.clip(points[..., :2] / points[..., 2:], -1.0, 1.0)
    if not linear:
        squared = ops.sum(ray * ray, axis=-1, keepdims=True)
        powers = ops.concatenate([squared, squared**2, squared**3], axis=-1)
        bend = 1 + ops.sum(camera[..., 6:9] * powers, axis=-1, keepdims=True)
        bend = bend + ops.sum(camera[..., 9:11] * ray, axis=-1, keepdims=True)
        ray = ray * bend + camera[..., 9:11] * squared
    return camera[..., 2:4] * ray + camera[..., 4:6]
