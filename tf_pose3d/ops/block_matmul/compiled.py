"""The compiled product with a block matrix as a TensorFlow function, with its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from tf_pose3d.ops.dispatch import CompiledOperation
from tf_pose3d.ops.loader import Library, Op
from tf_pose3d.types import Tensor

_ATTRIBUTES = ("present", "outputs", "max_norm")


def block_matmul(x: Tensor, kernel: Tensor, present: np.ndarray, max_norm: bool) -> Tensor:
    """The compiled counterpart of `operation.block_matmul`."""
    result = OPERATION.library.tf_pose3d_block_matmul(
        x=x,
        kernel=kernel,
        present=present.ravel().tolist(),
        outputs=present.shape[1],
        max_norm=max_norm,
    )
    return result.y


def _gradient(library: Library, op: Op, grad_y: Tensor, _: Tensor) -> list[Any]:
    x, kernel = op.inputs
    y, scale = op.outputs
    attributes = {name: op.get_attr(name) for name in _ATTRIBUTES}
    return list(
        library.tf_pose3d_block_matmul_grad(x=x, kernel=kernel, y=y, scale=scale, grad_y=grad_y, **attributes)
    )


OPERATION = CompiledOperation("block_matmul", {"TfPose3dBlockMatmul": _gradient})
