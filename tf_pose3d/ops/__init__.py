"""Deformable convolution and deformable RoI pooling, as compiled TensorFlow operations with gradients.

Importing this package compiles and loads nothing. The first call on the TensorFlow backend loads the
compiled library, building it where a compiler is at hand; everywhere else, and under the other Keras
backends, the same functions are computed with `keras.ops`. See `docs/deform_conv.md`.
"""

from tf_pose3d.ops.deform_conv import deform_conv2d
from tf_pose3d.ops.deform_psroi_pooling import deform_psroi_pooling

__all__ = ["deform_conv2d", "deform_psroi_pooling"]
