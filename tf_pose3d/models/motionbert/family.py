"""MotionBERT."""

from __future__ import annotations

from tf_pose3d.models.motionbert.config import MotionBERTConfig
from tf_pose3d.models.motionbert.model import MotionBERT
from tf_pose3d.models.sequence_to_sequence import ImageSequenceFamily

__all__ = ["MotionBERTFamily"]


class MotionBERTFamily(ImageSequenceFamily[MotionBERTConfig]):
    """Two transformers over joints and frames, in either order, on one input."""

    config_class = MotionBERTConfig

    def build_model(self, config: MotionBERTConfig) -> MotionBERT:
        model = MotionBERT(
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
            adaptive_fusion=config.ADAPTIVE_FUSION,
            root_relative=config.ROOT_RELATIVE,
        )
        model.build()
        return model
