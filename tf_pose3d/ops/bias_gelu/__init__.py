"""The exact GELU of a sum with a bias."""

from tf_pose3d.ops.bias_gelu.operation import bias_gelu

__all__ = ["bias_gelu"]
