"""Config keys of EHFusion."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.config import key
from tf_pose3d.errors import Pose3DError
from tf_pose3d.models.staged import StagedConfig

__all__ = ["EHFusionConfig"]


@dataclasses.dataclass
class EHFusionConfig(StagedConfig):
    """Keys of `config/ehfusion_onestage.json` and its siblings, with the release's defaults."""

    ARCH_NAME: ClassVar[str] = "EHFusion"

    STRATEGY: str = key(
        "one_stage",
        "one_stage: the paper's end-to-end fusion; one_stage_released: zeros where fused features belong, as "
        "the release computes; three_stage.",
        choices=("one_stage", "one_stage_released", "three_stage"),
    )
    CAMERA: str = key(
        "intrinsics",
        "What the camera's embedding gets: intrinsics; or zeros, for data without them such as HumanEva-I.",
        choices=("intrinsics", "zeros"),
    )

    @property
    def in_stages(self) -> bool:
        return self.STRATEGY == "three_stage"

    def validate(self, source: str = "config") -> None:
        super().validate(source)
        if self.LATENT_FEATURES % 4:
            raise Pose3DError(
                f"{source}: LATENT_FEATURES is {self.LATENT_FEATURES}, expected a multiple of 4, e.g. 256"
            )
