"""PoseResNet as the programs see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from tf_pose3d.data.windows import WindowSpec
from tf_pose3d.models.family import Family
from tf_pose3d.models.pose_resnet.config import ImageConfig, PoseResNetConfig
from tf_pose3d.models.pose_resnet.losses import heatmap_loss
from tf_pose3d.models.pose_resnet.model import PoseResNet

__all__ = ["PoseResNetFamily", "make_backbone"]


def make_backbone(config: ImageConfig, name: str) -> PoseResNet:
    """The network that a config describes, with random weights."""
    model = PoseResNet(
        config.num_joints,
        config.NUM_LAYERS,
        config.STAGE_CHANNELS,
        config.NUM_DECONV_FILTERS,
        config.DECONV_WITH_BIAS,
        config.FINAL_CONV_KERNEL,
        name=name,
    )
    model.build()
    return model


class PoseResNetFamily(Family):
    """See the base class. The batch has `image`, `heatmaps` and `weights`; see `PoseResNet`."""

    arch = "PoseResNet"
    config_class = PoseResNetConfig

    def skeleton(self, config: PoseResNetConfig) -> str:
        return config.skeleton

    def build_model(self, config: PoseResNetConfig) -> PoseResNet:
        return make_backbone(config, "pose_resnet")

    def window_spec(self, config: PoseResNetConfig, split: str) -> WindowSpec:
        """Every n-th image of a subset."""
        return WindowSpec(length=1, step=config.subsample_step(split))

    def loss(self, config: PoseResNetConfig) -> Callable[[dict[str, Any], dict[str, Any]], Any]:
        """Squared errors of the heat maps, joints that are not visible left out by USE_TARGET_WEIGHT."""

        def loss(outputs: dict[str, Any], batch: dict[str, Any]) -> keras.KerasTensor:
            weights = batch["weights"] if config.USE_TARGET_WEIGHT else None
            return heatmap_loss(outputs["heatmaps"], batch["heatmaps"], weights)

        return loss
