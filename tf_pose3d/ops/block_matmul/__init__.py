"""Matrix products in which whole blocks of the matrix are known to be zero."""

from tf_pose3d.ops.block_matmul.operation import BlockPattern, block_matmul, norm_scale

__all__ = ["BlockPattern", "block_matmul", "norm_scale"]
