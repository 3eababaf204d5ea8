"""EHFusion as the programs see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.losses import mean_joint_distance
from tf_pose3d.models.ehfusion.config import EHFusionConfig
from tf_pose3d.models.ehfusion.model import EHFusion
from tf_pose3d.models.staged import StagedFamily

if TYPE_CHECKING:
    from tf_pose3d.data.windows import Windows

__all__ = ["EHFusionFamily"]


class EHFusionFamily(StagedFamily):
    """See the base class."""

    arch = "EHFusion"
    config_class = EHFusionConfig

    def build_model(self, config: EHFusionConfig) -> EHFusion:
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

    def loss(self, config: EHFusionConfig) -> Callable[[dict[str, Any], dict[str, Any]], Any]:
        """Mean joint distance in metres, root-centred; of the one-stage network the sum of both branches'."""
        target = self.target(config)

        def loss(outputs: dict[str, Any], batch: dict[str, Any]) -> Any:
            pose = target(batch)
            error = mean_joint_distance(outputs["pose_3d"], pose)
            if "pose_3d_unfused" in outputs:
                error = error + mean_joint_distance(outputs["pose_3d_unfused"], pose)
            return error

        return loss

    def check_data(self, config: EHFusionConfig, windows: Windows) -> None:
        if config.CAMERA != "intrinsics" or windows.cameras is not None:
            return
        known = np.isfinite(windows.store.intrinsics[:, 2:6]).all(axis=1)
        if not known.all():
            name = windows.store.names[int(np.argmin(known))]
            raise Pose3DError(
                f"{int((~known).sum())} of {len(known)} sequences have no camera intrinsics, {name} among "
                "them, and EHFusion's embedding reads them; set CAMERA to zeros to do without"
            )

    def trained_variables(self, model: EHFusion, config: EHFusionConfig) -> list[keras.Variable]:
        """Of the released one-stage network not the fusion either, which it never runs."""
        variables = super().trained_variables(model, config)
        if config.STRATEGY != "one_stage_released":
            return variables
        idle = {id(variable) for layer in model.fusion_layers for variable in layer.trainable_variables}
        return [variable for variable in variables if id(variable) not in idle]
