"""Maxima of images along lines."""

from tf_pose3d.ops.line_maximum.operation import brightest_pixel, line_maximum

__all__ = ["brightest_pixel", "line_maximum"]
