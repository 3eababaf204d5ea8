"""The simple baseline of Martinez et al.."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from tf_pose3d.config import key
from tf_pose3d.models.single_frame import SingleFrameConfig, SingleFrameFamily

if TYPE_CHECKING:
    from tf_pose3d.models.martinez.model import MartinezNet

__all__ = ["MartinezConfig", "MartinezFamily"]


@dataclasses.dataclass
class MartinezConfig(SingleFrameConfig):
    """Keys of `config/martinez_gt.json`, with the defaults of SemGCN's release."""

    ARCH_NAME: ClassVar[str] = "Martinez"

    HID_DIM: int = key(1024, "Features of the hidden layers.", minimum=1)
    NUM_LAYERS: int = key(2, "Residual stages of two blocks.", minimum=0)
    DROP_RATE: float = key(0.5, "Dropout.", minimum=0, maximum=0.99)
    EPOCHS: int = key(200, "Epochs to train.", minimum=0)
    CHECKPOINT_INTERVAL: int = key(10, "Write a checkpoint every n epochs.", minimum=1)


class MartinezFamily(SingleFrameFamily[MartinezConfig]):
    """Residual linear layers, one frame at a time."""

    config_class = MartinezConfig
    # The hip is not predicted.
    loss_begin = 1

    def build_model(self, config: MartinezConfig) -> MartinezNet:
        from tf_pose3d.models.martinez.model import MartinezNet

        model = MartinezNet(
            config.skeleton, config.HID_DIM, config.NUM_LAYERS, config.DROP_RATE, name="martinez"
        )
        model.build()
        return model
