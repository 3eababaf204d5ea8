"""Mirror images of joints, whose predictions are averaged with those of the joints themselves."""

from __future__ import annotations

import tensorflow as tf

__all__ = ["mirror_joints"]


def mirror_joints(values: tf.Tensor, flip_order: tf.Tensor) -> tf.Tensor:
    """Swaps left and right joints (axis -2) and negates x, the first of the numbers of each."""
    signs = tf.constant([-1.0] + [1.0] * (values.shape[-1] - 1), values.dtype)
    return tf.gather(values, flip_order, axis=-2) * signs
