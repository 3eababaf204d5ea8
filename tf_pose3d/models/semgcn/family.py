"""SemGCN."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from tf_pose3d.config import key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.single_frame import SingleFrameConfig, SingleFrameFamily

if TYPE_CHECKING:
    from tf_pose3d.models.semgcn.model import SemGCN

__all__ = ["SemGCNConfig", "SemGCNFamily"]


@dataclasses.dataclass
class SemGCNConfig(SingleFrameConfig):
    """Keys of `config/semgcn_gt.json` and its sibling, with the release's defaults.

    Raises (on `validate`):
        Pose3DError: Also for non-local blocks over 17 joints, whose pairs the release does not define.
    """

    ARCH_NAME: ClassVar[str] = "SemGCN"

    HID_DIM: int = key(128, "Features of a joint.", minimum=2)
    NUM_LAYERS: int = key(4, "Residual pairs of graph convolutions.", minimum=0)
    NON_LOCAL: bool = key(False, "A non-local block after the input block and after every pair.")

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        if self.NON_LOCAL and self.NUM_KEYPOINTS != 16:
            raise Pose3DError(
                f"{source}: NON_LOCAL pools pairs of 16 joints, NUM_KEYPOINTS is {self.NUM_KEYPOINTS}"
            )


class SemGCNFamily(SingleFrameFamily[SemGCNConfig]):
    """Graph convolutions with learned edge weights, one frame at a time."""

    config_class = SemGCNConfig

    def build_model(self, config: SemGCNConfig) -> SemGCN:
        from tf_pose3d.models.semgcn.model import SemGCN

        model = SemGCN(
            config.skeleton,
            config.HID_DIM,
            config.NUM_LAYERS,
            config.NON_LOCAL,
            config.DROP_RATE,
            name="semgcn",
        )
        model.build()
        return model
