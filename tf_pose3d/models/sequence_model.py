"""What networks that give a pose for every frame of a clip have in common."""

from __future__ import annotations

from typing import TypeAlias

import keras
from keras import ops

from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.pose_model import PoseModel

__all__ = ["ImageSequenceModel", "SequenceModel"]

Tensor: TypeAlias = keras.KerasTensor


class SequenceModel(PoseModel):
    """A network from a clip's keypoints to a pose for each of its frames.

    Attributes:
        frames: Most frames of a clip.
        joints: Joints J.
        channels: Numbers of a keypoint that are read.
        sequence_output: Name of the output with every frame's pose, `(B, F, J, 3)`.
    """

    frames: int
    joints: int
    channels: int
    sequence_output = "pose_3d_sequence"

    def rooted(self, poses: Tensor) -> Tensor:
        """`(..., J, 3)` outputs as `pose_3d` holds them; here as they are, the root one of the joints."""
        return poses

    @property
    def input_shapes(self) -> dict[str, tuple[int | None, ...]]:
        return {"keypoints_2d": (None, self.frames, self.joints, self.channels)}

    def _clip(self, inputs: dict[str, Tensor]) -> Tensor:
        """`(B, F, J, channels)` keypoints in the type of computation.

        Raises:
            Pose3DError: A clip without keypoints' every number, or longer than the network knows.
        """
        keypoints = inputs["keypoints_2d"]
        if keypoints.shape[-1] is not None and keypoints.shape[-1] < self.channels:
            raise Pose3DError(
                f"{self.name}: keypoints_2d has shape {tuple(keypoints.shape)}, expected {self.channels} "
                "numbers a joint: x, y and a confidence"
            )
        if keypoints.shape[1] is not None and keypoints.shape[1] > self.frames:
            raise Pose3DError(
                f"{self.name}: a clip of {keypoints.shape[1]} frames, expected at most {self.frames}, which "
                "the network has embeddings for"
            )
        return ops.cast(keypoints[..., : self.channels], self.compute_dtype)

    def get_config(self) -> dict:
        return {**super().get_config(), **self.settings}


class ImageSequenceModel(SequenceModel):
    """A network in the normalised image: x, y as the keypoints', z relative to the root on their scale.

    Input (dict): keypoints_2d `(B, F, J, 3)`: normalised x, y and confidence; image_scale `(B, F)`, optional:
    metres of one unit of the image at the person.
    Output (dict): pose_image_sequence `(B, F, J, 3)`: the network's own output; representation
    `(B, F, J, R)`: what the last layer reads, for other heads; pose_3d `(B, J, 3)`: the middle frame relative
    to the root, in metres where image_scale is given, else in the output's own unit.
    """

    sequence_output = "pose_image_sequence"
    root_relative: bool

    def _outputs(self, inputs: dict[str, Tensor], poses: Tensor, representation: Tensor) -> dict[str, Tensor]:
        middle = poses.shape[1] // 2
        pose = self.rooted(poses[:, middle])
        scale = inputs.get("image_scale")
        if scale is not None:
            pose = pose * ops.cast(scale[:, middle, None, None], pose.dtype)
        return {"pose_image_sequence": poses, "representation": representation, "pose_3d": pose}

    def rooted(self, poses: Tensor) -> Tensor:
        """`(..., J, 3)` outputs relative to the root.

        The root of a network of root-relative poses is taken as 0 whatever it says; others are moved.
        """
        if not self.root_relative:
            return poses - poses[..., :1, :]
        return ops.concatenate([ops.zeros_like(poses[..., :1, :]), poses[..., 1:, :]], axis=-2)
