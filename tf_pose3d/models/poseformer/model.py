"""The network of PoseFormer."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_pose3d.layers.drop_path import drop_path_rates
from tf_pose3d.layers.initial_weights import linear, linear_initializers
from tf_pose3d.layers.layer_normalization import LayerNormalization
from tf_pose3d.layers.learned_tokens import LearnedPosition
from tf_pose3d.layers.transformer import TransformerBlock
from tf_pose3d.models.pose_model import PoseModel

__all__ = ["FrameMean", "PoseFormer"]

_EPSILON = 1e-6


@keras.saving.register_keras_serializable(package="tf_pose3d")
class FrameMean(keras.layers.Layer):
    """Learned weighted sum over frames, plus a bias.

    Args:
        frames: Frames N.

    Input: `(B, N, C)`. Output: `(B, C)`.
    """

    def __init__(self, frames: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.frames = frames

    def build(self, input_shape: tuple | None = None) -> None:
        drawn = linear_initializers(self.frames, "torch")
        self.kernel = self.add_weight(
            name="kernel", shape=(self.frames,), initializer=drawn["kernel_initializer"]
        )
        self.bias = self.add_weight(name="bias", shape=(), initializer=drawn["bias_initializer"])
        self.built = True

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        kernel, bias = (ops.cast(weight, inputs.dtype) for weight in (self.kernel, self.bias))
        return ops.sum(inputs * kernel[:, None], axis=1) + bias

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], input_shape[2])

    def get_config(self) -> dict:
        return {**super().get_config(), "frames": self.frames}


@keras.saving.register_keras_serializable(package="tf_pose3d")
class PoseFormer(PoseModel):
    """Transformer over the joints of each frame, then over the frames of a window.

    Zheng et al., "3D human pose estimation with spatial and temporal transformers", ICCV 2021, and its
    release. The spatial part sees each frame alone, so that a frame's token is the same in every window.

    Args:
        frames: Frames N in a window.
        joints: Joints J.
        joint_dim: Width of a joint token; a frame token has `joints * joint_dim`.
        depth: Blocks of either part.
        num_heads, mlp_ratio, qkv_bias: Of every block.
        attention_dropout, dropout: Rates of every block; `dropout` also behind the position embeddings.
        drop_path: Highest stochastic depth rate of either part.

    Input (dict): keypoints_2d `(B, N, J, 2)` normalised screen coordinates; further channels are passed over.
    Output (dict): pose_3d `(B, J, 3)`, the centre frame, metres, relative to the root, camera frame.
    """

    def __init__(
        self,
        frames: int = 81,
        joints: int = 17,
        joint_dim: int = 32,
        depth: int = 4,
        num_heads: int = 8,
        mlp_ratio: float = 2.0,
        qkv_bias: bool = True,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {
            "frames": frames,
            "joints": joints,
            "joint_dim": joint_dim,
            "depth": depth,
            "num_heads": num_heads,
            "mlp_ratio": mlp_ratio,
            "qkv_bias": qkv_bias,
            "attention_dropout": attention_dropout,
            "dropout": dropout,
            "drop_path": drop_path,
        }
        self.frames = frames
        self.joints = joints
        self.joint_dim = joint_dim
        self.temporal_dim = joints * joint_dim
        policy = self.dtype_policy
        block = {
            "num_heads": num_heads,
            "mlp_ratio": mlp_ratio,
            "qkv_bias": qkv_bias,
            "attention_dropout": attention_dropout,
            "dropout": dropout,
            "inner_dropout": dropout,
            "epsilon": _EPSILON,
            "initial": "torch",
            "dtype": policy,
        }
        rates = drop_path_rates(drop_path, depth)
        self.joint_embedding = linear(joint_dim, 2, "torch", dtype=policy, name="joint_embedding")
        self.joint_position = LearnedPosition(joints, joint_dim, "zeros", dtype=policy, name="joint_position")
        self.frame_position = LearnedPosition(
            frames, self.temporal_dim, "zeros", dtype=policy, name="frame_position"
        )
        self.position_dropout = keras.layers.Dropout(dropout, dtype=policy, name="position_dropout")
        self.spatial_blocks = [
            TransformerBlock(joint_dim, drop_path=rate, name=f"spatial_block_{index}", **block)
            for index, rate in enumerate(rates, start=1)
        ]
        self.spatial_norm = LayerNormalization(epsilon=_EPSILON, dtype=policy, name="spatial_norm")
        self.temporal_blocks = [
            TransformerBlock(self.temporal_dim, drop_path=rate, name=f"temporal_block_{index}", **block)
            for index, rate in enumerate(rates, start=1)
        ]
        self.temporal_norm = LayerNormalization(epsilon=_EPSILON, dtype=policy, name="temporal_norm")
        self.frame_mean = FrameMean(frames, dtype=policy, name="frame_mean")
        self.head_norm = LayerNormalization(epsilon=1e-5, dtype=policy, name="head_norm")
        self.head = linear(3 * joints, self.temporal_dim, "torch", dtype="float32", name="head")

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        return {"keypoints_2d": (None, self.frames, self.joints, 2)}

    def build(self, input_shape: object = None) -> None:
        """Creates every weight; no input is needed, as all shapes follow from the arguments."""
        self.joint_embedding.build((None, 2))
        layers: list[keras.layers.Layer] = [
            self.joint_position,
            self.frame_position,
            *self.spatial_blocks,
            *self.temporal_blocks,
            self.frame_mean,
        ]
        for layer in layers:
            layer.build()
        self.spatial_norm.build((None, self.joint_dim))
        for layer in (self.temporal_norm, self.head_norm, self.head):
            layer.build((None, self.temporal_dim))
        self.built = True

    def encode_frames(self, keypoints: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Spatial part: `(M, J, 2)` normalised poses -> `(M, J * joint_dim)`, each frame alone."""
        rows = ops.reshape(ops.cast(keypoints[..., :2], self.compute_dtype), (-1, 2))
        tokens = ops.reshape(self.joint_embedding(rows), (-1, self.joints, self.joint_dim))
        tokens = self.position_dropout(self.joint_position(tokens), training=training)
        for block in self.spatial_blocks:
            tokens = block(tokens, training=training)
        return ops.reshape(self.spatial_norm(tokens), (-1, self.temporal_dim))

    def replacement_token(self) -> keras.KerasTensor:
        """`(1, J * joint_dim)` zeros: every frame has a 2D pose here."""
        return ops.zeros((1, self.temporal_dim), dtype=self.compute_dtype)

    def lift_tokens(
        self,
        tokens: keras.KerasTensor,
        stride_mask: keras.KerasTensor | None = None,
        training: bool | None = None,
        sequence: bool = True,
    ) -> dict[str, keras.KerasTensor]:
        """Temporal part and head.

        Args:
            tokens: `(B, N, J * joint_dim)`.
            stride_mask: Not read: every frame has a 2D pose.
            training: Whether dropout is on.
            sequence: Not read: there is no sequence output.

        Returns:
            The model's output dict.
        """
        tokens = self.position_dropout(self.frame_position(tokens), training=training)
        for block in self.temporal_blocks:
            tokens = block(tokens, training=training)
        centre = self.frame_mean(self.temporal_norm(tokens))
        return {"pose_3d": ops.reshape(self.head(self.head_norm(centre)), (-1, self.joints, 3))}

    def call(
        self, inputs: dict[str, keras.KerasTensor], training: bool | None = None
    ) -> dict[str, keras.KerasTensor]:
        keypoints = inputs["keypoints_2d"]
        frames = ops.reshape(keypoints, (-1, self.joints, keypoints.shape[-1]))
        tokens = self.encode_frames(frames, training=training)
        tokens = ops.reshape(tokens, (-1, self.frames, self.temporal_dim))
        return self.lift_tokens(tokens, training=training)

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}
