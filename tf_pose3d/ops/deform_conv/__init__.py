"""Deformable convolution, version 1 and (with a mask) version 2."""

from tf_pose3d.ops.deform_conv.operation import deform_conv2d

__all__ = ["deform_conv2d"]
