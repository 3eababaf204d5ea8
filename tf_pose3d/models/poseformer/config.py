"""Config keys of PoseFormer."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.config import key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.centre_frame import CentreFrameConfig

__all__ = ["PoseFormerConfig"]


@dataclasses.dataclass
class PoseFormerConfig(CentreFrameConfig):
    """Keys of `config/poseformer_81.json` and its siblings, with the release's defaults.

    Raises (on `validate`):
        Pose3DError: Also for a width that the heads do not divide.
    """

    ARCH_NAME: ClassVar[str] = "PoseFormer"

    JOINT_DIM: int = key(32, "Width of a joint token; a frame token is that times the joints.", minimum=1)
    LAYERS: int = key(4, "Blocks over joints, and as many over frames.", minimum=1)
    NUM_HEADS: int = key(8, "Attention heads.", minimum=1)
    MLP_RATIO: float = key(2.0, "Hidden width of the MLPs over the token width.", minimum=0)
    QKV_BIAS: bool = key(True, "Bias in query, key and value projections.")
    DROP_RATE: float = key(0.0, "Dropout.", minimum=0, maximum=0.99)
    ATTENTION_DROP_RATE: float = key(0.0, "Dropout of attention weights.", minimum=0, maximum=0.99)
    DROP_PATH_RATE: float = key(0.1, "Highest stochastic depth rate of either part.", minimum=0, maximum=0.99)
    BATCH_SIZE: int = key(512, "Windows per training step, over all replicas.", minimum=1)
    EPOCHS: int = key(200, "Epochs to train.", minimum=0)
    OPTIMIZER: str = key(
        "TorchAdamW", "Adam, AdamW or TorchAdamW; see WEIGHT_DECAY.", choices=("Adam", "AdamW", "TorchAdamW")
    )
    OPTIMIZER_PARAMS: dict = key({"epsilon": 1e-08}, "Further arguments: amsgrad, epsilon, beta_1, beta_2.")
    WEIGHT_DECAY: float | None = key(
        0.1, "AdamW: share of a weight taken off per step; TorchAdamW: times the rate."
    )
    SCHEDULE_PARAMS: dict = key(
        {"initial_learning_rate": 1e-4, "decay_rate": 0.99}, "Arguments of the schedule."
    )

    BEST_CHECKPOINT_METRIC: str | None = key(
        "MPJPE",
        "Metric by which the best weights are kept; null keeps the last only.",
        choices=(None, "loss", "MPJPE", "NMPJPE", "PAMPJPE", "AW-MPJPE", "AW-NMPJPE", "AW-PAMPJPE"),
    )

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        if self.JOINT_DIM % self.NUM_HEADS:
            raise Pose3DError(
                f"{source}: JOINT_DIM {self.JOINT_DIM} is not a multiple of NUM_HEADS {self.NUM_HEADS}"
            )
