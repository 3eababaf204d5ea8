"""Config keys of RIE."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from tf_pose3d.models.staged import StagedConfig

__all__ = ["RIEConfig"]


@dataclasses.dataclass
class RIEConfig(StagedConfig):
    """Keys of `config/rie_243.json` and its siblings, with the release's defaults."""

    ARCH_NAME: ClassVar[str] = "RIE"
