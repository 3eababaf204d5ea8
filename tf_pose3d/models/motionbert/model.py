"""The network of MotionBERT, the dual-stream spatio-temporal transformer."""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
from keras import ops

from tf_pose3d.layers.drop_path import drop_path_rates
from tf_pose3d.layers.initial_weights import linear
from tf_pose3d.layers.layer_normalization import LayerNormalization
from tf_pose3d.layers.learned_tokens import LearnedPosition
from tf_pose3d.layers.space_time import (
    AdaptiveFusion,
    joints_in_rows,
    swap_frames_and_joints,
)
from tf_pose3d.layers.transformer import TransformerBlock
from tf_pose3d.models.sequence_model import ImageSequenceModel

__all__ = ["MotionBERT"]

Tensor: TypeAlias = keras.KerasTensor

_EPSILON = 1e-6


@keras.saving.register_keras_serializable(package="tf_pose3d")
class MotionBERT(ImageSequenceModel):
    """Pairs of branches over one input: a frame's joints, then a joint's frames, and the other way round.

    Zhu et al., "MotionBERT: a unified perspective on learning human motion representations", ICCV 2023, and
    its release.

    Args:
        frames: Most frames of a clip; shorter ones take the first embeddings.
        joints: Joints J.
        channels: Numbers of a keypoint: x, y, confidence.
        width: Width of a token.
        representation: Width of the representation.
        depth: Pairs of branches.
        num_heads, mlp_ratio, qkv_bias: Of every block.
        attention_dropout, dropout: Rates of every block; `dropout` also behind the embeddings.
        drop_path: Highest stochastic depth rate.
        adaptive_fusion: Weigh the branches by what they hold; False: their mean.
        root_relative: Poses are relative to the root, see `rooted`.

    Inputs and outputs as of `ImageSequenceModel`, for any F up to `frames`.
    """

    _reads_shorter_windows = True

    def __init__(
        self,
        frames: int = 243,
        joints: int = 17,
        channels: int = 3,
        width: int = 512,
        representation: int = 512,
        depth: int = 5,
        num_heads: int = 8,
        mlp_ratio: float = 2.0,
        qkv_bias: bool = True,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        adaptive_fusion: bool = True,
        root_relative: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {
            "frames": frames,
            "joints": joints,
            "channels": channels,
            "width": width,
            "representation": representation,
            "depth": depth,
            "num_heads": num_heads,
            "mlp_ratio": mlp_ratio,
            "qkv_bias": qkv_bias,
            "attention_dropout": attention_dropout,
            "dropout": dropout,
            "drop_path": drop_path,
            "adaptive_fusion": adaptive_fusion,
            "root_relative": root_relative,
        }
        self.frames, self.joints, self.channels, self.width = frames, joints, channels, width
        self.root_relative = root_relative
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
                initial="normal",
                dtype=policy,
                name=name,
            )

        def embedding(length: int, name: str) -> LearnedPosition:
            normal = keras.initializers.RandomNormal(stddev=0.02)
            return LearnedPosition(length, width, normal, dtype=policy, name=name)

        self.joint_embedding = linear(width, channels, "normal", dtype=policy, name="joint_embedding")
        self.joint_position = embedding(joints, "joint_position")
        self.frame_position = embedding(frames, "frame_position")
        self.position_dropout = keras.layers.Dropout(dropout, dtype=policy, name="position_dropout")
        # Of each pair: spatial and temporal block of the branch that begins with joints, and of the other.
        self.branches: list[tuple[TransformerBlock, ...]] = []
        self.fusions: list[AdaptiveFusion] = []
        for index, rate in enumerate(drop_path_rates(drop_path, depth), start=1):
            names = [
                f"{branch}_{part}_{index}" for branch in ("st", "ts") for part in ("spatial", "temporal")
            ]
            self.branches.append(tuple(block(name, rate) for name in names))
            if adaptive_fusion:
                self.fusions.append(AdaptiveFusion(width, dtype=policy, name=f"fusion_{index}"))
        self.norm = LayerNormalization(epsilon=_EPSILON, dtype=policy, name="norm")
        self.representation = linear(
            representation, width, "normal", activation="tanh", dtype=policy, name="representation"
        )
        self.head = linear(3, representation, "normal", dtype="float32", name="head")

    def build(self, input_shape: object = None) -> None:
        """Creates every weight; no input is needed, as all shapes follow from the arguments."""
        self.joint_embedding.build((None, self.channels))
        blocks = [block for branch in self.branches for block in branch]
        layers: tuple[keras.layers.Layer, ...] = (
            self.joint_position,
            self.frame_position,
            *blocks,
            *self.fusions,
        )
        for layer in layers:
            layer.build(None)
        self.norm.build((None, self.width))
        self.representation.build((None, self.width))
        self.head.build((None, self.settings["representation"]))
        self.built = True

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        keypoints = self._clip(inputs)
        frames, joints = keypoints.shape[1], self.joints
        rows = self.joint_embedding(ops.reshape(keypoints, (-1, self.channels)))
        tokens = self.joint_position(ops.reshape(rows, (-1, frames, joints, self.width)))
        place = ops.cast(ops.convert_to_tensor(self.frame_position.embedding)[:frames], tokens.dtype)
        tokens = self.position_dropout(tokens + place[:, None], training=training)
        # Joints in rows and frames in rows are the same tokens in either order.
        tokens = joints_in_rows(tokens)
        for index, (first, second, third, fourth) in enumerate(self.branches):
            one = swap_frames_and_joints(first(tokens, training=training), frames)
            one = second(one, training=training)
            two = fourth(swap_frames_and_joints(tokens, frames), training=training)
            two = third(swap_frames_and_joints(two, joints), training=training)
            one = swap_frames_and_joints(one, joints)
            tokens = self.fusions[index](one, two) if self.fusions else (one + two) * 0.5
        rows = self.representation(self.norm(ops.reshape(tokens, (-1, self.width))))
        poses = ops.reshape(self.head(rows), (-1, frames, joints, 3))
        return self._outputs(inputs, poses, ops.reshape(rows, (-1, frames, joints, rows.shape[-1])))
