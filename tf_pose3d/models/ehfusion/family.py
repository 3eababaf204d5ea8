"""EHFusion."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.models.ehfusion.config import EHFusionConfig
from tf_pose3d.models.family import Loss
from tf_pose3d.models.staged import StagedFamily
from tf_pose3d.types import Tensor, Tensors

if TYPE_CHECKING:
    import keras

    from tf_pose3d.models.ehfusion.model import EHFusion

__all__ = ["EHFusionFamily"]


class EHFusionFamily(StagedFamily[EHFusionConfig]):
    """Temporal convolutions over body parts with the camera embedded, fused in one stage or three."""

    config_class = EHFusionConfig

    def build_model(self, config: EHFusionConfig) -> EHFusion:
        from tf_pose3d.models.ehfusion.model import EHFusion

        model = EHFusion(
            config.SKELETON,
            config.FILTER_WIDTHS,
            config.CHANNELS,
            config.LATENT_FEATURES,
            config.HIDDEN_FEATURES,
            config.DROP_RATE,
            config.CAUSAL,
            stage=config.STAGE if config.in_stages else 0,
            fuse=config.STRATEGY != "one_stage_released",
            camera=config.CAMERA == "intrinsics",
            name="ehfusion",
        )
        model.build()
        return model

    def loss(self, config: EHFusionConfig, split: str = "train") -> Loss:
        """Mean joint distance in metres, root-centred; of the one-stage network the sum of both branches'."""
        from tf_pose3d.layers.losses import mean_joint_distance

        target = self.target(config)

        def loss(outputs: Tensors, batch: Tensors) -> Tensor:
            pose = target(batch)
            error = mean_joint_distance(outputs["pose_3d"], pose)
            if "pose_3d_unfused" in outputs:
                error = error + mean_joint_distance(outputs["pose_3d_unfused"], pose)
            return error

        return loss

    def data_spec(self, config: EHFusionConfig, split: str) -> WindowSpec:
        spec = super().data_spec(config, split)
        if config.CAMERA != "intrinsics":
            return spec
        return dataclasses.replace(
            spec, intrinsics_for="EHFusion's embedding reads them; set CAMERA to zeros to do without"
        )

    def trained_variables(self, model: EHFusion, config: EHFusionConfig) -> list[keras.Variable]:
        """Of the released one-stage network not the fusion either, which it never runs."""
        variables = super().trained_variables(model, config)
        if config.STRATEGY != "one_stage_released":
            return variables
        idle = {id(variable) for layer in model.fusion_layers for variable in layer.trainable_variables}
        return [variable for variable in variables if id(variable) not in idle]
