"""LCN (Ci et al., ICCV 2019): a residual network whose layers connect each joint to its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_pose3d.layers.locally_connected import JointMask, LocallyConnected
from tf_pose3d.models.lcn.image_frame import camera_poses, pinhole_parameters
from tf_pose3d.models.pose_model import PoseModel
from tf_pose3d.ops.normed_activation import normed_activation
from tf_pose3d.types import Tensor

__all__ = ["LCN"]


# Of LeakyReLU.
_SLOPE = 0.2


@keras.saving.register_keras_serializable(package="tf_pose3d")
class _LinearBlock(keras.layers.Layer):
    """Locally connected layer, batch normalisation per feature over all joints, LeakyReLU, dropout."""

    def __init__(
        self,
        units: int,
        mask: Sequence[Sequence[float]],
        max_norm: bool,
        dropout: float,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.units = units
        self.linear = LocallyConnected(units, mask, max_norm, dtype=policy, name="linear")
        self.norm = keras.layers.BatchNormalization(momentum=0.99, epsilon=1e-3, dtype=policy, name="norm")
        self.dropout = dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple) -> None:
        self.linear.build(input_shape)
        self.norm.build((None, self.units))

    def call(self, inputs: Tensor, joint_mask: Tensor | None = None, training: bool | None = None) -> Tensor:
        norm = self.norm
        if not training:
            features = self.linear(inputs, joint_mask)
            normed = norm(ops.reshape(features, (-1, self.units)), training=False)
            return ops.leaky_relu(ops.reshape(normed, (-1, features.shape[-1])), _SLOPE)
        features, mean, variance = normed_activation(
            self.linear.product(inputs, joint_mask),
            ops.convert_to_tensor(self.linear.bias),
            norm.gamma,
            norm.beta,
            norm.epsilon,
            _SLOPE,
            self.dropout,
            self.seed_generator,
        )
        for running, batch in ((norm.moving_mean, mean), (norm.moving_variance, variance)):
            running.assign(running * norm.momentum + batch * (1 - norm.momentum))
        return features

    def get_config(self) -> dict:
        linear = self.linear.get_config()
        return {
            **super().get_config(),
            "units": self.units,
            "mask": linear["mask"],
            "max_norm": linear["max_norm"],
            "dropout": self.dropout,
            "seed": self.seed,
        }


@keras.saving.register_keras_serializable(package="tf_pose3d")
class LCN(PoseModel):
    """Lifts the 2D pose of one frame.

    Args:
        mask: `(J, J)`; block (i, j) of every weight matrix, from joint i to joint j, is multiplied with
            `mask[i, j]`.
        input_features: 2 for x, y, or 3 with a confidence.
        channels: Features per joint inside.
        num_layers: Residual blocks of two layers each.
        dropout: Share of features that training drops.
        residual: Whether the blocks are residual.
        max_norm: Whether each weight matrix is held at Frobenius norm 1.
        learnable_mask: Learn the mask where it is not zero; None: use it as it is. Otherwise where to start:
            `"same"`, `"ones"` or `"random"`.
        regularization: Factor of the squared weights (halved sum) in `weight_penalty`.
        seed: Of dropout.

    Inputs (dict):
        keypoints_2d: `(B, J, C)` or `(B, 1, J, C)` normalised screen coordinates, C at least
            `input_features`.
        intrinsics: `(B, 11)`, optional; see `tf_pose3d.camera.Camera.intrinsics`.
        root_depth: `(B, 1)` metres, optional; the true depth of joint 0. Else that of `pose_3d`, if there.
        box_width: `(B, 1)` pixels, optional; see `image_frame`. Else it follows from the root's depth.

    Output (dict):
        pose_image: `(B, J, 3)`: x, y normalised screen coordinates, z the depth relative to the root on the
            same scale (see `image_frame`).
        pose_3d: `(B, J, 3)` metres, root-centred, camera frame; where the inputs tell the root's depth and
            the camera.
        pose_camera: `(B, J, 3)` metres, camera frame, with the true depth of the root; where they do.
        weight_penalty: Scalar, in training, with `regularization`.
    """

    def __init__(
        self,
        mask: Sequence[Sequence[float]],
        input_features: int = 2,
        channels: int = 64,
        num_layers: int = 3,
        dropout: float = 0.25,
        residual: bool = True,
        max_norm: bool = True,
        learnable_mask: str | None = None,
        regularization: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        # Depths and cameras keep their precision under a mixed policy; the layers cast what they read.
        super().__init__(**{"autocast": False, **kwargs})
        links = np.asarray(mask, np.float32)
        if links.ndim != 2 or links.shape[0] != links.shape[1]:
            raise ValueError(f"mask has shape {links.shape}, expected (joints, joints)")
        self.settings = {
            "mask": links.tolist(),
            "input_features": input_features,
            "channels": channels,
            "num_layers": num_layers,
            "dropout": dropout,
            "residual": residual,
            "max_norm": max_norm,
            "learnable_mask": learnable_mask,
            "regularization": regularization,
            "seed": seed,
        }
        self.num_joints = len(mask)
        self.input_features = input_features
        self.channels = channels
        self.residual = residual
        self.regularization = regularization
        policy = self.dtype_policy
        self.mask_layer = None
        if learnable_mask is not None:
            self.mask_layer = JointMask(mask, learnable_mask, dtype="float32", name="mask")

        def block(name: str, number: int) -> _LinearBlock:
            own = None if seed is None else seed + number
            return _LinearBlock(channels, mask, max_norm, dropout, own, dtype=policy, name=name)

        self.first = block("linear_1", 0)
        self.blocks = [
            (block(f"linear_2_{index}", 2 * index + 1), block(f"linear_3_{index}", 2 * index + 2))
            for index in range(num_layers)
        ]
        self.last = LocallyConnected(3, mask, max_norm, dtype=policy, name="linear_4")

    @property
    def mask(self) -> Tensor:
        """`(J, J)`: what the blocks of the weights are multiplied with."""
        return (
            self.mask_layer.values() if self.mask_layer is not None else ops.convert_to_tensor(self.last.mask)
        )

    @property
    def linear_blocks(self) -> list[_LinearBlock]:
        """All layers but the last, in order."""
        return [self.first, *(layer for pair in self.blocks for layer in pair)]

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        return {"keypoints_2d": (None, 1, self.num_joints, self.input_features)}

    def build(self, input_shape: object = None) -> None:
        """Creates every weight; no input is needed, as all shapes follow from the arguments."""
        if self.mask_layer is not None:
            self.mask_layer.build()
        self.first.build((None, self.num_joints * self.input_features))
        hidden = (None, self.num_joints * self.channels)
        layers: list[keras.layers.Layer] = [*(layer for pair in self.blocks for layer in pair), self.last]
        for layer in layers:
            layer.build(hidden)
        self.built = True

    def _weight_penalty(self) -> Tensor:
        layers = [*(block.linear for block in self.linear_blocks), self.last]
        weights = [weight for layer in layers for weight in (layer.kernel, layer.bias)]
        squares = [ops.sum(ops.square(ops.cast(weight, "float32"))) for weight in weights]
        return self.regularization / 2 * sum(squares)

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        keypoints = inputs["keypoints_2d"]
        if keypoints.shape[-1] < self.input_features:
            raise ValueError(
                f"this model reads {self.input_features} numbers a joint, keypoints_2d has shape "
                f"{keypoints.shape}"
            )
        joints = self.num_joints
        keypoints = ops.reshape(keypoints, (-1, joints, keypoints.shape[-1]))[..., : self.input_features]
        keypoints = ops.cast(keypoints, self.compute_dtype)
        mask = self.mask_layer.values() if self.mask_layer is not None else None
        features = ops.reshape(keypoints, (-1, joints * self.input_features))
        features = self.first(features, mask, training=training)
        for first, second in self.blocks:
            change = second(first(features, mask, training=training), mask, training=training)
            features = features + change if self.residual else change
        pose = ops.cast(ops.reshape(self.last(features, mask), (-1, joints, 3)), "float32")
        shift = ops.pad(ops.cast(keypoints[..., :2], "float32"), ((0, 0), (0, 0), (0, 1)))
        outputs = {"pose_image": pose + shift}
        if training and self.regularization:
            outputs["weight_penalty"] = self._weight_penalty()
        outputs.update(self._metric_poses(outputs["pose_image"], inputs))
        return outputs

    def _metric_poses(self, pose_image: Tensor, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        depth = inputs.get("root_depth")
        if depth is None and "pose_3d" in inputs:
            depth = ops.reshape(inputs["pose_3d"], (-1, self.num_joints, 3))[:, 0, 2]
        if depth is None or "intrinsics" not in inputs or "pose_image" in inputs:
            return {}
        width = inputs.get("box_width")
        pose = camera_poses(
            pose_image,
            pinhole_parameters(inputs["intrinsics"]),
            ops.reshape(depth, (-1,)),
            None if width is None else ops.reshape(width, (-1,)),
        )
        return {"pose_camera": pose, "pose_3d": pose - pose[:, :1]}

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}
