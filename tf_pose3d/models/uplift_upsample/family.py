"""Uplift and Upsample as the programs see it."""

from __future__ import annotations

from collections.abc import Callable

import keras

from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.layers.losses import mean_joint_distance
from tf_pose3d.models.family import Family, Flag
from tf_pose3d.models.uplift_upsample.config import UpliftUpsampleConfig
from tf_pose3d.models.uplift_upsample.model import UpliftUpsampleTransformer

__all__ = ["UpliftUpsample"]

Tensors = dict[str, keras.KerasTensor]


class UpliftUpsample(Family):
    """See the base class."""

    arch = "UpliftUpsampleTransformer"
    config_class = UpliftUpsampleConfig

    def skeleton(self, config: UpliftUpsampleConfig) -> str:
        return "uplift_17"

    def build_model(self, config: UpliftUpsampleConfig) -> UpliftUpsampleTransformer:
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

    def window_spec(self, config: UpliftUpsampleConfig, split: str) -> WindowSpec:
        train = split == "train"
        steps = {
            "train": config.DATASET_TRAIN_3D_SUBSAMPLE_STEP,
            "val": config.DATASET_VAL_3D_SUBSAMPLE_STEP,
            "test": config.DATASET_TEST_3D_SUBSAMPLE_STEP,
        }
        mirror = "none"
        if train and config.AUGM_FLIP_PROB > 0:
            mirror = "in_batch" if config.IN_BATCH_AUGMENT else "entries"
        return WindowSpec(
            length=config.SEQUENCE_LENGTH,
            stride=config.SEQUENCE_STRIDE,
            step=steps[split],
            padding=config.PADDING_TYPE,
            mask_strides=tuple(config.mask_strides) or None,
            align_mask=split == "test",
            shift_mask=train and config.STRIDE_MASK_RAND_SHIFT,
            mirror=mirror,
            pack_visible=config.strided_input and not config.JIT_COMPILE,
        )

    def flags(self, program: str) -> list[Flag]:
        if program != "eval":
            return []
        return [
            Flag(
                ("--forced_mask_stride",),
                "MASK_STRIDE",
                "s_in in frames to evaluate instead of all in MASK_STRIDE; a multiple of s_out",
                kind=int,
                metavar="FRAMES",
            ),
            Flag(
                ("--no_learned_upsampling",),
                "EVAL_DISABLE_LEARNED_UPSAMPLING",
                "interpolate between frames that have a 2D pose instead of predicting those between",
                kind=None,
            ),
        ]

    def _losses(self, config: UpliftUpsampleConfig, centre: float, sequence: float) -> Callable:
        root, middle = config.ROOT_KEYTPOINT, config.SEQUENCE_LENGTH // 2

        def loss(outputs: Tensors, batch: Tensors) -> keras.KerasTensor:
            target = batch["pose_3d"] - batch["pose_3d"][:, :, root : root + 1]
            centre_loss = mean_joint_distance(outputs["pose_3d"], target[:, middle])
            if "pose_3d_sequence" not in outputs:
                return (centre + sequence) * centre_loss
            return centre * centre_loss + sequence * mean_joint_distance(outputs["pose_3d_sequence"], target)

        return loss

    def loss(self, config: UpliftUpsampleConfig) -> Callable:
        """w_c * mean joint distance of the centre frame + w_s * that of the whole sequence, metres."""
        return self._losses(config, config.LOSS_WEIGHT_CENTER, config.LOSS_WEIGHT_SEQUENCE)

    def validation_loss(self, config: UpliftUpsampleConfig) -> Callable:
        """Both parts with weight 1, as the release reports it; the centre alone without sequence."""
        return self._losses(config, 1.0, 1.0 if config.TEMPORAL_TRANSFORMER_BLOCKS else 0.0)

    def root_joint(self, config: UpliftUpsampleConfig) -> int:
        return config.ROOT_KEYTPOINT

    def evaluation_settings(self, config: UpliftUpsampleConfig) -> list[tuple[str, UpliftUpsampleConfig]]:
        """One setting per s_in."""
        strides = config.mask_strides
        if not strides:
            return [("", config)]
        return [(f"s_in={stride}", config.replace(MASK_STRIDE=stride)) for stride in strides]

    def prediction_stride(self, config: UpliftUpsampleConfig) -> int:
        if config.SEQUENCE_STRIDE == 1 or not config.TEST_STRIDED_EVAL:
            return 1
        if config.EVAL_DISABLE_LEARNED_UPSAMPLING and config.mask_strides:
            return config.mask_strides[0]
        return config.SEQUENCE_STRIDE

    def keyframe_stride(self, config: UpliftUpsampleConfig) -> int | None:
        input_stride = config.mask_strides[0] if config.mask_strides else config.SEQUENCE_STRIDE
        if max(input_stride, config.SEQUENCE_STRIDE) == 1 or not config.TEST_STRIDED_EVAL:
            return None
        return input_stride
