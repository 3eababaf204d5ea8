"""Layer normalization over the last axis."""

from tf_pose3d.ops.layer_norm.operation import layer_norm

__all__ = ["layer_norm"]
