"""HOIF-Net."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from tf_pose3d.config import key
from tf_pose3d.models.single_frame import SingleFrameConfig, SingleFrameFamily

if TYPE_CHECKING:
    from tf_pose3d.models.hoif.model import HOIFNet

__all__ = ["HOIFNetConfig", "HOIFNetFamily"]


@dataclasses.dataclass
class HOIFNetConfig(SingleFrameConfig):
    """Keys of `config/hoif_gt.json` and its siblings, with the release's defaults."""

    ARCH_NAME: ClassVar[str] = "HOIFNet"

    HID_DIM: int = key(64, "Features of a hop; a joint has four times as many.", minimum=1)
    NUM_LAYERS: int = key(4, "Never read, as in the release.", minimum=0)
    NON_LOCAL: bool = key(False, "Never read, as in the release.")
    BATCH_SIZE: int = key(256, "Poses per training step, over all replicas.", minimum=1)
    EPOCHS: int = key(50, "Epochs to train.", minimum=0)
    SCHEDULE_PARAMS: dict = key(
        {"initial_learning_rate": 1e-3, "decay_steps": 100000, "decay_rate": 0.8},
        "Arguments of the schedule; decay_steps count training steps.",
    )


class HOIFNetFamily(SingleFrameFamily[HOIFNetConfig]):
    """Graph convolutions over hops of one, two and three, one frame at a time."""

    config_class = HOIFNetConfig

    def build_model(self, config: HOIFNetConfig) -> HOIFNet:
        from tf_pose3d.models.hoif.model import HOIFNet

        model = HOIFNet(config.skeleton, config.HID_DIM, config.DROP_RATE, name="hoif_net")
        model.build()
        return model
