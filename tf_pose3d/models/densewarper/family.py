"""DenseWarper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_pose3d.data.multiview.image_spec import ViewGroupSpec
from tf_pose3d.models.densewarper.config import DenseWarperConfig
from tf_pose3d.models.family import Loss
from tf_pose3d.models.image_family import ImageFamily, crop_spec
from tf_pose3d.models.pose_resnet.family import make_backbone
from tf_pose3d.types import Tensor, Tensors

if TYPE_CHECKING:
    from tf_pose3d.models.densewarper.model import DenseWarper

__all__ = ["DenseWarperFamily"]


class DenseWarperFamily(ImageFamily[DenseWarperConfig]):
    """Poses of every time step from views that record in turn.

    The batch has `image`, `rotation`, `translation`, `intrinsics`, `crop` (see `DenseWarper`), and for
    training `keypoints_2d` `(B, T, V, J, 2)` heat-map pixels and `visible` `(B, T, V, J)`.
    """

    config_class = DenseWarperConfig
    protocol = "multiview"

    def build_model(self, config: DenseWarperConfig) -> DenseWarper:
        from tf_pose3d.models.densewarper.model import DenseWarper

        model = DenseWarper(
            make_backbone(config, "backbone"),
            config.num_joints,
            config.used_joints,
            config.PATTERN,
            config.WARPER_CHANNELS,
            config.WARPER_BLOCKS,
            config.DILATIONS,
            config.WARPER_START,
            config.SIGMA,
            config.TRAIN_BACKBONE,
            config.TRIANGULATION,
            config.MIN_CONFIDENCE,
            config.RANSAC_THRESHOLD,
            name="densewarper",
        )
        model.build()
        return model

    def loss(self, config: DenseWarperConfig, split: str = "train") -> Loss:
        """The robust 2D joint loss times JOINT_LOSS, and the heat maps' squared error times HEATMAP_LOSS."""
        from keras import ops

        from tf_pose3d.geometry.heatmaps import gaussian_heatmaps
        from tf_pose3d.models.densewarper.losses import joint_loss, released_targets, views_that_see
        from tf_pose3d.models.pose_resnet.losses import heatmap_loss

        def loss(outputs: Tensors, batch: Tensors) -> Tensor:
            target = ops.cast(batch["keypoints_2d"], "float32")
            visible = ops.cast(batch["visible"], "float32")
            if config.LOSS_TARGET == "released":
                target = released_targets(target, config.PATTERN)
            total = 0.0
            if config.JOINT_LOSS > 0:
                seen = views_that_see(visible, config.PATTERN) >= config.MIN_TRAINING_VIEWS
                counts = ops.broadcast_to(seen[:, None, None], ops.shape(visible))
                total = config.JOINT_LOSS * joint_loss(outputs["keypoints_2d"], target, counts)
            if config.HEATMAP_LOSS > 0:
                maps = ops.take(outputs["heatmaps"], config.used_joints, axis=-1)
                wanted = gaussian_heatmaps(
                    target, (config.HEATMAP_SIZE[0], config.HEATMAP_SIZE[1]), config.SIGMA
                )
                total = total + config.HEATMAP_LOSS * heatmap_loss(maps, wanted, visible)
            return total

        return loss

    def data_spec(self, config: DenseWarperConfig, split: str) -> ViewGroupSpec:
        """Every n-th group of the selected cameras, interleaved by PATTERN."""
        return ViewGroupSpec(
            crop_spec(config, split),
            config.DATA_ROOT,
            config.DATA_FORMAT,
            tuple(config.SELECTED_CAMS),
            config.skeleton,
            config.subsample_step(split),
            pattern=tuple(config.PATTERN),
            missing_view=config.MISSING_VIEW,
        )
