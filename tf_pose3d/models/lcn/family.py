"""LCN as the programs see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from tf_pose3d.data.windows import WindowSpec
from tf_pose3d.models.family import Family, Flag
from tf_pose3d.models.lcn.config import LCNConfig
from tf_pose3d.models.lcn.image_frame import image_poses, pinhole_parameters
from tf_pose3d.models.lcn.model import LCN

__all__ = ["LCNFamily"]


class LCNFamily(Family):
    """See the base class."""

    arch = "LCN"
    config_class = LCNConfig
    telling_flags = ("--test_indices", "--mask_type", "--data_type")

    def skeleton(self, config: LCNConfig) -> str:
        return config.skeleton

    def build_model(self, config: LCNConfig) -> LCN:
        learnable = config.MASK_TYPE == "locally_connected_learnable"
        model = LCN(
            config.mask(),
            input_features=config.IN_F,
            channels=config.CHANNELS,
            num_layers=config.LAYERS,
            dropout=config.DROPOUT,
            residual=config.RESIDUAL,
            max_norm=config.WEIGHT_MAX_NORM,
            learnable_mask=config.INIT_TYPE if learnable else None,
            regularization=config.REGULARIZATION,
            seed=config.SHUFFLE_SEED,
            name="lcn",
        )
        model.build()
        return model

    def window_spec(self, config: LCNConfig, split: str) -> WindowSpec:
        steps = {
            "train": config.DATASET_TRAIN_3D_SUBSAMPLE_STEP,
            "val": config.DATASET_VAL_3D_SUBSAMPLE_STEP,
            "test": config.DATASET_TEST_3D_SUBSAMPLE_STEP,
        }
        mirror = "none"
        if split == "train" and config.AUGM_FLIP_PROB > 0:
            mirror = "in_batch" if config.IN_BATCH_AUGMENT else "entries"
        return WindowSpec(length=1, step=steps[split], mirror=mirror)

    def loss(self, config: LCNConfig) -> Callable[[dict[str, Any], dict[str, Any]], Any]:
        """Mean squared error of normalised image coordinates, and the weight penalty where there is one."""

        def loss(outputs: dict[str, Any], batch: dict[str, Any]) -> keras.KerasTensor:
            error = ops.mean(ops.square(outputs["pose_image"] - self.labels(config, batch)))
            return error + outputs["weight_penalty"] if "weight_penalty" in outputs else error

        return loss

    @staticmethod
    def labels(config: LCNConfig, batch: dict[str, Any]) -> keras.KerasTensor:
        """`(B, J, 3)` normalised image coordinates of a batch's true poses."""
        pose = ops.reshape(batch["pose_3d"], (-1, config.IN_JOINTS, 3))
        depth, width = batch.get("root_depth"), batch.get("box_width")
        return image_poses(
            pose,
            pinhole_parameters(batch["intrinsics"]),
            pose[:, 0, 2] if depth is None else ops.reshape(depth, (-1,)),
            None if width is None else ops.reshape(width, (-1,)),
        )

    def flags(self, program: str) -> list[Flag]:
        return []
