"""What families that lift a frame of a video from those round it share: config keys, windows and loss.

They train and evaluate in VideoPose3D's way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

from tf_pose3d.config import SCHEDULE_NAMES, TrainingConfig, key
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.family import Family, Loss
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Tensor, Tensors

__all__ = ["VideoConfig", "VideoFamily"]


@dataclasses.dataclass
class VideoConfig(TrainingConfig):
    """Keys of the releases' training and evaluation."""

    SKELETON: str = key("h36m_17", "Joint layout: h36m_17, or one of HumanEva's.")
    DOWNSAMPLE: int = key(1, "Use every n-th frame, in training and evaluation.", minimum=1)
    TRAIN_FRACTION: float = key(
        1.0, "Share of each training sequence to use, one run of its frames.", minimum=0, maximum=1
    )
    BY_SUBJECT: bool = key(False, "Evaluation also reports each subject alone.")
    TRAIN_SUBSET: str = key("trainval", "Subset to train on when no --train_subset is given.")
    VAL_SUBSET: str = key("test", "Subset to validate on when no --val_subset is given.")
    STEPS_PER_EPOCH: int | None = key(
        None, "Training steps an epoch; null: as many as go once through the data.", minimum=1
    )
    DATASET_VAL_3D_SUBSAMPLE_STEP: int = key(1, "Every n-th validation frame is a centre.", minimum=1)
    SCHEDULE: str = key("EpochDecay", "Learning rate schedule.", choices=SCHEDULE_NAMES)

    @property
    def receptive_field(self) -> int:
        """Frames that one prediction is made of."""
        raise NotImplementedError

    @property
    def causal(self) -> bool:
        """Whether a window's last frame is predicted, not its centre."""
        return False

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        get_skeleton(self.SKELETON)
        if not self.TRAIN_FRACTION:
            raise Pose3DError(f"{source}: TRAIN_FRACTION is 0, expected a share above 0, up to 1")


ConfigT = TypeVar("ConfigT", bound=VideoConfig)


class VideoFamily(Family[ConfigT]):
    """A network that predicts a frame from a window of frames. Subclasses build the model."""

    protocol = "videopose3d"

    def skeleton(self, config: ConfigT) -> str:
        return config.SKELETON

    def data_spec(self, config: ConfigT, split: str) -> WindowSpec:
        return WindowSpec(
            length=config.receptive_field,
            stride=config.DOWNSAMPLE,
            step=config.subsample_step(split) * config.DOWNSAMPLE,
            mirror=config.mirroring(split),
            causal=config.causal,
            fraction=config.TRAIN_FRACTION if split == "train" else 1.0,
            videos_only=True,
        )

    def target(self, config: ConfigT) -> Callable[[Tensors], Any]:
        """A function batch -> `(B, J, 3)`: the predicted frame's true pose, root-centred, metres."""
        token = self.data_spec(config, "train").target_token
        root = self.root_joint(config)

        def target(batch: Tensors) -> Tensor:
            pose = batch["pose_3d"][:, token]
            return pose - pose[:, root : root + 1]

        return target

    def loss(self, config: ConfigT, split: str = "train") -> Loss:
        """Mean joint distance in metres, root-centred."""
        from tf_pose3d.layers.losses import mean_joint_distance

        target = self.target(config)
        return lambda outputs, batch: mean_joint_distance(outputs["pose_3d"], target(batch))
