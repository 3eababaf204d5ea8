"""Config keys of MixSTE."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.config import key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.sequence_to_sequence import SequenceConfig

__all__ = ["JOINT_WEIGHTS", "MixSTEConfig"]

# Of the loss, as in the release: limbs, and hands and feet more.
JOINT_WEIGHTS = {
    "h36m_17": (1, 1, 2.5, 2.5, 1, 2.5, 2.5, 1, 1, 1, 1.5, 1.5, 4, 4, 1.5, 4, 4),
    "humaneva_15": (1, 1, 2.5, 2.5, 1, 2.5, 2.5, 1, 1.5, 1.5, 4, 4, 1.5, 4, 4),
}


@dataclasses.dataclass
class MixSTEConfig(SequenceConfig):
    """Keys of `config/mixste_243.json`, with the release's defaults.

    Raises (on `validate`):
        Pose3DError: Also for clips of another length than the network's frames.
    """

    ARCH_NAME: ClassVar[str] = "MixSTE"

    SKELETON: str = key("h36m_17", "Joint layout.", choices=tuple(JOINT_WEIGHTS))
    CLIP_STRIDE: int = key(243, "Frames from one training clip to the next.", minimum=1)
    CLIP_TAIL: str = key(
        "pad",
        "Training frames behind a video's last whole clip: pad (clips in the middle, first and last frames "
        "repeated), drop, shift or resample.",
        choices=("drop", "shift", "pad", "resample"),
    )
    DROP_PATH_RATE: float = key(0.1, "Highest stochastic depth rate.", minimum=0, maximum=0.99)
    LOSS_SMOOTHNESS: float = key(0.5, "Factor of the squared movement of the prediction.", minimum=0)
    LOSS_VELOCITY: float = key(2.0, "Factor of the distance between movements.", minimum=0)
    LOSS_AS_GRADIENT: bool = key(
        False, "Multiply gradients with the loss, as the release does; Adam hardly notices."
    )
    BATCH_SIZE: int = key(4, "Clips per training step, over all replicas.", minimum=1)
    EPOCHS: int = key(120, "Epochs to train.", minimum=0)
    WEIGHT_DECAY: float | None = key(
        0.1, "AdamW: share of a weight taken off per step; TorchAdamW: times the rate."
    )
    SCHEDULE_PARAMS: dict = key(
        {"initial_learning_rate": 4e-5, "decay_rate": 0.99}, "Arguments of the schedule."
    )

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        if self.clip_frames != self.FRAMES:
            raise Pose3DError(
                f"{source}: CLIP_FRAMES is {self.CLIP_FRAMES}, expected {self.FRAMES}: the network reads "
                "FRAMES frames at once"
            )
