"""The network of HGCN."""

from __future__ import annotations

from typing import Any

import keras

from tf_pose3d.layers.graph import GraphBlock, HighOrderGraphConvolution, joint_major, pose_major
from tf_pose3d.models.pose_model import PoseModel
from tf_pose3d.skeleton import get_skeleton

__all__ = ["HGCN"]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class HGCN(PoseModel):
    """High-order graph convolutions in residual pairs.

    Zou et al., "High-order graph convolutional networks for 3D human pose estimation", BMVC 2020.

    Args:
        skeleton: Name of the joint layout.
        width: Features of a hop; a joint has four times as many.
        depth: Residual pairs.
        dropout: Rate in every block of a pair.

    Input (dict): keypoints_2d `(B, J, 2)` or `(B, 1, J, 2)`, normalised screen coordinates.
    Output (dict): pose_3d `(B, J, 3)`, metres, relative to the root, camera frame.
    """

    def __init__(
        self,
        skeleton: str = "h36m_16",
        width: int = 96,
        depth: int = 4,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {"skeleton": skeleton, "width": width, "depth": depth, "dropout": dropout}
        self.joints = get_skeleton(skeleton).num_joints
        self.gconv_input = GraphBlock(HighOrderGraphConvolution(width, skeleton), name="gconv_input")
        self.gconv_layers = [
            GraphBlock(
                HighOrderGraphConvolution(width, skeleton), dropout, name=f"gconv_layer{pair}_gconv{half}"
            )
            for pair in range(depth)
            for half in (1, 2)
        ]
        self.gconv_output = HighOrderGraphConvolution(3, skeleton, combine="sum", name="gconv_output")

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
        features = self.gconv_input(joint_major(inputs, self.joints), training=training)
        for first, second in zip(self.gconv_layers[::2], self.gconv_layers[1::2], strict=True):
            features = features + second(first(features, training=training), training=training)
        return {"pose_3d": pose_major(self.gconv_output(features))}

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}
