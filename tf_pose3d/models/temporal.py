"""What the temporal convolution families share: config keys, windows and loss.

VideoPose3D, RIE and EHFusion come from one line of PyTorch code bases (VideoPose3D's), with one way of
training and evaluating.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import keras

from tf_pose3d.config import SCHEDULE_NAMES, TrainingConfig, key
from tf_pose3d.data.window_spec import WindowSpec
from tf_pose3d.errors import Pose3DError
from tf_pose3d.layers.losses import mean_joint_distance
from tf_pose3d.layers.temporal_convolution import receptive_field
from tf_pose3d.models.family import Family, Loss
from tf_pose3d.skeleton import get_skeleton

__all__ = ["TemporalConfig", "TemporalFamily"]

Tensors = dict[str, Any]


@dataclasses.dataclass
class TemporalConfig(TrainingConfig):
    """Keys of the temporal convolution families, with VideoPose3D's defaults."""

    SKELETON: str = key("h36m_17", "Joint layout: h36m_17, or one of HumanEva's.")
    FILTER_WIDTHS: list[int] = key(
        [3, 3, 3, 3, 3],
        "Kernel widths, odd; a prediction is made of as many frames as their product.",
        minimum=1,
    )
    CHANNELS: int = key(1024, "Features inside the temporal networks.", minimum=1)
    DROP_RATE: float = key(0.25, "Dropout in the temporal networks.", minimum=0, maximum=0.99)
    CAUSAL: bool = key(False, "Predict from the frame itself and those before it.")
    BN_MOMENTUM_FIRST: float = key(
        0.1, "Share of a batch in running statistics in the first epoch (PyTorch's).", minimum=0, maximum=1
    )
    BN_MOMENTUM_LAST: float = key(
        0.001, "What that share decays to exponentially after the last epoch.", minimum=1e-12, maximum=1
    )
    DOWNSAMPLE: int = key(1, "Use every n-th frame, in training and evaluation.", minimum=1)
    TRAIN_FRACTION: float = key(
        1.0, "Share of each training sequence to use, one run of its frames.", minimum=0, maximum=1
    )
    BY_SUBJECT: bool = key(False, "Evaluation also reports each subject alone.")
    TRAIN_SUBSET: str = key("trainval", "Subset to train on when no --train_subset is given.")
    VAL_SUBSET: str = key("test", "Subset to validate on when no --val_subset is given.")
    BATCH_SIZE: int = key(1024, "Windows per training step, over all replicas.", minimum=1)
    EPOCHS: int = key(80, "Epochs to train.", minimum=0)
    STEPS_PER_EPOCH: int | None = key(
        None, "Training steps an epoch; null: as many as go once through the data.", minimum=1
    )
    DATASET_VAL_3D_SUBSAMPLE_STEP: int = key(1, "Every n-th validation frame is a centre.", minimum=1)
    OPTIMIZER_PARAMS: dict = key(
        {"amsgrad": True, "epsilon": 1e-08}, "Further arguments: amsgrad, epsilon, beta_1, beta_2."
    )
    SCHEDULE: str = key("EpochDecay", "Learning rate schedule.", choices=SCHEDULE_NAMES)
    SCHEDULE_PARAMS: dict = key(
        {"initial_learning_rate": 1e-3, "decay_rate": 0.95}, "Arguments of the schedule."
    )
    BEST_CHECKPOINT_METRIC: str | None = key(
        "MPJPE",
        "Metric by which the best weights are kept; null keeps the last only.",
        choices=(None, "loss", "MPJPE", "NMPJPE", "PAMPJPE", "AW-MPJPE", "AW-NMPJPE", "AW-PAMPJPE"),
    )

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        get_skeleton(self.SKELETON)
        if not self.FILTER_WIDTHS or any(width % 2 == 0 for width in self.FILTER_WIDTHS):
            raise Pose3DError(
                f"{source}: FILTER_WIDTHS is {self.FILTER_WIDTHS}, expected odd widths, e.g. [3, 3, 3]"
            )
        if not self.TRAIN_FRACTION:
            raise Pose3DError(f"{source}: TRAIN_FRACTION is 0, expected a share above 0, up to 1")

    @property
    def receptive_field(self) -> int:
        """Frames that one prediction is made of."""
        return receptive_field(self.FILTER_WIDTHS)

    def momentum(self, epoch: int) -> float:
        """Share of running statistics that a training step keeps in an epoch, counted from 1."""
        ratio = self.BN_MOMENTUM_FIRST / self.BN_MOMENTUM_LAST
        done = (epoch - 1) / max(self.EPOCHS, 1)
        return 1 - self.BN_MOMENTUM_FIRST * math.exp(-done * math.log(ratio)) if ratio else 1.0


class TemporalFamily(Family):
    """A network that predicts a frame from the frames round it. Subclasses build the model."""

    protocol = "videopose3d"

    def skeleton(self, config: TemporalConfig) -> str:
        return config.SKELETON

    def data_spec(self, config: TemporalConfig, split: str) -> WindowSpec:
        return WindowSpec(
            length=config.receptive_field,
            stride=config.DOWNSAMPLE,
            step=config.subsample_step(split) * config.DOWNSAMPLE,
            mirror=config.mirroring(split),
            causal=config.CAUSAL,
            fraction=config.TRAIN_FRACTION if split == "train" else 1.0,
            videos_only=True,
        )

    def target(self, config: TemporalConfig) -> Callable[[Tensors], Any]:
        """A function batch -> `(B, J, 3)`: the predicted frame's true pose, root-centred, metres."""
        token = self.data_spec(config, "train").target_token
        root = self.root_joint(config)

        def target(batch: Tensors) -> Any:
            pose = batch["pose_3d"][:, token]
            return pose - pose[:, root : root + 1]

        return target

    def loss(self, config: TemporalConfig, split: str = "train") -> Loss:
        """Mean joint distance in metres, root-centred."""
        target = self.target(config)
        return lambda outputs, batch: mean_joint_distance(outputs["pose_3d"], target(batch))

    def begin_epoch(self, model: keras.Model, config: TemporalConfig, epoch: int) -> None:
        """Sets the momentum of batch normalisation, which decays from epoch to epoch."""
        model.momentum.assign(config.momentum(epoch))
