"""VideoPose3D."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tf_pose3d.data.window_spec import UnlabeledSpec, WindowSpec
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.family import Loss
from tf_pose3d.models.temporal import TemporalFamily
from tf_pose3d.models.videopose3d.config import VideoPose3DConfig
from tf_pose3d.types import Tensor, Tensors

if TYPE_CHECKING:
    from tf_pose3d.models.videopose3d.model import VideoPose3D

__all__ = ["VideoPose3DFamily"]


class VideoPose3DFamily(TemporalFamily[VideoPose3DConfig]):
    """Temporal convolutions over whole poses."""

    config_class = VideoPose3DConfig

    def build_model(self, config: VideoPose3DConfig) -> VideoPose3D:
        from tf_pose3d.models.videopose3d.model import VideoPose3D

        model = VideoPose3D(
            config.SKELETON,
            config.FILTER_WIDTHS,
            config.CHANNELS,
            config.DROP_RATE,
            config.CAUSAL,
            config.DENSE,
            config.INPUT_SKELETON,
            config.TRAJECTORY,
            name="videopose3d",
        )
        model.build()
        return model

    def input_skeleton(self, config: VideoPose3DConfig) -> str:
        return config.input_skeleton

    def data_spec(self, config: VideoPose3DConfig, split: str) -> WindowSpec:
        spec = super().data_spec(config, split)
        if split != "train":
            return spec
        if config.UNLABELED_SUBSET is not None:
            unlabeled = UnlabeledSpec(
                config.UNLABELED_SUBSET,
                config.WARMUP_EPOCHS,
                config.STEPS_PER_EPOCH,
                "unlabelled poses are projected by them" if config.PROJECTION_LOSS else None,
            )
            spec = dataclasses.replace(spec, unlabeled=unlabeled)
        if config.CHUNK_LENGTH == 1:
            return spec
        if config.CAUSAL:
            raise Pose3DError(
                "CHUNK_LENGTH above 1 (-s) is for windows that lie around their frames, not CAUSAL"
            )
        chunk = config.CHUNK_LENGTH
        return dataclasses.replace(spec, length=spec.length + chunk - 1, step=spec.step * chunk)

    def loss(self, config: VideoPose3DConfig, split: str = "train") -> Loss:
        """Mean joint distance in metres, root-centred, over all frames that a window predicts.

        With a trajectory network also the root's distance over its true depth; and of windows without poses
        what `tf_pose3d.models.videopose3d.semi_supervised` says.
        """
        from tf_pose3d.layers.losses import mean_length

        poses_loss = self._poses_loss(config, split)
        if not config.TRAJECTORY or split != "train":
            return poses_loss
        token, root = super().data_spec(config, "train").target_token, self.root_joint(config)

        def loss_with_path(outputs: Tensors, batch: Tensors) -> Tensor:
            true = batch["pose_3d"][:, token : token + config.CHUNK_LENGTH, root]
            return poses_loss(outputs, batch) + mean_length(
                outputs["root_3d_sequence"] - true, 1 / true[..., 2]
            )

        if config.UNLABELED_SUBSET is None:
            return loss_with_path
        from tf_pose3d.models.videopose3d.semi_supervised import UnlabeledLoss, split_outputs

        unlabeled_loss = UnlabeledLoss(config, token)

        def semi_supervised_loss(outputs: Tensors, batch: Tensors) -> Tensor:
            labeled, others = split_outputs(outputs, batch)
            return loss_with_path(labeled, batch) + unlabeled_loss(labeled, others, batch)

        return semi_supervised_loss

    def _poses_loss(self, config: VideoPose3DConfig, split: str) -> Loss:
        from tf_pose3d.layers.losses import mean_joint_distance

        if config.CHUNK_LENGTH == 1:
            return super().loss(config, split)
        margin, root = config.receptive_field // 2, self.root_joint(config)

        def loss(outputs: Tensors, batch: Tensors) -> Tensor:
            target = batch["pose_3d"] - batch["pose_3d"][:, :, root : root + 1]
            return mean_joint_distance(
                outputs["pose_3d_sequence"], target[:, margin : margin + config.CHUNK_LENGTH]
            )

        return loss
