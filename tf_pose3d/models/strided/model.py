"""The network of Strided Transformer."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from tf_pose3d.layers.batch_normalization import UnbiasedBatchNormalization
from tf_pose3d.layers.initial_weights import linear
from tf_pose3d.layers.layer_normalization import UnbiasedLayerNormalization
from tf_pose3d.layers.learned_tokens import LearnedPosition
from tf_pose3d.layers.strided_length import strided_length
from tf_pose3d.layers.transformer import StridedTransformerBlock, TransformerBlock
from tf_pose3d.models.pose_model import PoseModel

__all__ = ["StridedTransformer"]

_PADDING = (1, 1)


@keras.saving.register_keras_serializable(package="tf_pose3d")
class StridedTransformer(PoseModel):
    """Transformer over a window of 2D poses whose last blocks shorten it to the centre frame.

    Li et al., "Exploiting temporal contexts with strided transformer for 3D human pose estimation", IEEE
    Transactions on Multimedia 2022, and its release. One position embedding is shared by the first blocks;
    each strided block adds its own, whose first vectors count where the sequence is shorter. The release
    holds a layer norm behind either part that it never runs; they are kept as weights that are not trained.

    Args:
        frames: Frames N in a window.
        joints: Joints J.
        channels: Width C of a frame token.
        hidden: Width inside the MLPs.
        depth: Blocks before the strided ones.
        strides: Of the strided blocks; they must end in one token.
        num_heads: Attention heads.
        dropout: Rate on attention weights, on both branches' outputs and inside the MLPs.
        encoder_dropout: Rate on the frame tokens.

    Input (dict): keypoints_2d `(B, N, J, 2)` normalised screen coordinates; further channels are passed over.
    Output (dict), metres, relative to the root, camera frame:
        pose_3d: `(B, J, 3)`, the centre frame.
        pose_3d_sequence: `(B, N, J, 3)`, every frame, from the part before the strided blocks.
    """

    def __init__(
        self,
        frames: int = 351,
        joints: int = 17,
        channels: int = 256,
        hidden: int = 512,
        depth: int = 3,
        strides: tuple[int, ...] = (3, 9, 13),
        num_heads: int = 8,
        dropout: float = 0.1,
        encoder_dropout: float = 0.25,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {
            "frames": frames,
            "joints": joints,
            "channels": channels,
            "hidden": hidden,
            "depth": depth,
            "strides": tuple(strides),
            "num_heads": num_heads,
            "dropout": dropout,
            "encoder_dropout": encoder_dropout,
        }
        self.frames = frames
        self.joints = joints
        self.temporal_dim = channels
        policy = self.dtype_policy
        block = {
            "num_heads": num_heads,
            "mlp_ratio": hidden / channels,
            "activation": "relu",
            "attention_dropout": dropout,
            "dropout": dropout,
            "inner_dropout": dropout,
            "epsilon": 1e-6,
            "unbiased_norm": True,
            "initial": "torch",
            "dtype": policy,
        }
        self.encoder = linear(channels, 2 * joints, "torch", dtype=policy, name="encoder")
        self.encoder_norm = UnbiasedBatchNormalization(dtype=policy, name="encoder_norm")
        self.encoder_dropout = keras.layers.Dropout(encoder_dropout, dtype=policy, name="encoder_dropout")
        self.position = self._position("position")
        self.blocks = [
            TransformerBlock(channels, name=f"block_{index + 1}", **block) for index in range(depth)
        ]
        self.idle_norm = UnbiasedLayerNormalization(dtype=policy, name="idle_norm")
        self.strided_positions, self.strided_blocks, length = [], [], frames
        for index, stride in enumerate(strides, start=1):
            self.strided_positions.append(self._position(f"strided_position_{index}"))
            self.strided_blocks.append(
                StridedTransformerBlock(
                    channels,
                    length=length,
                    stride=stride,
                    padding=_PADDING,
                    name=f"strided_block_{index}",
                    **block,
                )
            )
            length = strided_length(length, stride, _PADDING)
        if length != 1:
            raise ValueError(f"strides {strides} leave {length} of {frames} frames, not one")
        self.idle_strided_norm = UnbiasedLayerNormalization(dtype=policy, name="idle_strided_norm")
        for layer in (self.idle_norm, self.idle_strided_norm):
            layer.trainable = False
        self.sequence_norm = UnbiasedBatchNormalization(dtype=policy, name="sequence_norm")
        self.sequence_head = linear(3 * joints, channels, "torch", dtype="float32", name="sequence_head")
        self.centre_norm = UnbiasedBatchNormalization(dtype=policy, name="centre_norm")
        self.centre_head = linear(3 * joints, channels, "torch", dtype="float32", name="centre_head")

    def _position(self, name: str) -> LearnedPosition:
        normal = keras.initializers.RandomNormal(stddev=1.0)
        return LearnedPosition(self.frames, self.temporal_dim, normal, dtype=self.dtype_policy, name=name)

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        return {"keypoints_2d": (None, self.frames, self.joints, 2)}

    def build(self, input_shape: object = None) -> None:
        """Creates every weight; no input is needed, as all shapes follow from the arguments."""
        self.encoder.build((None, 2 * self.joints))
        layers: list[keras.layers.Layer] = [
            self.position,
            *self.blocks,
            *self.strided_positions,
            *self.strided_blocks,
        ]
        for layer in layers:
            layer.build()
        rows = (None, self.temporal_dim)
        for layer in (
            self.encoder_norm,
            self.idle_norm,
            self.idle_strided_norm,
            self.sequence_norm,
            self.sequence_head,
            self.centre_norm,
            self.centre_head,
        ):
            layer.build(rows)
        self.built = True

    def encode_frames(self, keypoints: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """`(M, J, 2)` normalised poses -> `(M, C)` tokens, each frame alone."""
        poses = ops.cast(keypoints[..., :2], self.compute_dtype)
        tokens = self.encoder(ops.reshape(poses, (-1, 2 * self.joints)))
        tokens = ops.relu(self.encoder_norm(tokens, training=training))
        return self.encoder_dropout(tokens, training=training)

    def replacement_token(self) -> keras.KerasTensor:
        """`(1, C)` zeros: every frame has a 2D pose here."""
        return ops.zeros((1, self.temporal_dim), dtype=self.compute_dtype)

    def lift_tokens(
        self,
        tokens: keras.KerasTensor,
        stride_mask: keras.KerasTensor | None = None,
        training: bool | None = None,
        sequence: bool = True,
    ) -> dict[str, keras.KerasTensor]:
        """Everything behind the frame encoder.

        Args:
            tokens: `(B, N, C)`.
            stride_mask: Not read: every frame has a 2D pose.
            training: Whether dropout and batch statistics are on.
            sequence: Whether to compute `pose_3d_sequence`.

        Returns:
            The model's output dict.
        """
        tokens = self.position(tokens)
        for block in self.blocks:
            tokens = block(tokens, training=training)
        outputs = {}
        if sequence:
            rows = ops.reshape(tokens, (-1, self.temporal_dim))
            poses = self.sequence_head(self.sequence_norm(rows, training=training))
            outputs["pose_3d_sequence"] = ops.reshape(poses, (-1, self.frames, self.joints, 3))
        for position, block in zip(self.strided_positions, self.strided_blocks, strict=True):
            tokens = block(position(tokens), training=training)
        centre = self.centre_head(self.centre_norm(tokens[:, 0], training=training))
        outputs["pose_3d"] = ops.reshape(centre, (-1, self.joints, 3))
        return outputs

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
