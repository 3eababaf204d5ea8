"""RIE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_pose3d.models.rie.config import RIEConfig
from tf_pose3d.models.staged import StagedFamily

if TYPE_CHECKING:
    from tf_pose3d.models.rie.model import RIE

__all__ = ["RIEFamily"]


class RIEFamily(StagedFamily[RIEConfig]):
    """Temporal convolutions over five body parts, fused in a second stage."""

    config_class = RIEConfig

    def build_model(self, config: RIEConfig) -> RIE:
        from tf_pose3d.models.rie.model import RIE

        model = RIE(
            config.SKELETON,
            config.FILTER_WIDTHS,
            config.CHANNELS,
            config.LATENT_FEATURES,
            config.HIDDEN_FEATURES,
            config.DROP_RATE,
            config.CAUSAL,
            config.STAGE,
            name="rie",
        )
        model.build()
        return model
