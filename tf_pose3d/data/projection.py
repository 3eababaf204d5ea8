"""World to camera to image for batches of windows, in TensorFlow.

`tf_pose3d.camera` holds the same transforms for NumPy; the tests hold the two together.
"""

from __future__ import annotations

import tensorflow as tf

__all__ = ["project", "world_to_camera"]


def world_to_camera(points: tf.Tensor, extrinsics: tf.Tensor) -> tf.Tensor:
    """Points in the camera frame.

    Args:
        points: `(B, N, J, 3)` metres in the world frame.
        extrinsics: `(B, 7)`: unit quaternion w, x, y, z of the camera -> world rotation, then the
            camera's centre in the world, metres.

    Returns:
        `(B, N, J, 3)` metres in the camera frame (x right, y down, z forward).
    """
    w, x, y, z = tf.unstack(extrinsics[:, :4], axis=-1)
    # Rows of the inverse rotation's matrix.
    rotation = tf.stack(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)],
            [2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)],
            [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    rotation = tf.transpose(rotation, (2, 1, 0))
    shape = tf.shape(points)
    centred = points - extrinsics[:, None, None, 4:7]
    rows = tf.reshape(centred, [shape[0], shape[1] * points.shape[2], 3])
    return tf.reshape(tf.matmul(rows, rotation), shape)


def project(points: tf.Tensor, intrinsics: tf.Tensor) -> tf.Tensor:
    """Normalised screen coordinates under Human3.6M's camera model.

    Args:
        points: `(B, N, J, 3)` metres in the camera frame.
        intrinsics: `(B, 11)`: width, height, focal length 2, centre 2, radial 3, tangential 2,
            normalised as in `Camera.intrinsics`.

    Returns:
        `(B, N, J, 2)`. X / Z and Y / Z are clamped to [-1, 1] before distortion, as VideoPose3D does;
        points outside the image stay outside.
    """
    camera = intrinsics[:, None, None, :]
    focal, centre = camera[..., 2:4], camera[..., 4:6]
    radial, tangential = camera[..., 6:9], camera[..., 9:11]
    ray = tf.clip_by_value(points[..., :2] / points[..., 2:], -1.0, 1.0)
    squared = tf.reduce_sum(ray * ray, axis=-1, keepdims=True)
    powers = tf.concat([squared, squared**2, squared**3], axis=-1)
    bend = 1 + tf.reduce_sum(radial * powers, axis=-1, keepdims=True)
    bend += tf.reduce_sum(tangential * ray, axis=-1, keepdims=True)
    return focal * (ray * bend + tangential * squared) + centre
