"""The network of MixSTE."""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
from keras import ops

from tf_pose3d.layers.drop_path import drop_path_rates
from tf_pose3d.layers.initial_weights import linear
from tf_pose3d.layers.layer_normalization import LayerNormalization
from tf_pose3d.layers.learned_tokens import LearnedPosition
from tf_pose3d.layers.space_time import joints_in_rows, swap_frames_and_joints
from tf_pose3d.layers.transformer import TransformerBlock
from tf_pose3d.models.sequence_model import SequenceModel

__all__ = ["MixSTE"]

Tensor: TypeAlias = keras.KerasTensor

_EPSILON = 1e-6


@keras.saving.register_keras_serializable(package="tf_pose3d")
class MixSTE(SequenceModel):
    """Blocks over a frame's joints and over a joint's frames in turn, each followed by a norm that all share.

    Zhang et al., "MixSTE: seq2seq mixed spatio-temporal encoder for 3D human pose estimation in video", CVPR
    2022. Its release has no licence: this is written anew, from what it computes.

    Args:
        frames: Frames F of a clip.
        joints: Joints J.
        width: Width of a token.
        depth: Blocks over joints, and as many over frames.
        num_heads, mlp_ratio, qkv_bias: Of every block.
        attention_dropout, dropout: Rates of every block; `dropout` also behind the embeddings.
        drop_path: Highest stochastic depth rate.

    Input (dict): keypoints_2d `(B, F, J, 2)` normalised; further channels are passed over.
    Output (dict), metres, camera frame: pose_3d_sequence `(B, F, J, 3)`, the network's own output, whose root
    is predicted like every joint; pose_3d `(B, J, 3)`, its middle frame.
    """

    def __init__(
        self,
        frames: int = 243,
        joints: int = 17,
        width: int = 512,
        depth: int = 8,
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
            "width": width,
            "depth": depth,
            "num_heads": num_heads,
            "mlp_ratio": mlp_ratio,
            "qkv_bias": qkv_bias,
            "attention_dropout": attention_dropout,
            "dropout": dropout,
            "drop_path": drop_path,
        }
        self.frames, self.joints, self.width = frames, joints, width
        policy = self.dtype_policy

        def block(name: str, rate: float) -> TransformerBlock:
            return TransformerBlock(
                width,
                num_heads,
                mlp_ratio=mlp_ratio,
                qkv_bias=qkv_bias,
                attention_dropout=attention_dropout,
                dropout=dropout,
                inner_dropout=dropout,
                drop_path=rate,
                epsilon=_EPSILON,
                initial="torch",
                dtype=policy,
                name=name,
            )

        rates = drop_path_rates(drop_path, depth)
        self.joint_embedding = linear(width, self.token_inputs, "torch", dtype=policy, name="joint_embedding")
        self.joint_position = LearnedPosition(joints, width, "zeros", dtype=policy, name="joint_position")
        self.frame_position = LearnedPosition(frames, width, "zeros", dtype=policy, name="frame_position")
        self.position_dropout = keras.layers.Dropout(dropout, dtype=policy, name="position_dropout")
        self.spatial_blocks = [block(f"spatial_block_{i}", rate) for i, rate in enumerate(rates, start=1)]
        self.temporal_blocks = [block(f"temporal_block_{i}", rate) for i, rate in enumerate(rates, start=1)]
        self.spatial_norm = LayerNormalization(epsilon=_EPSILON, dtype=policy, name="spatial_norm")
        self.temporal_norm = LayerNormalization(epsilon=_EPSILON, dtype=policy, name="temporal_norm")
        self.head_norm = LayerNormalization(epsilon=1e-5, dtype=policy, name="head_norm")
        self.head = linear(3, width, "torch", dtype="float32", name="head")

    # Numbers of a keypoint, and of what a token is made of.
    channels = 2
    token_inputs = 2

    def build(self, input_shape: object = None) -> None:
        """Creates every weight; no input is needed, as all shapes follow from the arguments."""
        self.joint_embedding.build((None, self.token_inputs))
        layers: tuple[keras.layers.Layer, ...] = (
            self.joint_position,
            self.frame_position,
            *self.spatial_blocks,
            *self.temporal_blocks,
        )
        for layer in layers:
            layer.build(None)
        for layer in (self.spatial_norm, self.temporal_norm, self.head_norm, self.head):
            layer.build((None, self.width))
        self.built = True

    def lift(self, values: Tensor, training: bool | None = None, shift: Tensor | None = None) -> Tensor:
        """The network on a clip.

        Args:
            values: `(B, F, J, token_inputs)`.
            training: Whether dropout and stochastic depth are on.
            shift: `(B, 1, 1, width)`, added to the tokens beside the joints' embedding; or None.

        Returns:
            `(B, F, J, 3)`.
        """
        frames, joints = self.frames, self.joints
        rows = self.joint_embedding(ops.reshape(values, (-1, self.token_inputs)))
        tokens = self.joint_position(ops.reshape(rows, (-1, frames, joints, self.width)))
        if shift is not None:
            tokens = tokens + ops.cast(shift, tokens.dtype)
        tokens = joints_in_rows(self.position_dropout(tokens, training=training))
        for index, (spatial, temporal) in enumerate(
            zip(self.spatial_blocks, self.temporal_blocks, strict=True)
        ):
            tokens = self.spatial_norm(spatial(tokens, training=training))
            tokens = swap_frames_and_joints(tokens, frames)
            if index == 0:
                tokens = self.position_dropout(self.frame_position(tokens), training=training)
            tokens = self.temporal_norm(temporal(tokens, training=training))
            tokens = swap_frames_and_joints(tokens, joints)
        rows = self.head(self.head_norm(ops.reshape(tokens, (-1, self.width))))
        return ops.reshape(rows, (-1, frames, joints, 3))

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        poses = self.lift(self._clip(inputs), training=training)
        return {"pose_3d": poses[:, self.frames // 2], "pose_3d_sequence": poses}
