"""VideoPose3D: temporal convolutions over 2D poses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.batch_normalization import SharedMomentum
from tf_pose3d.layers.temporal_convolution import TemporalNetwork, receptive_field
from tf_pose3d.models.pose_model import PoseModel
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Tensor

__all__ = ["VideoPose3D"]


@keras.saving.register_keras_serializable(package="tf_pose3d")
class VideoPose3D(PoseModel):
    """Pavllo et al., "3D human pose estimation in video with temporal convolutions and semi-supervised
    training", CVPR 2019.

    Args:
        skeleton: Name of the joint layout of the poses.
        filter_widths: Odd kernel widths; the receptive field N is their product.
        channels: Features inside.
        dropout: Rate.
        causal: Whether a pose is that of the last frame of its receptive field, not of the middle one.
        dense: Kernels that skip no frame, for comparison.
        input_skeleton: Name of the joint layout of the keypoints, Ji joints; None: the poses'.
        trajectory: Also give the root's place, by a second network.

    Input (dict): keypoints_2d `(B, T, Ji, 2)`, normalised screen coordinates, T at least N.
    Output (dict), metres, relative to the root, camera frame: pose_3d `(B, J, 3)`, of the middle one of the
    T - N + 1 frames that are predicted; where these are more than one, pose_3d_sequence
    `(B, T - N + 1, J, 3)`. With a trajectory network root_3d `(B, 3)` and root_3d_sequence
    `(B, T - N + 1, 3)`: the root's place in the camera's frame.
    """

    _reads_longer_windows = True

    def __init__(
        self,
        skeleton: str = "h36m_17",
        filter_widths: Sequence[int] = (3, 3, 3),
        channels: int = 1024,
        dropout: float = 0.25,
        causal: bool = False,
        dense: bool = False,
        input_skeleton: str | None = None,
        trajectory: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.settings = {
            "skeleton": skeleton,
            "filter_widths": list(filter_widths),
            "channels": channels,
            "dropout": dropout,
            "causal": causal,
            "dense": dense,
            "input_skeleton": input_skeleton,
            "trajectory": trajectory,
        }
        self.joints = get_skeleton(skeleton).num_joints
        self.input_joints = get_skeleton(input_skeleton or skeleton).num_joints
        self.momentum = SharedMomentum()

        def network(outputs: int, name: str) -> TemporalNetwork:
            return TemporalNetwork(
                outputs,
                filter_widths,
                channels,
                dropout,
                causal=causal,
                dense=dense,
                momentum=self.momentum,
                name=name,
            )

        self.network = network(3 * self.joints, "network")
        self.trajectory = network(3, "trajectory") if trajectory else None

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        frames = receptive_field(self.settings["filter_widths"])
        return {"keypoints_2d": (None, frames, self.input_joints, 2)}

    def build(self, input_shape: object = None) -> None:
        for network in filter(None, (self.network, self.trajectory)):
            network.build((None, None, 2 * self.input_joints))
        self.built = True

    def lift_sequence(self, keypoints: Tensor) -> Tensor:
        """Poses of every frame whose receptive field lies in a sequence, all at once.

        Args:
            keypoints: `(B, T, Ji, 2)`.

        Returns:
            `(B, T - N + 1, J, 3)`.
        """
        results = self.network.sequence_results(self._flat(keypoints))
        return ops.reshape(results, (-1, ops.shape(results)[1], self.joints, 3))

    def lift_path(self, keypoints: Tensor) -> Tensor:
        """The root's places of every frame whose receptive field lies in a sequence.

        Args:
            keypoints: `(B, T, Ji, 2)`.

        Returns:
            `(B, T - N + 1, 1, 3)` metres, camera frame.

        Raises:
            Pose3DError: The model has no trajectory network.
        """
        if self.trajectory is None:
            raise Pose3DError(f"{self.name} has no trajectory network, which gives the root's path")
        return self.trajectory.sequence_results(self._flat(keypoints))[:, :, None]

    def _flat(self, keypoints: Tensor) -> Tensor:
        keypoints = ops.cast(keypoints[..., :2], self.compute_dtype)
        return ops.reshape(keypoints, (-1, ops.shape(keypoints)[1], 2 * self.input_joints))

    def call(self, inputs: dict[str, Tensor], training: bool | None = None) -> dict[str, Tensor]:
        frames = self._flat(inputs["keypoints_2d"])
        results = self.network(frames, training=training)
        poses = ops.reshape(results, (-1, ops.shape(results)[1], self.joints, 3))
        outputs = {"pose_3d": poses[:, ops.shape(poses)[1] // 2]}
        if results.shape[1] != 1:
            outputs["pose_3d_sequence"] = poses
        if self.trajectory is not None:
            path = self.trajectory(frames, training=training)
            outputs["root_3d"] = path[:, ops.shape(path)[1] // 2]
            outputs["root_3d_sequence"] = path
        return outputs

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}
