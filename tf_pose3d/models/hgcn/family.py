"""HGCN."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from tf_pose3d.config import key
from tf_pose3d.models.single_frame import SingleFrameConfig, SingleFrameFamily

if TYPE_CHECKING:
    from tf_pose3d.models.hgcn.model import HGCN

__all__ = ["HGCNConfig", "HGCNFamily"]


@dataclasses.dataclass
class HGCNConfig(SingleFrameConfig):
    """Keys of `config/hgcn_gt.json` and its sibling, with the release's defaults."""

    ARCH_NAME: ClassVar[str] = "HGCN"

    HID_DIM: int = key(96, "Features of a hop; a joint has four times as many.", minimum=1)
    NUM_LAYERS: int = key(4, "Residual pairs of graph convolutions.", minimum=0)


class HGCNFamily(SingleFrameFamily[HGCNConfig]):
    """Graph convolutions that keep hops apart, one frame at a time."""

    config_class = HGCNConfig

    def build_model(self, config: HGCNConfig) -> HGCN:
        from tf_pose3d.models.hgcn.model import HGCN

        model = HGCN(config.skeleton, config.HID_DIM, config.NUM_LAYERS, config.DROP_RATE, name="hgcn")
        model.build()
        return model
