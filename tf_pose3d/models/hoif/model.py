"""The network of HOIF-Net."""

from __future__ import annotations

import math
from typing import Any

import keras

from tf_pose3d.layers.graph import GraphBlock, HighOrderGraphConvolution, joint_major, pose_major
from tf_pose3d.models.pose_model import PoseModel
from tf_pose3d.skeleton import get_skeleton

__all__ = ["IDLE_BLOCKS", "RUN_BLOCKS", "HOIFNet"]

# Numbers of the released network's blocks in the order in which they run, and of those that never run.
RUN_BLOCKS = (1, 2, 3, 4, 5, 6, 7, 16)
IDLE_BLOCKS = tuple(range(8, 16))

_INITIAL_SHARE = 0.5
_SCALE = 0.5


def _kernel_scale(layer: int) -> float:
    """beta of layer 1, 2, ..."""
    return math.log(_SCALE / layer + 1)


@keras.saving.register_keras_serializable(package="tf_pose3d")
class HOIFNet(PoseModel):
    """High-order graph convolutions that each see the first layer's output again.

    Quan and Ben Hamza, "Higher-order implicit fairing networks for 3D human pose estimation", BMVC 2021.
    The input block is layer 1 and mixes the 2D pose with itself, gconv1 to gconv7 are layers 2 to
    8, gconv16 is layer 9, the output layer counts as layer 1 again. gconv8 to gconv15 are part of the
    release's checkpoints and parameter counts and never run; they are kept as weights that are not trained.

    Args:
        skeleton: Name of the joint layout.
        width: Features of a hop; a joint has four times as many.
        dropout: Rate in every block but the input's.

    Input (dict): keypoints_2d `(B, J, 2)` or `(B, 1, J, 2)`, normalised screen coordinates.
    Output (dict): pose_3d `(B, J, 3)`, metres, relative to the root, camera frame.
    """

    def __init__(
        self, skeleton: str = "h36m_16", width: int = 64, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {"skeleton": skeleton, "width": width, "dropout": dropout}
        self.joints = get_skeleton(skeleton).num_joints

        def convolution(units: int, layer: int, combine: str = "concatenate") -> HighOrderGraphConvolution:
            return HighOrderGraphConvolution(
                units,
                skeleton,
                combine=combine,
                initial_share=_INITIAL_SHARE,
                kernel_scale=_kernel_scale(layer),
                name="gconv_output" if combine == "sum" else "gconv",
            )

        self.gconv_input = GraphBlock(convolution(width, 1), name="gconv_input")
        # Idle blocks stand behind the others, where their layer number does not matter.
        self.gconv_layers = [
            GraphBlock(convolution(width, layer), dropout, name=f"gconv{number}")
            for layer, number in enumerate(RUN_BLOCKS + IDLE_BLOCKS, start=2)
        ]
        for block in self.gconv_layers[len(RUN_BLOCKS) :]:
            block.trainable = False
        self.gconv_output = convolution(3, 1, combine="sum")

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        return {"keypoints_2d": (None, 1, self.joints, 2)}

    def build(self, input_shape: object = None) -> None:
        self.gconv_input.build((self.joints, None, 2))
        hidden = (self.joints, None, 4 * self.settings["width"])
        layers: list[keras.layers.Layer] = [*self.gconv_layers, self.gconv_output]
        for layer in layers:
            layer.build(hidden)
        self.built = True

    def call(
        self, inputs: dict[str, keras.KerasTensor], training: bool | None = None
    ) -> dict[str, keras.KerasTensor]:
        keypoints = joint_major(inputs, self.joints)
        initial = features = self.gconv_input(keypoints, initial=keypoints, training=training)
        for block in self.gconv_layers[: len(RUN_BLOCKS)]:
            features = block(features, initial=initial, training=training)
        return {"pose_3d": pose_major(self.gconv_output(features, initial=initial))}

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}
