"""Config keys of MotionBERT."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.config import key
from tf_pose3d.models.sequence_to_sequence import ImageSequenceConfig

__all__ = ["MotionBERTConfig"]


@dataclasses.dataclass
class MotionBERTConfig(ImageSequenceConfig):
    """Keys of `config/motionbert.json` and its siblings, with the release's defaults."""

    ARCH_NAME: ClassVar[str] = "MotionBERT"

    LAYERS: int = key(5, "Pairs of branches.", minimum=1)
    BATCH_SIZE: int = key(32, "Clips per training step, over all replicas.", minimum=1)
    EPOCHS: int = key(120, "Epochs to train.", minimum=0)
    SYNTHETIC_2D: bool = key(
        False, "Training keypoints are x and y of the image's poses, with confidence 1, as in pre-training."
    )
    NOISE: bool = key(
        False, "Training keypoints have a detector's errors, and confidences that follow from these."
    )
    MASK_RATIO: float = key(0.0, "Share of training keypoints that are set to 0.", minimum=0, maximum=1)
    MASK_FRAME_RATIO: float = key(0.0, "Share of training frames that are set to 0.", minimum=0, maximum=1)
    POSETRACK: str | None = key(
        None, "Folder of PoseTrack's annotations (.json), 2D poses alone to pre-train on, too; null: none."
    )
    INSTAVARIETY: str | None = key(
        None, "Folder of InstaVariety's motion_all.npy and id_all.npy, likewise; null: none."
    )
    CURRICULUM_EPOCHS: int = key(30, "First epochs without POSETRACK and INSTAVARIETY.", minimum=0)
    PARTIAL_TRAIN: list[str] | None = key(
        None, "Train only weights whose names hold one of these, e.g. head; null: all."
    )
    SCHEDULE_PARAMS: dict = key(
        {"initial_learning_rate": 2e-4, "decay_rate": 0.99}, "Arguments of the schedule."
    )
