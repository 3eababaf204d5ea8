"""PoseResNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_pose3d.data.multiview.image_spec import SingleImageSpec
from tf_pose3d.models.family import Loss
from tf_pose3d.models.image_family import ImageFamily, crop_spec
from tf_pose3d.models.pose_resnet.config import ImageConfig, PoseResNetConfig
from tf_pose3d.types import Tensor, Tensors

if TYPE_CHECKING:
    from tf_pose3d.models.pose_resnet.model import PoseResNet

__all__ = ["PoseResNetFamily", "make_backbone"]


def make_backbone(config: ImageConfig, name: str) -> PoseResNet:
    """The network that a config describes, with random weights."""
    from tf_pose3d.models.pose_resnet.model import PoseResNet

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


class PoseResNetFamily(ImageFamily[PoseResNetConfig]):
    """Heat maps of single images. The batch has `image`, `heatmaps` and `weights`; see `PoseResNet`."""

    config_class = PoseResNetConfig
    protocol = "images"

    def build_model(self, config: PoseResNetConfig) -> PoseResNet:
        return make_backbone(config, "pose_resnet")

    def loss(self, config: PoseResNetConfig, split: str = "train") -> Loss:
        """Squared errors of the heat maps, joints that are not visible left out by USE_TARGET_WEIGHT."""
        from tf_pose3d.models.pose_resnet.losses import heatmap_loss

        def loss(outputs: Tensors, batch: Tensors) -> Tensor:
            weights = batch["weights"] if config.USE_TARGET_WEIGHT else None
            return heatmap_loss(outputs["heatmaps"], batch["heatmaps"], weights)

        return loss

    def data_spec(self, config: PoseResNetConfig, split: str) -> SingleImageSpec:
        """Every n-th image of the selected cameras, and with MIX_MPII all of MPII's for training."""
        return SingleImageSpec(
            crop_spec(config, split),
            config.DATA_ROOT,
            config.DATA_FORMAT,
            tuple(config.SELECTED_CAMS),
            config.JOINTS,
            config.subsample_step(split),
            mix_mpii=split == "train" and config.MIX_MPII,
        )
