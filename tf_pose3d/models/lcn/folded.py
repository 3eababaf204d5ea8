"""LCN for inference: masks, norms and batch normalisation worked into the weights, once."""

from __future__ import annotations

import numpy as np
from keras import ops

from tf_pose3d.models.lcn.model import LCN
from tf_pose3d.ops.block_matmul import BlockPattern, block_matmul
from tf_pose3d.types import Tensor

__all__ = ["FoldedLCN"]


class FoldedLCN:
    """What a trained network computes at test time, with all that does not depend on the input done before.

    Its weights are a copy: training the network further does not change it.

    Args:
        model: A built network.

    `call` takes `(B, J, C)` normalised keypoints and gives `pose_image` `(B, J, 3)`, see `LCN`.
    """

    def __init__(self, model: LCN) -> None:
        self.num_joints = model.num_joints
        self.input_features = model.input_features
        self.residual = model.residual
        mask = model.mask
        self._pattern = BlockPattern(np.asarray(model.last.mask) != 0)
        self._layers = []
        for block in model.linear_blocks:
            norm, kernel = block.norm, _array(block.linear.effective_kernel(mask))
            scale = _array(norm.gamma) / np.sqrt(_array(norm.moving_variance) + norm.epsilon)
            shift = _array(norm.beta) - _array(norm.moving_mean) * scale
            scale, shift = (np.tile(values, self.num_joints) for values in (scale, shift))
            bias = _array(block.linear.bias) * scale + shift
            self._layers.append((_tensor(kernel * scale), _tensor(bias)))
        last = _array(model.last.effective_kernel(mask))
        self._layers.append((_tensor(last), _tensor(_array(model.last.bias))))

    def call(self, keypoints: Tensor) -> Tensor:
        joints = self.num_joints
        keypoints = ops.cast(keypoints[..., : self.input_features], "float32")
        features = self._hidden(0, ops.reshape(keypoints, (-1, joints * self.input_features)))
        for index in range(1, len(self._layers) - 1, 2):
            change = self._hidden(index + 1, self._hidden(index, features))
            features = features + change if self.residual else change
        pose = ops.reshape(self._linear(-1, features), (-1, joints, 3))
        return pose + ops.pad(keypoints[..., :2], ((0, 0), (0, 0), (0, 1)))

    __call__ = call

    def _linear(self, index: int, features: Tensor) -> Tensor:
        kernel, bias = self._layers[index]
        return block_matmul(features, kernel, self._pattern) + bias

    def _hidden(self, index: int, features: Tensor) -> Tensor:
        return ops.leaky_relu(self._linear(index, features), 0.2)


def _array(values: object) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(values), np.float64)


def _tensor(values: np.ndarray) -> Tensor:
    return ops.convert_to_tensor(values.astype(np.float32))
