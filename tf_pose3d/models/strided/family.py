"""Strided Transformer."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.models.family import Loss
from tf_pose3d.models.strided.config import StridedTransformerConfig
from tf_pose3d.models.video import VideoFamily
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Tensor, Tensors
from tf_pose3d.weight_files.hdf5 import load_weights, read_layout

if TYPE_CHECKING:
    import keras

    from tf_pose3d.models.strided.model import StridedTransformer
    from tf_pose3d.models.strided.refinement import RefinedStridedTransformer

__all__ = ["StridedTransformerFamily"]


class StridedTransformerFamily(VideoFamily[StridedTransformerConfig]):
    """A transformer whose later blocks stride over the frames, with a refine module where asked for."""

    protocol = "strided"
    config_class = StridedTransformerConfig

    def build_model(self, config: StridedTransformerConfig) -> StridedTransformer | RefinedStridedTransformer:
        from tf_pose3d.models.strided.model import StridedTransformer
        from tf_pose3d.models.strided.refinement import RefinedStridedTransformer

        lifter: dict[str, Any] = {
            "frames": config.FRAMES,
            "joints": get_skeleton(config.SKELETON).num_joints,
            "channels": config.CHANNELS,
            "hidden": config.HIDDEN,
            "depth": config.LAYERS,
            "strides": config.strides,
            "num_heads": config.NUM_HEADS,
            "dropout": config.DROP_RATE,
            "encoder_dropout": config.ENCODER_DROP_RATE,
        }
        if config.REFINE:
            model = RefinedStridedTransformer(
                lifter, config.SKELETON, config.REFINE_DROP_RATE, average_mirrored=config.EVAL_FLIP
            )
        else:
            model = StridedTransformer(**lifter)
        model.build()
        return model

    def loss(self, config: StridedTransformerConfig, split: str = "train") -> Loss:
        """Mean joint distance of the centre frame plus the sequence's; with REFINE the centre's alone."""
        from tf_pose3d.layers.losses import mean_joint_distance

        centre_loss = super().loss(config, split)
        if config.REFINE:
            return centre_loss
        root = get_skeleton(config.SKELETON).root

        def loss(outputs: Tensors, batch: Tensors) -> Tensor:
            target = batch["pose_3d"] - batch["pose_3d"][:, :, root : root + 1]
            return centre_loss(outputs, batch) + mean_joint_distance(outputs["pose_3d_sequence"], target)

        return loss

    def load_initial_weights(self, model: keras.Model, path: str | os.PathLike) -> None:
        """Also weights without refine module into a model that has one."""
        from tf_pose3d.models.strided.refinement import RefinedStridedTransformer

        whole = not isinstance(model, RefinedStridedTransformer) or "refinement" in read_layout(path)
        load_weights(model if whole else model.lifter, path)

    def data_spec(self, config: StridedTransformerConfig, split: str) -> WindowSpec:
        spec = super().data_spec(config, split)
        if not config.REFINE:
            return spec
        return dataclasses.replace(spec, intrinsics_for="REFINE reads them; set REFINE to false")
