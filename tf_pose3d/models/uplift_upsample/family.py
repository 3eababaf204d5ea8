"""Uplift and Upsample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.models.family import Family, Loss
from tf_pose3d.models.uplift_upsample.config import UpliftUpsampleConfig
from tf_pose3d.types import Tensor, Tensors

if TYPE_CHECKING:
    from tf_pose3d.models.uplift_upsample.model import UpliftUpsampleTransformer

__all__ = ["UpliftUpsample"]


class UpliftUpsample(Family[UpliftUpsampleConfig]):
    """A transformer over frames of which some have a 2D pose and the others a learned token."""

    config_class = UpliftUpsampleConfig

    def skeleton(self, config: UpliftUpsampleConfig) -> str:
        return "uplift_17"

    def build_model(self, config: UpliftUpsampleConfig) -> UpliftUpsampleTransformer:
        from tf_pose3d.models.uplift_upsample.model import UpliftUpsampleTransformer

        model = UpliftUpsampleTransformer(
            sequence_length=config.SEQUENCE_LENGTH,
            num_keypoints=config.NUM_KEYPOINTS,
            spatial_dim=config.SPATIAL_EMBED_DIM,
            temporal_dim=config.TEMPORAL_EMBED_DIM,
            spatial_depth=config.SPATIAL_TRANSFORMER_BLOCKS,
            temporal_depth=config.TEMPORAL_TRANSFORMER_BLOCKS,
            strides=config.STRIDES,
            paddings=config.PADDINGS,
            num_heads=config.NUM_HEADS,
            mlp_ratio=config.MLP_RATIO,
            qkv_bias=config.QKV_BIAS,
            attention_dropout=config.ATTENTION_DROP_RATE,
            dropout=config.DROP_RATE,
            drop_path=config.drop_path,
            drop_path_temporal_released=config.DROP_PATH_TEMPORAL_RELEASED,
            output_bn=config.OUTPUT_BN,
            sequence_head=not config.USE_REFINE,
            strided_input=config.strided_input,
            first_attended_layer=config.FIRST_STRIDED_TOKEN_ATTENTION_LAYER,
            token_mask_rate=config.TOKEN_MASK_RATE,
            learned_mask_token=config.LEARNABLE_MASKED_TOKEN,
            seed=config.SHUFFLE_SEED,
            name="uplift_upsample_transformer",
        )
        model.build()
        return model

    def data_spec(self, config: UpliftUpsampleConfig, split: str) -> WindowSpec:
        return WindowSpec(
            length=config.SEQUENCE_LENGTH,
            stride=config.SEQUENCE_STRIDE,
            step=config.subsample_step(split),
            padding=config.PADDING_TYPE,
            mask_strides=tuple(config.mask_strides) or None,
            align_mask=split == "test",
            shift_mask=split == "train" and config.STRIDE_MASK_RAND_SHIFT,
            mirror=config.mirroring(split),
            pack_visible=config.strided_input and not config.JIT_COMPILE,
        )

    def root_joint(self, config: UpliftUpsampleConfig) -> int:
        return config.ROOT_KEYTPOINT

    def loss(self, config: UpliftUpsampleConfig, split: str = "train") -> Loss:
        """w_c * mean joint distance of the centre frame + w_s * that of the whole sequence, metres.

        In validation both weigh 1, as the release reports it, and the centre alone counts without sequence.
        """
        from tf_pose3d.layers.losses import mean_joint_distance

        root, middle = config.ROOT_KEYTPOINT, config.SEQUENCE_LENGTH // 2
        centre, sequence = config.LOSS_WEIGHT_CENTER, config.LOSS_WEIGHT_SEQUENCE
        if split != "train":
            centre, sequence = 1.0, 1.0 if config.TEMPORAL_TRANSFORMER_BLOCKS else 0.0

        def loss(outputs: Tensors, batch: Tensors) -> Tensor:
            target = batch["pose_3d"] - batch["pose_3d"][:, :, root : root + 1]
            centre_loss = mean_joint_distance(outputs["pose_3d"], target[:, middle])
            if "pose_3d_sequence" not in outputs:
                return (centre + sequence) * centre_loss
            return centre * centre_loss + sequence * mean_joint_distance(outputs["pose_3d_sequence"], target)

        return loss
