"""The simple baseline of Martinez et al."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from tf_pose3d.layers.batch_normalization import UnbiasedBatchNormalization
from tf_pose3d.layers.normed_linear import NormedRows
from tf_pose3d.models.pose_model import PoseModel
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Tensor

__all__ = ["LinearBlock", "MartinezNet"]


def _he_normal() -> keras.initializers.Initializer:
    # PyTorch's kaiming_normal_, which is not truncated.
    return keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")


@keras.saving.register_keras_serializable(package="tf_pose3d")
class LinearBlock(NormedRows):
    """Dense layer, batch normalisation, ReLU and dropout.

    Args:
        units: Output features.
        dropout: Rate.

    Input: `(B, C)`. Output: `(B, units)`.
    """

    def __init__(self, units: int, dropout: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.dense = keras.layers.Dense(units, kernel_initializer=_he_normal(), name="dense")
        self.norm = UnbiasedBatchNormalization(name="norm")
        self.dropout = float(dropout)
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: tuple) -> None:
        self.dense.build(input_shape)
        self.norm.build((None, self.units))

    # While folded, `(units, C)`; see `columns`.
    _turned: Tensor | None = None

    def fold(self) -> None:
        super().fold()
        # Products in half precision are of rows.
        self._turned = None if self.product_dtype else ops.transpose(self.effective_kernel)

    def unfold(self) -> None:
        super().unfold()
        self._turned = None

    @property
    def has_columns(self) -> bool:
        """Whether `columns` can be called."""
        return self._turned is not None

    def columns(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """The layer of `(C, B)`, poses side by side, gives `(units, B)`; for inference while folded.

        Large weights by few poses are multiplied faster than few poses by large weights.
        """
        assert self._turned is not None
        assert self._folded is not None
        return ops.relu(ops.matmul(self._turned, features) + ops.expand_dims(self._folded[1], -1))

    @property
    def kernel(self) -> keras.Variable:
        return self.dense.kernel

    @property
    def bias(self) -> keras.Variable:
        return self.dense.bias

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units, "dropout": self.dropout}


@keras.saving.register_keras_serializable(package="tf_pose3d")
class MartinezNet(PoseModel):
    """Fully connected residual network from all 2D joints to all 3D joints at once.

    Martinez et al., "A simple yet effective baseline for 3D human pose estimation", ICCV 2017, in the form
    of SemGCN's release: no normalisation of poses, and a hip that is not predicted but put in front as zero.

    Args:
        skeleton: Name of the joint layout; its first joint is the root.
        width: Features of the hidden layers.
        stages: Residual stages of two blocks.
        dropout: Rate.

    Input (dict): keypoints_2d `(B, J, 2)` or `(B, 1, J, 2)`, normalised screen coordinates.
    Output (dict): pose_3d `(B, J, 3)`, metres, relative to the root, camera frame.

    Attributes:
        cpu_batch: Poses at once in inference on CPUs: so many, as each reads 17 MB of weights.
    """

    cpu_batch = 1024

    def __init__(
        self,
        skeleton: str = "h36m_16",
        width: int = 1024,
        stages: int = 2,
        dropout: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {"skeleton": skeleton, "width": width, "stages": stages, "dropout": dropout}
        self.joints = get_skeleton(skeleton).num_joints
        self.input_block = LinearBlock(width, dropout, name="input_block")
        self.stage_blocks = [
            LinearBlock(width, dropout, name=f"stage{stage}_block{half}")
            for stage in range(stages)
            for half in (1, 2)
        ]
        limit = 1 / math.sqrt(width)
        self.output_layer = keras.layers.Dense(
            3 * (self.joints - 1),
            kernel_initializer=_he_normal(),
            # PyTorch's default. Biases in front of a normalisation have no effect and start at 0.
            bias_initializer=keras.initializers.RandomUniform(-limit, limit),
            name="output_layer",
        )

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        return {"keypoints_2d": (None, 1, self.joints, 2)}

    def build(self, input_shape: object = None) -> None:
        self.input_block.build((None, 2 * self.joints))
        for layer in (*self.stage_blocks, self.output_layer):
            layer.build((None, self.settings["width"]))
        self.built = True

    def call(
        self, inputs: dict[str, keras.KerasTensor], training: bool | None = None
    ) -> dict[str, keras.KerasTensor]:
        rows = ops.reshape(inputs["keypoints_2d"], (-1, 2 * self.joints))
        sideways = self.input_block.has_columns and not training

        def apply(block: LinearBlock, features: keras.KerasTensor) -> keras.KerasTensor:
            return block.columns(features) if sideways else block(features, training=training)

        features = apply(self.input_block, ops.transpose(rows) if sideways else rows)
        for first, second in zip(self.stage_blocks[::2], self.stage_blocks[1::2], strict=True):
            features = features + apply(second, apply(first, features))
        if sideways:
            features = ops.transpose(features)
        pose = ops.reshape(self.output_layer(features), (-1, self.joints - 1, 3))
        return {"pose_3d": ops.pad(pose, [[0, 0], [1, 0], [0, 0]])}

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}
