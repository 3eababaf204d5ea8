"""The person's box of an image, turned and scaled into the network's input by one affine warp.

A crop is a `(2, 3)` matrix from pixels of the original image to pixels of the network's input; pixel
centres have whole coordinates. As in PoseResNet's release, the box's middle goes to the input's middle and
its width to the input's width; its height plays no part.
"""

from __future__ import annotations

import math

import tensorflow as tf

__all__ = [
    "IMAGENET_DEVIATION",
    "IMAGENET_MEAN",
    "apply_affine",
    "crop_matrices",
    "draw_augmentation",
    "invert_affine",
    "normalize_pixels",
    "projection_matrices",
    "warp",
]

# Of red, green and blue, pixels in [0, 1].
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)

# Of training images, the share that is turned.
_TURNED = 0.6


def crop_matrices(
    centre: tf.Tensor, width: tf.Tensor, rotation: tf.Tensor, size: tuple[int, int]
) -> tf.Tensor:
    """Crops of boxes.

    Args:
        centre: `(N, 2)` middle of the box, pixels of the original image.
        width: `(N,)` of the box, pixels of the original image.
        rotation: `(N,)` degrees by which the box is turned clockwise.
        size: Width and height of the network's input.

    Returns:
        `(N, 2, 3)` float32.
    """
    scale = size[0] / width
    angle = rotation * (math.pi / 180)
    cosine, sine = scale * tf.cos(angle), scale * tf.sin(angle)
    linear = tf.stack([tf.stack([cosine, sine], -1), tf.stack([-sine, cosine], -1)], -2)
    middle = tf.constant([size[0] / 2, size[1] / 2], tf.float32)
    offset = middle - tf.linalg.matvec(linear, centre)
    return tf.concat([linear, offset[..., None]], axis=-1)


def invert_affine(matrices: tf.Tensor) -> tf.Tensor:
    """The inverses of `(..., 2, 3)` affine matrices."""
    a, b, c, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 0], matrices[..., 1, 1]
    determinant = (a * d - b * c)[..., None, None]
    linear = tf.stack([tf.stack([d, -b], -1), tf.stack([-c, a], -1)], -2) / determinant
    offset = -tf.linalg.matvec(linear, matrices[..., 2])
    return tf.concat([linear, offset[..., None]], axis=-1)


def apply_affine(matrices: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Points `(..., P, 2)` mapped by `(..., 2, 3)` affine matrices."""
    mapped = tf.linalg.matmul(points, matrices[..., :2], transpose_b=True)
    return mapped + matrices[..., None, :, 2]


def draw_augmentation(
    count: int | tf.Tensor, key: tf.Tensor, scale_factor: float, rotation_factor: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """The release's random scale and rotation.

    Args:
        count: N, how many to draw.
        key: `(2,)` int64, of `tf.random.stateless_*`.
        scale_factor: Standard deviation of the scale round 1, cut at that.
        rotation_factor: Standard deviation of the rotation in degrees, cut at twice that, for 60 % of images.

    Returns:
        `(N,)` factors of the box's width, `(N,)` rotations in degrees.
    """
    keys = tf.random.split(key, 3)
    scale = tf.clip_by_value(
        1 + scale_factor * tf.random.stateless_normal([count], keys[0]), 1 - scale_factor, 1 + scale_factor
    )
    rotation = tf.clip_by_value(
        rotation_factor * tf.random.stateless_normal([count], keys[1]),
        -2 * rotation_factor,
        2 * rotation_factor,
    )
    turned = tf.random.stateless_uniform([count], keys[2]) <= _TURNED
    return scale, tf.where(turned, rotation, 0.0)


def warp(images: tf.Tensor, matrices: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Crops of images by bilinear sampling; black outside the image.

    Args:
        images: `(N, height, width, 3)` of any number type.
        matrices: `(N, 2, 3)` crops.
        size: Width and height of the result.

    Returns:
        `(N, size[1], size[0], 3)` float32, in the scale of the images.
    """
    inverse = tf.reshape(invert_affine(matrices), [-1, 6])
    transforms = tf.concat([inverse, tf.zeros([tf.shape(inverse)[0], 2])], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=transforms,
        output_shape=tf.constant([size[1], size[0]], tf.int32),
        fill_value=tf.constant(0.0),
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def normalize_pixels(images: tf.Tensor, bgr: bool) -> tf.Tensor:
    """Pixels of 0 to 255 less ImageNet's mean, over its deviation.

    Args:
        images: `(..., 3)` float32, red, green, blue.
        bgr: Turn the channels round first. Mean and deviation stay in the order of red, green, blue all
            the same, as in the release, whose images come from OpenCV.
    """
    if bgr:
        images = images[..., ::-1]
    return (images / 255 - tf.constant(IMAGENET_MEAN)) / tf.constant(IMAGENET_DEVIATION)


def projection_matrices(
    rotation: tf.Tensor, centre: tf.Tensor, intrinsics: tf.Tensor, crop: tf.Tensor
) -> tf.Tensor:
    """World to pixels of the network's input.

    Args:
        rotation: `(..., 3, 3)` world to camera.
        centre: `(..., 3)` camera centre, world, millimetres.
        intrinsics: `(..., 4)` fx, fy, cx, cy.
        crop: `(..., 2, 3)`.

    Returns:
        `(..., 3, 4)` float32; `x ~ P (X, 1)` with X in millimetres.
    """
    focal = tf.linalg.diag(intrinsics[..., :2])
    calibration = tf.concat([focal, intrinsics[..., 2:, None]], axis=-1)
    # The crop acts on pixels (u, v, 1): its last column meets the third row of the calibration, (0, 0, 1).
    upper = tf.linalg.matmul(crop[..., :2], calibration)
    upper = upper + tf.concat([tf.zeros_like(crop[..., :2]), crop[..., 2:]], axis=-1)
    lower = tf.zeros_like(upper[..., :1, :]) + tf.constant([0.0, 0.0, 1.0])
    offset = -tf.linalg.matvec(rotation, centre)
    extrinsics = tf.concat([rotation, offset[..., None]], axis=-1)
    return tf.linalg.matmul(tf.concat([upper, lower], axis=-2), extrinsics)
