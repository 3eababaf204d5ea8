"""MotionAGFormer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_pose3d.models.motionagformer.config import MotionAGFormerConfig
from tf_pose3d.models.sequence_to_sequence import ImageSequenceFamily

if TYPE_CHECKING:
    from tf_pose3d.models.motionagformer.model import MotionAGFormer

__all__ = ["MotionAGFormerFamily"]


class MotionAGFormerFamily(ImageSequenceFamily[MotionAGFormerConfig]):
    """Attention beside graph convolutions."""

    config_class = MotionAGFormerConfig
    branches = 2

    def build_model(self, config: MotionAGFormerConfig) -> MotionAGFormer:
        from tf_pose3d.models.motionagformer.model import MotionAGFormer

        model = MotionAGFormer(
            frames=config.FRAMES,
            width=config.CHANNELS,
            representation=config.REPRESENTATION,
            depth=config.LAYERS,
            num_heads=config.NUM_HEADS,
            mlp_ratio=config.MLP_RATIO,
            qkv_bias=config.QKV_BIAS,
            attention_dropout=config.ATTENTION_DROP_RATE,
            dropout=config.DROP_RATE,
            drop_path=config.DROP_PATH_RATE,
            layer_scale=config.LAYER_SCALE,
            adaptive_fusion=config.ADAPTIVE_FUSION,
            hierarchical=config.HIERARCHICAL,
            temporal=config.TEMPORAL_GRAPH,
            neighbours=config.NEIGHBOURS,
            reach=config.CHAIN_REACH,
            root_relative=config.ROOT_RELATIVE,
            joint_order=config.JOINT_ORDER,
        )
        model.build()
        return model
