"""What VideoPose3D learns from 2D poses alone: where poses are seen, and how long bones are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keras import ops

from tf_pose3d.geometry.screen import project_to_screen
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Tensor, Tensors

if TYPE_CHECKING:
    from tf_pose3d.models.videopose3d.config import VideoPose3DConfig

__all__ = ["UnlabeledLoss", "split_outputs"]


def split_outputs(outputs: Tensors, batch: Tensors) -> tuple[Tensors, Tensors]:
    """Outputs of the labelled windows, which come first, and of the others.

    Args:
        outputs: Of the model for `keypoints_2d`.
        batch: With `pose_3d`, of the labelled windows alone.
    """
    count = ops.shape(batch["pose_3d"])[0]
    return (
        {name: values[:count] for name, values in outputs.items()},
        {name: values[count:] for name, values in outputs.items()},
    )


def _length(vectors: Tensor) -> Tensor:
    """Lengths over the last axis, with gradient 0 where a vector vanishes."""
    squared = ops.sum(ops.square(vectors), axis=-1)
    vanishes = squared == 0
    return ops.where(vanishes, 0.0, ops.sqrt(ops.where(vanishes, 1.0, squared)))


class UnlabeledLoss:
    """Distance between projected and given 2D poses, and between mean lengths of bones; 0 without windows.

    Args:
        config: Says which of the two, and how poses project.
        token: The first frame of a window that is predicted.
    """

    def __init__(self, config: VideoPose3DConfig, token: int) -> None:
        self._config, self._token = config, token
        poses, seen = get_skeleton(config.SKELETON), get_skeleton(config.input_skeleton)
        self._bones = poses.bones
        # The release's 2D poses have the poses' joints; with others those count that both name.
        named = [joint for joint in poses.joints if joint in seen.joints]
        self._of_poses = [poses.index(joint) for joint in named]
        self._of_keypoints = [seen.index(joint) for joint in named]

    def __call__(self, labeled: Tensors, others: Tensors, batch: Tensors) -> Tensor:
        poses = ops.cast(_sequence(others), "float32")
        count = ops.cast(ops.shape(poses)[0], "float32")
        # Epochs of warming up have no such window: sums of nothing over at least one.
        at_least_one, active = ops.maximum(count, 1.0), ops.minimum(count, 1.0)
        total = ops.zeros(())
        if self._config.PROJECTION_LOSS:
            places = poses + ops.cast(others["root_3d_sequence"], "float32")[:, :, None]
            cameras = batch["unlabeled_intrinsics"]
            seen = project_to_screen(places, cameras, self._config.LINEAR_PROJECTION)
            first = ops.shape(batch["pose_3d"])[0]
            frames = slice(self._token, self._token + self._config.CHUNK_LENGTH)
            target = batch["keypoints_2d"][first:, frames, :, :2]
            target = ops.take(target, self._of_keypoints, axis=2)
            distances = _length(ops.take(seen, self._of_poses, axis=2) - target)
            total = total + ops.sum(ops.mean(distances, axis=(1, 2))) / at_least_one
        if self._config.BONE_LENGTH_LOSS:
            true = ops.mean(self._bone_lengths(ops.cast(_sequence(labeled), "float32")), axis=0)
            found = ops.sum(self._bone_lengths(poses), axis=0) / at_least_one
            total = total + active * ops.mean(ops.abs(true - found))
        return total

    def _bone_lengths(self, poses: Tensor) -> Tensor:
        """`(B, bones)` means over frames."""
        parents, joints = zip(*self._bones, strict=True)
        bones = ops.take(poses, list(joints), axis=2) - ops.take(poses, list(parents), axis=2)
        return ops.mean(_length(bones), axis=1)


def _sequence(outputs: Tensors) -> Tensor:
    """`(B, T, J, 3)` poses of the frames that a window predicts."""
    if "pose_3d_sequence" in outputs:
        return outputs["pose_3d_sequence"]
    return outputs["pose_3d"][:, None]
