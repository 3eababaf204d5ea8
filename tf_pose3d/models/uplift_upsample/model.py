"""The network of Uplift and Upsample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tf_pose3d.layers.drop_path import drop_path_rates
from tf_pose3d.layers.layer_normalization import LayerNormalization
from tf_pose3d.layers.learned_tokens import LearnedPosition, LearnedToken
from tf_pose3d.layers.strided_length import strided_length
from tf_pose3d.layers.transformer import StridedTransformerBlock, TransformerBlock
from tf_pose3d.models.pose_model import PoseModel

__all__ = ["UpliftUpsampleTransformer"]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class UpliftUpsampleTransformer(PoseModel):
    """Spatial, temporal and strided transformer over a window of 2D poses.

    Einfalt, Ludwig and Lienhart, "Uplift and Upsample: efficient 3D human pose estimation with
    uplifting transformers", WACV 2023. Layer names and the order of their weights are those of the
    released checkpoints.

    Args:
        sequence_length: Tokens N in a window.
        num_keypoints: Joints J.
        spatial_dim, temporal_dim: Widths of joint tokens and of frame tokens.
        spatial_depth, temporal_depth: Blocks of the spatial and of the temporal part; either may be 0.
        strides, paddings: One stride and one (before, after) padding per strided block; they must end
            in one token.
        num_heads, mlp_ratio, qkv_bias: Of every block.
        attention_dropout, dropout: Rates of every block.
        drop_path: Highest stochastic depth rate of the spatial, temporal and strided part.
        drop_path_temporal_released: The release spaces the temporal part's rates over `temporal_dim`
            values instead of over its blocks, which leaves them near 0. True reproduces that.
        output_bn: Batch normalisation before each head.
        sequence_head: Whether the head over all temporal tokens exists.
        strided_input: Whether some frames come without 2D pose, and one learned token replaces theirs.
        first_attended_layer: In this many first blocks nobody attends to replaced tokens. Temporal
            blocks count; without them the first strided block does, so that it is 0 or 1.
        token_mask_rate: Share of further tokens that training hides; never the centre.
        learned_mask_token: Hide those by a second learned token instead of zeros.

    Inputs (dict):
        keypoints_2d: `(B, N, J, 2)` normalised screen coordinates.
        stride_mask: `(B, N)` bool, True where the frame has a 2D pose. Needed with `strided_input`.
        visible_rows, visible_lookup: Optional, see `tf_pose3d.data.windows`: `(M,)` rows of the folded
            `(B * N)` frames that have a 2D pose, and `(B, N)` index into those M rows, M where there is
            none. With them masked frames cost nothing in the spatial part.

    Output (dict), metres, root-centred, camera frame:
        pose_3d: `(B, J, 3)`, the centre frame.
        pose_3d_sequence: `(B, N, J, 3)`, every frame; absent without temporal blocks or sequence head.
    """

    lifts_narrowed = True

    def __init__(
        self,
        sequence_length: int = 71,
        num_keypoints: int = 17,
        spatial_dim: int = 32,
        temporal_dim: int = 384,
        spatial_depth: int = 4,
        temporal_depth: int = 4,
        strides: Sequence[int] = (3, 10, 3),
        paddings: Sequence[Sequence[int]] | None = None,
        num_heads: int = 8,
        mlp_ratio: float = 2.0,
        qkv_bias: bool = True,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
        drop_path: Sequence[float] = (0.0, 0.0, 0.0),
        drop_path_temporal_released: bool = False,
        output_bn: bool = False,
        sequence_head: bool = True,
        strided_input: bool = False,
        first_attended_layer: int = 0,
        token_mask_rate: float = 0.0,
        learned_mask_token: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        given = ((1, 1),) * len(strides) if paddings is None else paddings
        pads = tuple((before, after) for before, after in given)
        self.settings = {
            "sequence_length": sequence_length,
            "num_keypoints": num_keypoints,
            "spatial_dim": spatial_dim,
            "temporal_dim": temporal_dim,
            "spatial_depth": spatial_depth,
            "temporal_depth": temporal_depth,
            "strides": tuple(strides),
            "paddings": pads,
            "num_heads": num_heads,
            "mlp_ratio": mlp_ratio,
            "qkv_bias": qkv_bias,
            "attention_dropout": attention_dropout,
            "dropout": dropout,
            "drop_path": tuple(drop_path),
            "drop_path_temporal_released": drop_path_temporal_released,
            "output_bn": output_bn,
            "sequence_head": sequence_head,
            "strided_input": strided_input,
            "first_attended_layer": first_attended_layer,
            "token_mask_rate": token_mask_rate,
            "learned_mask_token": learned_mask_token,
            "seed": seed,
        }
        self.sequence_length = sequence_length
        self.num_keypoints = num_keypoints
        self.spatial_dim = spatial_dim
        self.temporal_dim = temporal_dim
        self.strided_input = strided_input
        self.first_attended_layer = first_attended_layer
        self.token_mask_rate = token_mask_rate

        policy = self.dtype_policy
        block = {
            "num_heads": num_heads,
            "mlp_ratio": mlp_ratio,
            "qkv_bias": qkv_bias,
            "attention_dropout": attention_dropout,
            "dropout": dropout,
            "dtype": policy,
        }
        if spatial_depth:
            self.keypoint_embedding = keras.layers.Dense(spatial_dim, dtype=policy, name="keypoint_embedding")
        # Plain dropout on the joint tokens' values, under the name that the checkpoints know.
        self.token_dropout = keras.layers.Dropout(dropout, dtype=policy, name="token_dropout")
        if spatial_depth:
            self.spatial_pe = LearnedPosition(num_keypoints, spatial_dim, dtype=policy, name="spatial_pe")
        self.temporal_pe = LearnedPosition(sequence_length, temporal_dim, dtype=policy, name="temporal_pe")
        self.strided_pes, lengths = [], [sequence_length]
        for index, (stride, padding) in enumerate(zip(strides, pads, strict=True)):
            name = f"strided_temporal_pe_{index + 1}"
            self.strided_pes.append(LearnedPosition(lengths[-1], temporal_dim, dtype=policy, name=name))
            lengths.append(strided_length(lengths[-1], stride, padding))
        if strides and lengths[-1] != 1:
            raise ValueError(f"strides {strides} leave {lengths[-1]} of {sequence_length} tokens, not one")
        self.mask_token = None
        if token_mask_rate > 0:
            self.token_mask_seed = keras.random.SeedGenerator(seed)
            if learned_mask_token:
                self.mask_token = LearnedToken(
                    temporal_dim, dtype=policy, name="learnable_masked_token_layer"
                )
        if strided_input:
            self.strided_input_token = LearnedToken(
                temporal_dim, dtype=policy, name="strided_input_token_layer"
            )

        rates = drop_path_rates(drop_path[0], spatial_depth)
        self.spatial_blocks = [
            TransformerBlock(spatial_dim, drop_path=rate, name=f"spatial_block_{index + 1}", **block)
            for index, rate in enumerate(rates)
        ]
        if spatial_depth:
            self.spatial_norm = LayerNormalization(epsilon=1e-6, dtype=policy, name="spatial_norm")
        self.spatial_to_temporal = keras.layers.Dense(
            temporal_dim, dtype=policy, name="spatial_to_temporal_fc"
        )
        # For `narrow_products`: a frame's joints, of which nothing is repeated elsewhere.
        self.spatial_to_temporal.reads_coordinates = True
        block = {**block, "activation": "relu", "inner_dropout": dropout}
        spread = temporal_dim if drop_path_temporal_released else temporal_depth
        rates = drop_path_rates(drop_path[1], spread)[:temporal_depth]
        self.temporal_blocks = [
            TransformerBlock(temporal_dim, drop_path=rate, name=f"temporal_block_{index + 1}", **block)
            for index, rate in enumerate(rates)
        ]
        rates = drop_path_rates(drop_path[2], len(strides))
        self.strided_blocks = [
            StridedTransformerBlock(
                temporal_dim,
                length=lengths[index],
                stride=stride,
                padding=pads[index],
                drop_path=rates[index],
                name=f"strided_temporal_block_{index + 1}",
                **block,
            )
            for index, stride in enumerate(strides)
        ]
        self.sequence_norm = self.sequence_fc = self.centre_norm = None
        if sequence_head and temporal_depth:
            if output_bn:
                self.sequence_norm = self._head_norm("temporal_norm")
            self.sequence_fc = self._head("temporal_fc")
        if output_bn:
            self.centre_norm = self._head_norm("strided_temporal_norm")
        self.centre_fc = self._head("strided_temporal_fc")

    def _head(self, name: str) -> keras.layers.Layer:
        return keras.layers.Dense(3 * self.num_keypoints, dtype="float32", name=name)

    def _head_norm(self, name: str) -> keras.layers.Layer:
        return keras.layers.BatchNormalization(momentum=0.1, epsilon=1e-5, dtype=self.dtype_policy, name=name)

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        length = self.sequence_length
        shapes: dict[str, tuple[int | None, ...]] = {"keypoints_2d": (None, length, self.num_keypoints, 2)}
        return {**shapes, "stride_mask": (None, length)} if self.strided_input else shapes

    def build(self, input_shape: object = None) -> None:
        """Creates every weight; no input is needed, as all shapes follow from the arguments."""
        joints, temporal = self.num_keypoints, (None, self.temporal_dim)
        if self.spatial_blocks:
            self.keypoint_embedding.build((None, 2))
            self.spatial_pe.build()
            self.spatial_norm.build((None, joints, self.spatial_dim))
        self.token_dropout.build(temporal)
        self.spatial_to_temporal.build((None, joints * (self.spatial_dim if self.spatial_blocks else 2)))
        for layer in (self.temporal_pe, *self.strided_pes, self.mask_token):
            if layer is not None:
                layer.build()
        if self.strided_input:
            self.strided_input_token.build()
        for layer in (*self.spatial_blocks, *self.temporal_blocks, *self.strided_blocks):
            layer.build()
        for layer in (self.sequence_norm, self.sequence_fc, self.centre_norm, self.centre_fc):
            if layer is not None:
                layer.build(temporal)
        self.built = True

    def encode_frames(self, keypoints: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Spatial part: `(M, J, 2)` normalised poses -> `(M, temporal_dim)`, each frame alone."""
        joints = self.num_keypoints
        features = ops.cast(keypoints, self.compute_dtype)
        if self.spatial_blocks:
            rows = self.keypoint_embedding(ops.reshape(features, (-1, 2)))
            features = self.spatial_pe(ops.reshape(rows, (-1, joints, self.spatial_dim)))
            features = self.token_dropout(features, training=training)
            for block in self.spatial_blocks:
                features = block(features, training=training)
            features = self.spatial_norm(features)
        width = features.shape[-1]
        return self.spatial_to_temporal(ops.reshape(features, (-1, joints * width)))

    def replacement_token(self) -> keras.KerasTensor:
        """`(1, temporal_dim)`: what stands in for frames without 2D pose (zeros where there is none)."""
        like = ops.zeros((1, self.temporal_dim), dtype=self.compute_dtype)
        return self.strided_input_token(like) if self.strided_input else like

    def lift_tokens(
        self,
        tokens: keras.KerasTensor,
        stride_mask: keras.KerasTensor | None = None,
        training: bool | None = None,
        sequence: bool = True,
    ) -> dict[str, keras.KerasTensor]:
        """Temporal and strided part.

        Args:
            tokens: `(B, N, temporal_dim)`, replaced already where masked.
            stride_mask: `(B, N)` bool, True where the frame has a 2D pose.
            training: Whether dropout and batch statistics are on.
            sequence: Whether to compute `pose_3d_sequence`.

        Returns:
            The model's output dict.
        """
        joints, length = self.num_keypoints, self.sequence_length
        key_mask = ops.logical_not(ops.cast(stride_mask, "bool")) if self.strided_input else None
        masked_layers = self.first_attended_layer if self.strided_input else 0
        tokens = self.temporal_pe(tokens)
        for index, block in enumerate(self.temporal_blocks):
            tokens = block(tokens, key_mask=key_mask if index < masked_layers else None, training=training)
        outputs = {}
        if sequence and self.sequence_fc is not None:
            rows = ops.reshape(tokens, (-1, self.temporal_dim))
            if self.sequence_norm is not None:
                rows = self.sequence_norm(rows, training=training)
            outputs["pose_3d_sequence"] = ops.reshape(self.sequence_fc(rows), (-1, length, joints, 3))
        if self.temporal_blocks:
            masked_layers = 0
        for index, block in enumerate(self.strided_blocks):
            # Without temporal blocks the first strided one is the first to mix frames.
            mask = key_mask if index < masked_layers else None
            tokens = block(self.strided_pes[index](tokens), key_mask=mask, training=training)
        centre = tokens[:, 0] if self.strided_blocks else tokens[:, length // 2]
        if self.centre_norm is not None:
            centre = self.centre_norm(centre, training=training)
        outputs["pose_3d"] = ops.reshape(self.centre_fc(centre), (-1, joints, 3))
        return outputs

    def _hide_tokens(self, tokens: keras.KerasTensor) -> keras.KerasTensor:
        """Random token masking of training; the centre always stays."""
        shape = (ops.shape(tokens)[0], self.sequence_length)
        hidden = keras.random.uniform(shape, seed=self.token_mask_seed) < self.token_mask_rate
        hidden = hidden & (ops.arange(self.sequence_length) != self.sequence_length // 2)
        value = ops.zeros_like(tokens[:1, :1]) if self.mask_token is None else self.mask_token(tokens)
        return ops.where(hidden[..., None], value, tokens)

    def call(
        self, inputs: dict[str, keras.KerasTensor], training: bool | None = None
    ) -> dict[str, keras.KerasTensor]:
        keypoints = inputs["keypoints_2d"]
        length, joints = self.sequence_length, self.num_keypoints
        stride_mask = inputs.get("stride_mask")
        if self.strided_input and stride_mask is None:
            raise ValueError('this model reads sparse input: give "stride_mask" (B, N) beside "keypoints_2d"')
        frames = ops.reshape(keypoints, (-1, joints, 2))
        if self.strided_input and "visible_rows" in inputs:
            frames = ops.take(frames, inputs["visible_rows"], axis=0)
        features = self.encode_frames(frames, training=training)
        hide = training and self.token_mask_rate > 0
        if not self.strided_input:
            tokens = ops.reshape(features, (-1, length, self.temporal_dim))
            return self.lift_tokens(self._hide_tokens(tokens) if hide else tokens, training=training)
        stride_mask = ops.cast(stride_mask, "bool")
        replacement = self.replacement_token()
        if "visible_rows" in inputs:
            table = ops.concatenate([features, replacement], axis=0)
            tokens = ops.take(table, inputs["visible_lookup"], axis=0)
        else:
            tokens = ops.reshape(features, (-1, length, self.temporal_dim))
        tokens = self._hide_tokens(tokens) if hide else tokens
        if hide or "visible_rows" not in inputs:
            tokens = ops.where(stride_mask[..., None], tokens, replacement[None])
        return self.lift_tokens(tokens, stride_mask, training=training)

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}
