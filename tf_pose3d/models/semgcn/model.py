"""The network of SemGCN."""

from __future__ import annotations

from typing import Any

import keras

from tf_pose3d.layers.graph import GraphBlock, SemanticGraphConvolution, joint_major, pose_major
from tf_pose3d.layers.non_local import GraphNonLocal
from tf_pose3d.models.pose_model import PoseModel
from tf_pose3d.skeleton import get_skeleton

__all__ = ["JOINT_GROUPS", "SemGCN"]

# Pairs of joints (of h36m_16) whose features non-local blocks pool.
JOINT_GROUPS = ((2, 3), (5, 6), (1, 4), (0, 7), (8, 9), (14, 15), (11, 12), (10, 13))


@keras.saving.register_keras_serializable(package="tf_pose3d")
class SemGCN(PoseModel):
    """Semantic graph convolutions in residual pairs, with or without non-local blocks after each.

    Zhao et al., "Semantic graph convolutional networks for 3D human pose regression", CVPR 2019.

    Args:
        skeleton: Name of the joint layout; non-local blocks are defined for `h36m_16`.
        width: Features of a joint.
        depth: Residual pairs.
        non_local: Whether a non-local block follows the input block and each pair.
        dropout: Rate in every block of a pair.

    Input (dict): keypoints_2d `(B, J, 2)` or `(B, 1, J, 2)`, normalised screen coordinates.
    Output (dict): pose_3d `(B, J, 3)`, metres, relative to the root, camera frame.
    """

    def __init__(
        self,
        skeleton: str = "h36m_16",
        width: int = 128,
        depth: int = 4,
        non_local: bool = False,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {
            "skeleton": skeleton,
            "width": width,
            "depth": depth,
            "non_local": non_local,
            "dropout": dropout,
        }
        self.joints = get_skeleton(skeleton).num_joints
        self.gconv_input = GraphBlock(SemanticGraphConvolution(width, skeleton), name="gconv_input")
        self.gconv_layers = [
            GraphBlock(
                SemanticGraphConvolution(width, skeleton), dropout, name=f"gconv_layer{pair}_gconv{half}"
            )
            for pair in range(depth)
            for half in (1, 2)
        ]
        self.non_local_layers = [
            GraphNonLocal(JOINT_GROUPS, name="non_local_input" if index == 0 else f"non_local{index - 1}")
            for index in range(depth + 1 if non_local else 0)
        ]
        self.gconv_output = SemanticGraphConvolution(3, skeleton, name="gconv_output")

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        return {"keypoints_2d": (None, 1, self.joints, 2)}

    def build(self, input_shape: object = None) -> None:
        self.gconv_input.build((self.joints, None, 2))
        hidden = (self.joints, None, self.settings["width"])
        layers: list[keras.layers.Layer] = [*self.gconv_layers, *self.non_local_layers, self.gconv_output]
        for layer in layers:
            layer.build(hidden)
        self.built = True

    def call(
        self, inputs: dict[str, keras.KerasTensor], training: bool | None = None
    ) -> dict[str, keras.KerasTensor]:
        def attend(features: keras.KerasTensor, index: int) -> keras.KerasTensor:
            if not self.non_local_layers:
                return features
            return self.non_local_layers[index](features, training=training)

        features = attend(self.gconv_input(joint_major(inputs, self.joints), training=training), 0)
        pairs = zip(self.gconv_layers[::2], self.gconv_layers[1::2], strict=True)
        for index, (first, second) in enumerate(pairs, start=1):
            residual = second(first(features, training=training), training=training)
            features = attend(features + residual, index)
        return {"pose_3d": pose_major(self.gconv_output(features))}

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}
