"""PoseFormer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_pose3d.models.poseformer.config import PoseFormerConfig
from tf_pose3d.models.video import VideoFamily
from tf_pose3d.skeleton import get_skeleton

if TYPE_CHECKING:
    from tf_pose3d.models.poseformer.model import PoseFormer

__all__ = ["PoseFormerFamily"]


class PoseFormerFamily(VideoFamily[PoseFormerConfig]):
    """Joints of a frame attend to each other first, then the frames."""

    config_class = PoseFormerConfig

    def build_model(self, config: PoseFormerConfig) -> PoseFormer:
        from tf_pose3d.models.poseformer.model import PoseFormer

        model = PoseFormer(
            frames=config.FRAMES,
            joints=get_skeleton(config.SKELETON).num_joints,
            joint_dim=config.JOINT_DIM,
            depth=config.LAYERS,
            num_heads=config.NUM_HEADS,
            mlp_ratio=config.MLP_RATIO,
            qkv_bias=config.QKV_BIAS,
            attention_dropout=config.ATTENTION_DROP_RATE,
            dropout=config.DROP_RATE,
            drop_path=config.DROP_PATH_RATE,
        )
        model.build()
        return model
