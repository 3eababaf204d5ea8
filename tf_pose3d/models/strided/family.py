"""Strided Transformer as the programs see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.losses import mean_joint_distance
from tf_pose3d.models.centre_frame import CentreFrameFamily, Tensors
from tf_pose3d.models.family import Flag
from tf_pose3d.models.strided.config import StridedTransformerConfig
from tf_pose3d.models.strided.model import StridedTransformer
from tf_pose3d.models.strided.refinement import RefinedStridedTransformer
from tf_pose3d.skeleton import get_skeleton

if TYPE_CHECKING:
    from tf_pose3d.data.windows import Windows

__all__ = ["StridedTransformerFamily"]


class StridedTransformerFamily(CentreFrameFamily):
    """See the base class."""

    arch = "StridedTransformer"
    config_class = StridedTransformerConfig
    network_keys = ("FRAMES", "CHANNELS", "HIDDEN", "LAYERS")

    def build_model(self, config: StridedTransformerConfig) -> StridedTransformer | RefinedStridedTransformer:
        lifter = {
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

    def loss(self, config: StridedTransformerConfig) -> Callable[[Tensors, Tensors], keras.KerasTensor]:
        """Mean joint distance of the centre frame plus the sequence's; with REFINE the centre's alone."""
        centre_loss = super().loss(config)
        if config.REFINE:
            return centre_loss
        root = get_skeleton(config.SKELETON).root

        def loss(outputs: Tensors, batch: Tensors) -> keras.KerasTensor:
            target = batch["pose_3d"] - batch["pose_3d"][:, :, root : root + 1]
            return centre_loss(outputs, batch) + mean_joint_distance(outputs["pose_3d_sequence"], target)

        return loss

    def size_flags(self) -> list[Flag]:
        return [
            Flag(("--layers",), "LAYERS", "blocks before the strided ones", int, metavar="N"),
            Flag(("--channel",), "CHANNELS", "width of a frame token", int, metavar="N"),
            Flag(("--d_hid",), "HIDDEN", "width inside the MLPs", int, metavar="N"),
        ]

    def training_flags(self) -> list[Flag]:
        schedule = "SCHEDULE_PARAMS"
        return [
            Flag(("--refine",), "REFINE", "train with the refine module", None),
            Flag(
                ("--lr",), f"{schedule}.initial_learning_rate", "initial learning rate", float, metavar="LR"
            ),
            Flag(
                ("--large_decay_epoch",),
                f"{schedule}.large_decay_epochs",
                "epochs between larger decays",
                int,
                metavar="N",
            ),
            Flag(
                ("--lr_decay_large",),
                f"{schedule}.large_decay_rate",
                "factor of a larger decay",
                float,
                metavar="FACTOR",
            ),
        ]

    def load_initial_weights(self, model: keras.Model, path: str) -> None:
        """Also weights without refine module into a model that has one."""
        from tf_pose3d.weight_files.hdf5 import load_weights, read_layout

        whole = not isinstance(model, RefinedStridedTransformer) or "refinement" in read_layout(path)
        load_weights(model if whole else model.lifter, path)

    def check_data(self, config: StridedTransformerConfig, windows: Windows) -> None:
        if config.REFINE and np.isnan(windows.store.intrinsics).any():
            name = windows.store.names[int(np.isnan(windows.store.intrinsics).any(1).argmax())]
            raise Pose3DError(f"REFINE needs the cameras' intrinsics, which {name} has not; use REFINE false")

    def evaluation_settings(
        self, config: StridedTransformerConfig
    ) -> list[tuple[str, StridedTransformerConfig]]:
        """With REFINE the model itself averages with the mirrored input's pose, before it refines."""
        return [("", config.replace(EVAL_FLIP=False) if config.REFINE else config)]

    def predict(
        self,
        model: keras.Model,
        config: StridedTransformerConfig,
        windows: Windows,
        numbers: np.ndarray | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """As in the release, the root's own prediction is set to 0."""
        if config.REFINE:
            model.average_mirrored = config.EVAL_FLIP
        setting = self.evaluation_settings(config)[0][1]
        poses = super().predict(model, setting, windows, numbers, progress)
        poses[:, self.root_joint(config)] = 0
        return poses
