"""What the temporal convolution families share: config keys and the momentum of normalisation.

VideoPose3D, RIE and EHFusion come from one line of PyTorch code bases (VideoPose3D's), with one way of
training and evaluating.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, TypeVar

from tf_pose3d.config import key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.video import VideoConfig, VideoFamily

if TYPE_CHECKING:
    import keras

__all__ = ["TemporalConfig", "TemporalFamily"]


@dataclasses.dataclass
class TemporalConfig(VideoConfig):
    """Keys of the temporal convolution families, with VideoPose3D's defaults."""

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
    BATCH_SIZE: int = key(1024, "Windows per training step, over all replicas.", minimum=1)
    EPOCHS: int = key(80, "Epochs to train.", minimum=0)
    OPTIMIZER_PARAMS: dict = key(
        {"amsgrad": True, "epsilon": 1e-08}, "Further arguments: amsgrad, epsilon, beta_1, beta_2."
    )
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
        if not self.FILTER_WIDTHS or any(width % 2 == 0 for width in self.FILTER_WIDTHS):
            raise Pose3DError(
                f"{source}: FILTER_WIDTHS is {self.FILTER_WIDTHS}, expected odd widths, e.g. [3, 3, 3]"
            )

    @property
    def receptive_field(self) -> int:
        """Frames that one prediction is made of."""
        return math.prod(self.FILTER_WIDTHS)

    @property
    def causal(self) -> bool:
        return self.CAUSAL

    def momentum(self, epoch: int) -> float:
        """Share of running statistics that a training step keeps in an epoch, counted from 1."""
        ratio = self.BN_MOMENTUM_FIRST / self.BN_MOMENTUM_LAST
        done = (epoch - 1) / max(self.EPOCHS, 1)
        return 1 - self.BN_MOMENTUM_FIRST * math.exp(-done * math.log(ratio)) if ratio else 1.0


ConfigT = TypeVar("ConfigT", bound=TemporalConfig)


class TemporalFamily(VideoFamily[ConfigT]):
    """Temporal convolutions over the frames of a window. Subclasses build the model."""

    def begin_epoch(self, model: keras.Model, config: ConfigT, epoch: int) -> None:
        """Sets the momentum of batch normalisation, which decays from epoch to epoch."""
        model.momentum.assign(config.momentum(epoch))
