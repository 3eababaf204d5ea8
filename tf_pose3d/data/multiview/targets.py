"""Gaussian heat maps of 2D joints."""

from __future__ import annotations

import tensorflow as tf

__all__ = ["heatmap_targets"]


def heatmap_targets(
    keypoints: tf.Tensor, visible: tf.Tensor, size: tuple[int, int], sigma: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Targets as in PoseResNet's release.

    A Gaussian of height 1 round the pixel nearest to the joint, cut off at three standard deviations along x
    and y. Joints that are not visible, or whose Gaussian lies outside altogether, have no target.

    Args:
        keypoints: `(..., J, 2)` heat-map pixels.
        visible: `(..., J)` bool.
        size: Width and height of the heat maps.
        sigma: Standard deviation, heat-map pixels.

    Returns:
        `(..., height, width, J)` float32 heat maps, `(..., J)` float32 weights, 1 or 0.
    """
    # The release truncates towards zero.
    middle = tf.cast(tf.cast(keypoints + 0.5, tf.int32), tf.float32)
    reach = 3 * sigma
    limits = tf.constant(size, tf.float32)
    inside = (middle - reach < limits) & (middle + reach + 1 >= 0)
    weights = tf.cast(visible & tf.reduce_all(inside, axis=-1), tf.float32)

    def bell(count: int, position: tf.Tensor) -> tf.Tensor:
        distance = tf.range(count, dtype=tf.float32)[:, None] - position[..., None, :]
        return tf.where(tf.abs(distance) <= reach, tf.exp(-(distance**2) / (2 * sigma**2)), 0.0)

    # A Gaussian is the product of one along y and one along x.
    across, down = bell(size[0], middle[..., 0]), bell(size[1], middle[..., 1])
    return down[..., :, None, :] * across[..., None, :, :] * weights[..., None, None, :], weights
