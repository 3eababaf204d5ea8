"""What families that lift the centre of a window of frames share: config keys, window and loss."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras

from tf_pose3d.config import SCHEDULE_NAMES, TrainingConfig, key
from tf_pose3d.data.windows import WindowSpec
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.family import Family
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.training.losses import mean_joint_distance

__all__ = ["CentreFrameConfig", "CentreFrameFamily", "Tensors"]

Tensors = dict[str, keras.KerasTensor]

_LAYOUTS = {"humaneva15": "humaneva_15", "humaneva20": "humaneva_20"}


@dataclasses.dataclass
class CentreFrameConfig(TrainingConfig):
    """Keys of releases that build on VideoPose3D's way of training.

    Raises (on `validate`):
        Pose3DError: Also for an even number of frames, which has no centre.
    """

    FRAMES: int = key(81, "Frames in a window, an odd number.", minimum=1)
    SKELETON: str | None = key(
        None,
        "Joint layout; null: that of DATASET, which is h36m_17 but for HumanEva.",
        choices=(None, "h36m_17", "h36m_16", "humaneva_15", "humaneva_20"),
    )
    DOWNSAMPLE: int = key(1, "Use every n-th frame, in training and evaluation.", minimum=1)
    TRAIN_SUBSET: str = key("trainval", "Subset to train on when no --train_subset is given.")
    VAL_SUBSET: str = key("test", "Subset to validate on when no --val_subset is given.")
    STEPS_PER_EPOCH: int | None = key(
        None, "Training steps an epoch; null: as many as go once through the data.", minimum=1
    )
    DATASET_VAL_3D_SUBSAMPLE_STEP: int = key(1, "Every n-th validation frame is a centre.", minimum=1)
    SCHEDULE: str = key("EpochDecay", "Learning rate schedule.", choices=SCHEDULE_NAMES)

    @property
    def skeleton(self) -> str:
        """Name of the joint layout."""
        return self.SKELETON or _LAYOUTS.get(self.DATASET, "h36m_17")

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        if self.FRAMES % 2 == 0:
            raise Pose3DError(f"{source}: FRAMES is {self.FRAMES}, expected an odd number")


class CentreFrameFamily(Family):
    """See the base class."""

    def skeleton(self, config: CentreFrameConfig) -> str:
        return config.skeleton

    def window_spec(self, config: CentreFrameConfig, split: str) -> WindowSpec:
        steps = {
            "train": config.DATASET_TRAIN_3D_SUBSAMPLE_STEP,
            "val": config.DATASET_VAL_3D_SUBSAMPLE_STEP,
            "test": config.DATASET_TEST_3D_SUBSAMPLE_STEP,
        }
        mirror = "none"
        if split == "train" and config.AUGM_FLIP_PROB > 0:
            mirror = "in_batch" if config.IN_BATCH_AUGMENT else "entries"
        return WindowSpec(
            length=config.FRAMES,
            stride=config.DOWNSAMPLE,
            step=steps[split] * config.DOWNSAMPLE,
            mirror=mirror,
        )

    def loss(self, config: CentreFrameConfig) -> Callable[[Tensors, Tensors], keras.KerasTensor]:
        """Mean joint distance of the centre frame in metres, the true pose root-centred."""
        root, middle = get_skeleton(config.skeleton).root, config.FRAMES // 2

        def loss(outputs: Tensors, batch: Tensors) -> keras.KerasTensor:
            target = batch["pose_3d"][:, middle]
            return mean_joint_distance(outputs["pose_3d"], target - target[:, root : root + 1])

        return loss
