"""Strided Transformer's refine module, and the network with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.initial_weights import linear
from tf_pose3d.models.pose_model import PoseModel
from tf_pose3d.models.strided.model import StridedTransformer
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Tensor

__all__ = ["PoseRefinement", "RefinedStridedTransformer", "back_projected"]

_HIDDEN = 1024


def back_projected(
    keypoints: keras.KerasTensor,
    depth: keras.KerasTensor,
    root_depth: keras.KerasTensor,
    intrinsics: keras.KerasTensor,
    root: int,
) -> keras.KerasTensor:
    """The pose that 2D joints and depths give, seen through a pinhole without lens distortion.

    Args:
        keypoints: `(B, J, 2)` normalised screen coordinates.
        depth: `(B, J)` metres relative to the root.
        root_depth: `(B,)` metres from the camera.
        intrinsics: `(B, 11)`, see `tf_pose3d.camera.Camera.intrinsics`.
        root: The root joint, whose own entry of `depth` counts as 0.

    Returns:
        `(B, J, 3)` metres relative to the root, camera frame.
    """
    focal, centre = intrinsics[:, None, 2:4], intrinsics[:, None, 4:6]
    is_root = ops.arange(keypoints.shape[1]) == root
    relative = ops.where(is_root, 0.0, depth)[..., None]
    across = (keypoints - centre) * (relative + root_depth[:, None, None]) / focal
    return ops.concatenate([across - across[:, root : root + 1], relative], axis=-1)


@keras.saving.register_keras_serializable(package="tf_pose3d")
class PoseRefinement(keras.layers.Layer):
    """Blends x and y of two poses, each coordinate by a weight of its own; z is the first pose's.

    Cai et al., "Exploiting spatial-temporal relationships for 3D pose estimation via graph convolutional
    networks", 2019, as in Strided Transformer's release: both poses -> 1024 -> a weight for each coordinate.

    Args:
        joints: Joints J.
        dropout: Rate inside.

    Call arguments: the predicted pose `(B, J, 3)` and the one it is blended with, of the same shape.
    Output: `(B, J, 3)`.
    """

    def __init__(self, joints: int = 17, dropout: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.joints = joints
        self.dropout_rate = dropout
        self.expand = linear(
            _HIDDEN, 6 * joints, "torch", activation="relu", dtype=self.dtype_policy, name="expand"
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.weigh = linear(
            2 * joints, _HIDDEN, "torch", activation="sigmoid", dtype=self.dtype_policy, name="weigh"
        )

    def build(self, input_shape: object = None) -> None:
        self.expand.build((None, 6 * self.joints))
        self.weigh.build((None, _HIDDEN))
        self.built = True

    def call(
        self, pose: keras.KerasTensor, other: keras.KerasTensor, training: bool | None = None
    ) -> keras.KerasTensor:
        both = ops.reshape(ops.concatenate([pose, other], axis=-1), (-1, 6 * self.joints))
        weight = self.weigh(self.dropout(self.expand(both), training=training))
        weight = ops.cast(ops.reshape(weight, (-1, self.joints, 2)), pose.dtype)
        across = weight * pose[..., :2] + (1 - weight) * other[..., :2]
        return ops.concatenate([across, pose[..., 2:]], axis=-1)

    def compute_output_shape(self, pose_shape: tuple, other_shape: tuple) -> tuple:
        return pose_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "joints": self.joints, "dropout": self.dropout_rate}


@keras.saving.register_keras_serializable(package="tf_pose3d")
class RefinedStridedTransformer(PoseModel):
    """Strided Transformer whose centre pose is refined by the one that its depths and the 2D input give.

    As in the release, the true depth of the root enters: without it (or a true pose, which holds it) there
    is no result. With `average_mirrored`, outside training, the mirrored input's pose is averaged with the
    input's before it is refined.

    Args:
        lifter: Arguments of `StridedTransformer`.
        skeleton: Name of the joint layout.
        dropout: Rate inside the refine module.
        average_mirrored: See above.

    Inputs (dict):
        keypoints_2d: `(B, N, J, 2)` normalised screen coordinates.
        intrinsics: `(B, 11)`, see `tf_pose3d.camera.Camera.intrinsics`.
        root_depth: `(B,)` metres; or pose_3d `(B, N, J, 3)`, metres, camera frame.

    Output (dict), metres, relative to the root, camera frame: pose_3d `(B, J, 3)`, and before refinement
    pose_3d_unrefined `(B, J, 3)`.
    """

    def __init__(
        self,
        lifter: dict,
        skeleton: str = "h36m_17",
        dropout: float = 0.5,
        average_mirrored: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {"lifter": dict(lifter), "skeleton": skeleton, "dropout": dropout}
        self.skeleton = get_skeleton(skeleton)
        self.average_mirrored = average_mirrored
        self.lifter = StridedTransformer(**lifter, dtype=self.dtype_policy, name="lifter")
        # The loss reads the refined centre alone.
        for layer in (self.lifter.sequence_norm, self.lifter.sequence_head):
            layer.trainable = False
        self.refinement = PoseRefinement(
            self.skeleton.num_joints, dropout, dtype="float32", name="refinement"
        )

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        joints, frames = self.skeleton.num_joints, self.lifter.frames
        return {
            "keypoints_2d": (None, frames, joints, 2),
            "intrinsics": (None, 11),
            "root_depth": (None,),
        }

    def build(self, input_shape: object = None) -> None:
        """Creates every weight."""
        self.lifter.build()
        self.refinement.build()
        self.built = True

    def _lift(self, keypoints: keras.KerasTensor, training: bool | None) -> keras.KerasTensor:
        joints, lifter = self.skeleton.num_joints, self.lifter
        tokens = lifter.encode_frames(ops.reshape(keypoints, (-1, joints, 2)), training=training)
        tokens = ops.reshape(tokens, (-1, lifter.frames, lifter.temporal_dim))
        return ops.cast(lifter.lift_tokens(tokens, training=training, sequence=False)["pose_3d"], "float32")

    def _mirror(self, points: keras.KerasTensor) -> keras.KerasTensor:
        signs = ops.convert_to_tensor([-1.0] + [1.0] * (points.shape[-1] - 1), dtype=points.dtype)
        return ops.take(points, list(self.skeleton.flip_order), axis=-2) * signs

    def as_inputs(self, inputs: Tensor) -> Tensor:
        if isinstance(inputs, Mapping) and "pose_3d" in inputs and "root_depth" not in inputs:
            depth = inputs["pose_3d"][:, self.lifter.frames // 2, self.skeleton.root, 2]
            inputs = {**inputs, "root_depth": depth}
        return super().as_inputs(inputs)

    def __call__(
        self, inputs: dict[str, keras.KerasTensor], *args: object, **kwargs: Any
    ) -> dict[str, keras.KerasTensor]:
        """See the class.

        Raises:
            Pose3DError: Neither a true pose nor the root's depth is given. Keras would wrap what `call`
                raises into many lines.
        """
        if isinstance(inputs, Mapping) and not {"root_depth", "pose_3d"} & inputs.keys():
            raise Pose3DError(
                "REFINE needs the true depth of the root, which this recording has not; use weights without"
            )
        return super().__call__(inputs, *args, **kwargs)

    def call(
        self, inputs: dict[str, keras.KerasTensor], training: bool | None = None
    ) -> dict[str, keras.KerasTensor]:
        root, middle = self.skeleton.root, self.lifter.frames // 2
        keypoints = inputs["keypoints_2d"][..., :2]
        root_depth = inputs.get("root_depth")
        if root_depth is None:
            root_depth = inputs["pose_3d"][:, middle, root, 2]
        pose = self._lift(keypoints, training)
        if self.average_mirrored and not training:
            pose = (pose + self._mirror(self._lift(self._mirror(keypoints), training))) / 2
        other = back_projected(keypoints[:, middle], pose[..., 2], root_depth, inputs["intrinsics"], root)
        return {"pose_3d": self.refinement(pose, other, training=training), "pose_3d_unrefined": pose}

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings, "average_mirrored": self.average_mirrored}
