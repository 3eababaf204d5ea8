"""Bias, batch normalization, LeakyReLU and dropout of training as one operation."""

from tf_pose3d.ops.normed_activation.operation import normed_activation

__all__ = ["normed_activation"]
