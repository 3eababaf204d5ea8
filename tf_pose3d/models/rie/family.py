"""RIE."""

from __future__ import annotations

from tf_pose3d.models.rie.config import RIEConfig
from tf_pose3d.models.rie.model import RIE
from tf_pose3d.models.staged import StagedFamily

__all__ = ["RIEFamily"]


class RIEFamily(StagedFamily[RIEConfig]):
    """Temporal convolutions over five body parts, fused in a second stage."""

    config_class = RIEConfig

    def build_model(self, config: RIEConfig) -> RIE:
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
