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
    SCHEDULE_PARAMS: dict = key(
        {"initial_learning_rate": 2e-4, "decay_rate": 0.99}, "Arguments of the schedule."
    )
