"""The compiled product with a block matrix as a TensorFlow function, with its gradient."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops import loader, transformer_kernels

_ATTRIBUTES = ("present", "outputs", "max_norm")


def available(*tensors: Any) -> bool:
    """Whether the compiled operation serves these tensors: as `transformer_kernels.available` says."""
    return transformer_kernels.available(*tensors) and _library() is not None


def block_matmul(x: Any, kernel: Any, present: np.ndarray, max_norm: bool) -> Any:
    """The compiled counterpart of `block_matmul.block_matmul`."""
    result = _library().tf_pose3d_block_matmul(
        x=x,
        kernel=kernel,
        present=present.ravel().tolist(),
        outputs=present.shape[1],
        max_norm=max_norm,
    )
    return result.y


@functools.cache
def _library() -> Any | None:
    library = loader.load()
    if library is None:
        return None
    import tensorflow as tf

    @tf.RegisterGradient("TfPose3dBlockMatmul")
    def gradient(op: Any, grad_y: Any, _: Any) -> list[Any]:
        x, kernel = op.inputs
        y, scale = op.outputs
        return list(
            library.tf_pose3d_block_matmul_grad(
                x=x,
                kernel=kernel,
                y=y,
                scale=scale,
                grad_y=grad_y,
                **{name: op.get_attr(name) for name in _ATTRIBUTES},
            )
        )

    @tf.RegisterGradient("TfPose3dBlockMatmulGrad")
    def no_second_derivative(op: Any, *_: Any) -> None:
        raise Pose3DError(
            f"{op.type}: the compiled operations have no second derivatives; TF_POSE3D_OPS=reference has them"
        )

    return library
