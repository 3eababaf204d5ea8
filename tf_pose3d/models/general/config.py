"""Config of the general lifter."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.config import key
from tf_pose3d.data.motion_views import MotionViewConfig

__all__ = ["GeneralConfig"]


@dataclasses.dataclass
class GeneralConfig(MotionViewConfig):
    """Keys of `config/general.json` and `config/general_frame.json`."""

    ARCH_NAME: ClassVar[str] = "General"

    WIDTH: int = key(512, "Features of the layers that see one frame.", minimum=8)
    BLOCKS: int = key(2, "Residual blocks of two layers that see one frame.", minimum=0)
    TEMPORAL_WIDTH: int = key(256, "Features of the layers that see time.", minimum=8)
    DILATIONS: list[int] = key(
        [], "Frames between the taps of each temporal convolution; none: every frame on its own.", minimum=1
    )
    VIRTUAL_CAMERA: bool = key(True, "Turn a camera to the person; false: rays as they are, centred.")
    CONSTANT_BONES: bool = key(
        True, "Directions and lengths of bones, the lengths one mean over the clip; false: free joints."
    )
    KNEES_FORWARD: bool = key(True, "Knees cannot bend backwards; false: as the network has them.")
    LOSS_ALIGNED: float = key(
        0.0, "Weight of the mean joint distance after the best shift, turn and size, metres.", minimum=0
    )
    LOSS_UNCERTAINTY: float = key(0.02, "Weight of the uncertainty's likelihood.", minimum=0)
    LOSS_VELOCITY: float = key(0.0, "Weight of the error of velocities, metres a frame.", minimum=0)
    LOSS_BONES: float = key(0.1, "Weight of the error of bone lengths, metres.", minimum=0)
    BATCH_SIZE: int = key(2048, "Clips per training step, over all replicas.", minimum=1)
    EPOCHS: int = key(60, "Epochs to train.", minimum=0)
    STEPS_PER_EPOCH: int | None = key(500, "Training steps an epoch.", minimum=1)
    SCHEDULE_PARAMS: dict = key(
        {"initial_learning_rate": 1e-3, "decay_steps": 1000, "decay_rate": 0.9}, "Arguments of the schedule."
    )
    MAX_NORM: float | None = key(1.0, "Scale gradients down to this global norm; null: never.", minimum=0)
    EMA_ENABLED: bool = key(True, "Validate and save an exponential moving average of the weights.")
    EMA_DECAY: float | None = key(0.999, "Its decay; the first steps use less.", minimum=0, maximum=1)
    CHECKPOINT_INTERVAL: int = key(2, "Write a checkpoint every n epochs.", minimum=1)
    BEST_CHECKPOINT_METRIC: str | None = key(
        "MPJPE",
        "Metric by which the best weights are kept; null keeps the last only.",
        choices=(None, "loss", "MPJPE", "PAMPJPE"),
    )
