"""Config keys of VideoPose3D."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.config import key
from tf_pose3d.models.temporal import TemporalConfig

__all__ = ["VideoPose3DConfig"]


@dataclasses.dataclass
class VideoPose3DConfig(TemporalConfig):
    """Keys of `config/videopose3d_243.json` and its siblings, with the release's defaults."""

    ARCH_NAME: ClassVar[str] = "VideoPose3D"

    FILTER_WIDTHS: list[int] = key(
        [3, 3, 3], "Kernel widths, odd; a prediction is made of as many frames as their product.", minimum=1
    )
    DENSE: bool = key(False, "Kernels that skip no frame, for comparison; slow.")
    CHUNK_LENGTH: int = key(1, "Frames that a training window predicts.", minimum=1)
    EPOCHS: int = key(60, "Epochs to train.", minimum=0)
