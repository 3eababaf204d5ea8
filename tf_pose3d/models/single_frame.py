"""What families that lift one frame at a time share: config keys, window and loss.

HOIF-Net, HGCN, SemGCN and Martinez's network come from one line of PyTorch code bases (SemGCN's), with one
way of training.
"""

from __future__ import annotations

import dataclasses
from typing import TypeVar

from tf_pose3d.config import SCHEDULE_NAMES, TrainingConfig, key
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.models.family import Family, Loss
from tf_pose3d.skeleton import get_skeleton
from tf_pose3d.types import Tensor, Tensors

__all__ = ["SingleFrameConfig", "SingleFrameFamily"]

_LAYOUTS = {16: "h36m_16", 17: "h36m_17"}


@dataclasses.dataclass
class SingleFrameConfig(TrainingConfig):
    """Keys of the releases that lift single frames, with SemGCN's defaults."""

    NUM_KEYPOINTS: int = key(
        16, "Joints: 16 (without Neck/Nose, the releases' choice with exact 2D) or 17.", choices=(16, 17)
    )
    DROP_RATE: float = key(0.0, "Dropout.", minimum=0, maximum=0.99)
    DOWNSAMPLE: int = key(1, "Use every n-th frame, in training and evaluation.", minimum=1)
    TRAIN_SUBSET: str = key("trainval", "Subset to train on when no --train_subset is given.")
    VAL_SUBSET: str = key("test", "Subset to validate on when no --val_subset is given.")
    BATCH_SIZE: int = key(64, "Poses per training step, over all replicas.", minimum=1)
    EPOCHS: int = key(100, "Epochs to train.", minimum=0)
    STEPS_PER_EPOCH: int | None = key(
        None, "Training steps an epoch; null: as many as go once through the data.", minimum=1
    )
    DATASET_VAL_3D_SUBSAMPLE_STEP: int = key(1, "Every n-th validation frame is a centre.", minimum=1)
    AUGM_FLIP_PROB: float = key(
        0.0, "Mirrored poses in training: a switch (> 0), not a probability.", minimum=0
    )
    EVAL_FLIP: bool = key(False, "Average the prediction with that for the mirrored input.")
    OPTIMIZER_PARAMS: dict = key({"epsilon": 1e-08}, "Further arguments: amsgrad, epsilon, beta_1, beta_2.")
    MAX_NORM: float | None = key(
        1.0, "Scale gradients down to this global norm; null or 0: never.", minimum=0
    )
    SCHEDULE: str = key("StaircaseDecay", "Learning rate schedule.", choices=SCHEDULE_NAMES)
    SCHEDULE_PARAMS: dict = key(
        {"initial_learning_rate": 1e-3, "decay_steps": 100000, "decay_rate": 0.96},
        "Arguments of the schedule; decay_steps count training steps.",
    )
    CHECKPOINT_INTERVAL: int = key(5, "Write a checkpoint every n epochs.", minimum=1)
    BEST_CHECKPOINT_METRIC: str | None = key(
        "MPJPE",
        "Metric by which the best weights are kept; null keeps the last only.",
        choices=(None, "loss", "MPJPE", "NMPJPE", "PAMPJPE", "AW-MPJPE", "AW-NMPJPE", "AW-PAMPJPE"),
    )

    @property
    def skeleton(self) -> str:
        """Name of the joint layout."""
        return _LAYOUTS[self.NUM_KEYPOINTS]


ConfigT = TypeVar("ConfigT", bound=SingleFrameConfig)


class SingleFrameFamily(Family[ConfigT]):
    """A network that lifts each frame on its own. Subclasses build the model.

    Attributes:
        loss_begin: How many first joints the loss passes over.
    """

    loss_begin = 0
    splits_batches = True

    def skeleton(self, config: ConfigT) -> str:
        return config.skeleton

    def data_spec(self, config: ConfigT, split: str) -> WindowSpec:
        step = config.subsample_step(split) * config.DOWNSAMPLE
        return WindowSpec(length=1, step=step, mirror=config.mirroring(split))

    def loss(self, config: ConfigT, split: str = "train") -> Loss:
        """Mean squared error of coordinates in metres, root-centred."""
        from keras import ops

        layout = get_skeleton(config.skeleton)
        begin = self.loss_begin

        def loss(outputs: Tensors, batch: Tensors) -> Tensor:
            target = ops.reshape(batch["pose_3d"], (-1, layout.num_joints, 3))
            target = target - target[:, layout.root : layout.root + 1]
            error = ops.cast(outputs["pose_3d"], "float32") - target
            return ops.mean(ops.square(error[:, begin:]))

        return loss
