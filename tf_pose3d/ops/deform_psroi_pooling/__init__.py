"""Deformable (position-sensitive) RoI pooling.

No family calls it: its library is one of its own, which its first call builds.
"""

from tf_pose3d.ops.deform_psroi_pooling.operation import deform_psroi_pooling

__all__ = ["deform_psroi_pooling"]
