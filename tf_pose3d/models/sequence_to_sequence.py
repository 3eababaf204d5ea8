"""What families that give every frame of a clip share: config keys, clips, losses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

from tf_pose3d.config import key
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.family import Loss
from tf_pose3d.models.video import VideoConfig, VideoFamily
from tf_pose3d.types import Parsed, Tensor, Tensors

__all__ = [
    "ImageSequenceConfig",
    "ImageSequenceFamily",
    "SequenceConfig",
    "SequenceFamily",
    "keypoint_loss",
]

_METRICS = (None, "loss", "MPJPE", "NMPJPE", "PAMPJPE", "AW-MPJPE", "AW-NMPJPE", "AW-PAMPJPE")


@dataclasses.dataclass
class SequenceConfig(VideoConfig):
    """Keys of networks from clips to clips.

    Raises (on `validate`):
        Pose3DError: Also for clips longer than the network knows, or a width that the heads do not divide.
    """

    FRAMES: int = key(243, "Frames that the network has embeddings for.", minimum=1)
    CLIP_FRAMES: int | None = key(None, "Frames of a clip in training and test; null: FRAMES.", minimum=1)
    CLIP_STRIDE: int = key(81, "Frames from one training clip to the next.", minimum=1)
    CLIP_TAIL: str = key(
        "drop",
        "Training frames behind a video's last whole clip: drop (shorter videos are resampled), shift (the "
        "last clip back), pad (repeat first and last frames) or resample (to one clip).",
        choices=("drop", "shift", "pad", "resample"),
    )
    CHANNELS: int = key(512, "Width of a token.", minimum=1)
    LAYERS: int = key(8, "Layers.", minimum=1)
    NUM_HEADS: int = key(8, "Attention heads.", minimum=1)
    MLP_RATIO: float = key(2.0, "Hidden width of the MLPs over the token width.", minimum=0)
    QKV_BIAS: bool = key(True, "Bias in query, key and value projections.")
    DROP_RATE: float = key(0.0, "Dropout.", minimum=0, maximum=0.99)
    ATTENTION_DROP_RATE: float = key(0.0, "Dropout of attention weights.", minimum=0, maximum=0.99)
    DROP_PATH_RATE: float = key(0.0, "Highest stochastic depth rate.", minimum=0, maximum=0.99)
    OVERLAP: float = key(
        0.0,
        "Share of a clip that it has in common with the next one when a whole video is lifted; frames that "
        "several clips hold are averaged. 0: clips side by side, as released.",
        minimum=0,
        maximum=0.95,
    )
    OPTIMIZER: str = key(
        "TorchAdamW", "Adam, AdamW or TorchAdamW; see WEIGHT_DECAY.", choices=("Adam", "AdamW", "TorchAdamW")
    )
    OPTIMIZER_PARAMS: dict = key({"epsilon": 1e-08}, "Further arguments: amsgrad, epsilon, beta_1, beta_2.")
    EPSILON_AFTER_CORRECTION: bool = key(
        True, "Adam adds epsilon after the bias correction, as PyTorch does; false: before, as TensorFlow."
    )
    CHECKPOINT_INTERVAL: int = key(1, "Write a checkpoint every n epochs.", minimum=1)
    BEST_CHECKPOINT_METRIC: str | None = key(
        "MPJPE", "Metric by which the best weights are kept; null keeps the last only.", choices=_METRICS
    )

    @property
    def receptive_field(self) -> int:
        """Frames of a clip."""
        return self.clip_frames

    @property
    def clip_frames(self) -> int:
        """Frames of a clip."""
        return self.CLIP_FRAMES or self.FRAMES

    @property
    def overlap(self) -> float:
        return self.OVERLAP

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        if self.CHANNELS % self.NUM_HEADS:
            raise Pose3DError(
                f"{source}: CHANNELS {self.CHANNELS} is not a multiple of NUM_HEADS {self.NUM_HEADS}"
            )
        if self.clip_frames > self.FRAMES:
            raise Pose3DError(
                f"{source}: CLIP_FRAMES is {self.clip_frames}, expected at most FRAMES {self.FRAMES}, which "
                "the network has embeddings for"
            )


ConfigT = TypeVar("ConfigT", bound=SequenceConfig)


class SequenceFamily(VideoFamily[ConfigT]):
    """A network from clips to clips. Subclasses build the model and say its loss."""

    channels = 2
    image_poses = False
    lifted_in_keras_because = "its clips give every frame's pose, the exported pass the middle one's"

    def data_spec(self, config: ConfigT, split: str) -> WindowSpec:
        """Clips for training; for validation and test frames, which the predictor covers with clips."""
        spec = dataclasses.replace(
            super().data_spec(config, split),
            channels=self.channels,
            fill_confidence=True,
            image_poses=self.image_poses,
        )
        if split != "train":
            return spec
        return dataclasses.replace(
            spec,
            step=1,
            clip_stride=config.CLIP_STRIDE,
            clip_tail=config.CLIP_TAIL,
            mirror=self.mirroring(config),
        )

    def mirroring(self, config: ConfigT) -> str:
        """How mirror images come among training clips."""
        return config.mirroring("train")


@dataclasses.dataclass
class ImageSequenceConfig(SequenceConfig):
    """Keys of MotionBERT and of what was built on it."""

    DATASET: str | None = key("h36m_sh", "Data set when no --dataset is given.")
    SKELETON: str = key("h36m_17", "Joint layout.", choices=("h36m_17",))
    SPACE: str = key(
        "image",
        "What the network predicts: image (x, y of the normalised image, z on its scale) or metric (metres "
        "relative to the root); training on data without image poses sets metric.",
        choices=("image", "metric"),
    )
    CONFIDENCE: bool = key(
        True,
        "Read a confidence with each keypoint; networks of x and y alone (no_conf) are not here.",
        choices=(True,),
    )
    REPRESENTATION: int = key(512, "Width of the representation.", minimum=1)
    ADAPTIVE_FUSION: bool = key(True, "Weigh two branches by what they hold; false: their mean.")
    ROOT_RELATIVE: bool = key(
        True, "Poses relative to the root of each frame; false: depth relative to the first frame's root."
    )
    LOSS_SCALE: float = key(0.5, "Factor of the joint distance after scaling.", minimum=0)
    LOSS_VELOCITY: float = key(20.0, "Factor of the distance between movements.", minimum=0)
    WEIGHT_DECAY: float | None = key(
        0.01, "AdamW: share of a weight taken off per step; TorchAdamW: times the rate."
    )


ImageConfigT = TypeVar("ImageConfigT", bound=ImageSequenceConfig)


class ImageSequenceFamily(SequenceFamily[ImageConfigT]):
    """MotionBERT's way of training: clips in the normalised image, half of them mirrored."""

    protocol = "image_clips"
    channels = 3
    image_poses = True

    def mirroring(self, config: ImageConfigT) -> str:
        return "random" if config.AUGM_FLIP_PROB > 0 else "none"

    def config_from_data(self, config: ImageConfigT, examples: Parsed) -> ImageConfigT:
        """SPACE as the data's poses."""
        return config.replace(SPACE="image" if "pose_image" in examples.store.arrays else "metric")

    def target(self, config: ImageConfigT) -> Callable[[Tensors], Tensor]:
        """A function batch -> `(B, F, J, 3)`: what `pose_image_sequence` should be."""
        from keras import ops

        def target(batch: Tensors) -> Tensor:
            pose = batch["pose_image" if "pose_image" in batch else "pose_3d"]
            root = pose[:, :, :1]
            if config.ROOT_RELATIVE:
                return pose - root
            return ops.concatenate([pose[..., :2], pose[..., 2:] - root[:, :1, :, 2:]], axis=-1)

        return target

    def loss(self, config: ImageConfigT, split: str = "train") -> Loss:
        """Joint distance, the same after scaling, and the distance between movements."""
        from tf_pose3d.layers.losses import (
            mean_joint_distance,
            mean_velocity_distance,
            scaled_joint_distance,
        )

        target_of = self.target(config)

        def loss(outputs: Tensors, batch: Tensors) -> Tensor:
            if "pose_image" not in batch and "pose_3d" not in batch:
                return keypoint_loss(outputs["pose_image_sequence"], batch, config.ROOT_RELATIVE)
            poses, target = outputs["pose_image_sequence"], target_of(batch)
            return (
                mean_joint_distance(poses, target)
                + config.LOSS_SCALE * scaled_joint_distance(poses, target)
                + config.LOSS_VELOCITY * mean_velocity_distance(poses, target)
            )

        return loss


def keypoint_loss(poses: Tensor, batch: Tensors, root_relative: bool = True) -> Tensor:
    """Mean length of confidence x difference of x and y, for batches without 3D poses; as the release.

    Args:
        poses: `(B, F, J, 3)` of the network.
        batch: `keypoints_true (B, F, J, 3)`: the annotated keypoints and confidences, before noise and
            masks; else `keypoints_2d`, which the network read.
        root_relative: Poses are held against keypoints relative to their root; False: as they are.
    """
    from keras import ops

    from tf_pose3d.layers.losses import mean_length

    true = batch["keypoints_true" if "keypoints_true" in batch else "keypoints_2d"]
    target = true[..., :2] - true[:, :, :1, :2] if root_relative else true[..., :2]
    return mean_length((ops.cast(poses, "float32")[..., :2] - target) * true[..., 2:])
