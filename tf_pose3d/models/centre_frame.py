"""What families that lift the centre of a window of frames by a transformer share: config keys and window.

Strided Transformer and PoseFormer train and evaluate in VideoPose3D's way, but have none of its
convolutions.
"""

from __future__ import annotations

import dataclasses

import keras

from tf_pose3d.config import SCHEDULE_NAMES, TrainingConfig, key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.temporal import TemporalFamily
from tf_pose3d.skeleton import get_skeleton

__all__ = ["CentreFrameConfig", "CentreFrameFamily", "Tensors"]

Tensors = dict[str, keras.KerasTensor]


@dataclasses.dataclass
class CentreFrameConfig(TrainingConfig):
    """Keys of the releases' training and evaluation.

    Raises (on `validate`):
        Pose3DError: Also for an even number of frames, which has no centre.
    """

    FRAMES: int = key(81, "Frames in a window, an odd number.", minimum=1)
    SKELETON: str = key("h36m_17", "Joint layout: h36m_17, h36m_16, humaneva_15 or humaneva_20.")
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
        return self.FRAMES

    @property
    def CAUSAL(self) -> bool:
        """A window's centre is predicted, never its last frame."""
        return False

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        get_skeleton(self.SKELETON)
        if self.FRAMES % 2 == 0:
            raise Pose3DError(f"{source}: FRAMES is {self.FRAMES}, expected an odd number")
        if not self.TRAIN_FRACTION:
            raise Pose3DError(f"{source}: TRAIN_FRACTION is 0, expected a share above 0, up to 1")


class CentreFrameFamily(TemporalFamily):
    """A transformer over the frames of a window. Subclasses build the model."""

    def begin_epoch(self, model: keras.Model, config: CentreFrameConfig, epoch: int) -> None:
        """Nothing follows the epochs here."""
