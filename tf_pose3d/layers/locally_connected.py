"""Layers whose weights between joints follow a graph."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from tf_pose3d.ops.block_matmul import BlockPattern, block_matmul, norm_scale
from tf_pose3d.types import Tensor

__all__ = ["JointMask", "LocallyConnected"]


# Below this many numbers a block, one dense product is faster than products of what is present.
_SMALL_BLOCK = 1024


def _kaiming(shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
    """The release's initial values: a truncated normal times sqrt(2 / first axis), biases included."""
    return keras.random.truncated_normal(shape, stddev=1.0, dtype=dtype) * (2.0 / shape[0]) ** 0.5


@keras.saving.register_keras_serializable(package="tf_pose3d")
class JointMask(keras.layers.Layer):
    """A learned mask: softmax over each column of a `(J, J)` weight, zero where the graph has no link.

    Source: LCN's release, `locally_connected_learnable`.

    Args:
        mask: `(J, J)`; where it is zero, the result is.
        initial: `"same"` starts from `mask`, `"ones"` from ones, `"random"` from numbers in [0, 1].

    It is used by its `values`; called on anything it gives the same.
    """

    def __init__(self, mask: Sequence[Sequence[float]], initial: str = "random", **kwargs: object) -> None:
        super().__init__(**kwargs)
        if initial not in ("same", "ones", "random"):
            raise ValueError(f"initial is {initial!r}, expected same, ones or random")
        self.mask = np.asarray(mask, np.float32)
        self.initial = initial

    def build(self, input_shape: object = None) -> None:
        initializer = {
            "same": lambda shape, dtype=None: ops.convert_to_tensor(self.mask, dtype),
            "ones": "ones",
            "random": keras.initializers.RandomUniform(0.0, 1.0),
        }[self.initial]
        self.logits = self.add_weight(shape=self.mask.shape, initializer=initializer, name="mask")

    def values(self) -> Tensor:
        """`(J, J)`: the mask."""
        present = ops.cast(ops.convert_to_tensor(self.mask != 0), self.logits.dtype)
        return ops.softmax(ops.convert_to_tensor(self.logits), axis=0) * present

    def call(self, inputs: object = None) -> Tensor:
        return self.values()

    def get_config(self) -> dict:
        return {**super().get_config(), "mask": self.mask.tolist(), "initial": self.initial}


@keras.saving.register_keras_serializable(package="tf_pose3d")
class LocallyConnected(keras.layers.Layer):
    """A dense layer over all joints' features whose weights between two joints are scaled by a mask.

    The kernel is one dense matrix. With `max_norm` it is first scaled down to Frobenius norm 1, then block
    (i, j), which leads from joint i to joint j, is multiplied by `mask[i, j]`. Blocks that the mask turns
    off enter the result through the norm alone; no arithmetic is spent on them.

    Args:
        units: Features per joint of the output.
        mask: `(J, J)` numbers.
        max_norm: Whether the kernel's norm is held at 1.
        blockwise: Whether to multiply block by block; None decides by the blocks' size.

    Input: `(B, J * C)`; output: `(B, J * units)`. `call` takes another mask than its own as a second
    argument, which must be zero where its own is.
    """

    def __init__(
        self,
        units: int,
        mask: Sequence[Sequence[float]],
        max_norm: bool = True,
        blockwise: bool | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.mask = np.asarray(mask, np.float32)
        self.max_norm = max_norm
        self.blockwise = blockwise
        self.pattern = BlockPattern(self.mask != 0)
        self.binary = bool(np.isin(self.mask, (0, 1)).all())

    def build(self, input_shape: tuple) -> None:
        joints, width = len(self.mask), input_shape[-1]
        if width % joints:
            raise ValueError(f"{width} input features are no multiple of {joints} joints")
        self.features = width // joints
        self.kernel = self.add_weight(shape=(width, joints * self.units), initializer=_kaiming, name="kernel")
        self.bias = self.add_weight(shape=(joints * self.units,), initializer=_kaiming, name="bias")

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], len(self.mask) * self.units)

    def _spread(self, mask: Tensor) -> Tensor:
        """A mask over joints as one over the kernel's numbers."""
        return ops.repeat(ops.repeat(mask, self.features, axis=0), self.units, axis=1)

    def effective_kernel(self, joint_mask: Tensor | None = None) -> Tensor:
        """`(J * C, J * units)`: the matrix that inputs are multiplied with."""
        mask = ops.convert_to_tensor(self.mask) if joint_mask is None else joint_mask
        kernel = ops.convert_to_tensor(self.kernel)
        scaled = kernel * norm_scale(kernel) if self.max_norm else kernel
        return scaled * self._spread(mask)

    def product(self, inputs: Tensor, joint_mask: Tensor | None = None) -> Tensor:
        """The layer's output without its bias."""
        kernel = ops.convert_to_tensor(self.kernel)
        blockwise = self.blockwise
        if blockwise is None:
            blockwise = self.features * self.units >= _SMALL_BLOCK and self.pattern.density < 1
        if blockwise and joint_mask is None and self.binary:
            return block_matmul(inputs, kernel, self.pattern, self.max_norm)
        mask = ops.convert_to_tensor(self.mask) if joint_mask is None else joint_mask
        masked = kernel * ops.cast(self._spread(mask), kernel.dtype)
        product = block_matmul(inputs, masked, self.pattern) if blockwise else ops.matmul(inputs, masked)
        if self.max_norm:
            # Scaling the few outputs costs less than scaling the many weights.
            product = product * ops.cast(norm_scale(kernel), product.dtype)
        return product

    def call(self, inputs: Tensor, joint_mask: Tensor | None = None) -> Tensor:
        return self.product(inputs, joint_mask) + self.bias

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "units": self.units,
            "mask": self.mask.tolist(),
            "max_norm": self.max_norm,
            "blockwise": self.blockwise,
        }
