"""VideoPose3D's protocol as Strided Transformer's release runs it."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from tf_pose3d.data.windows import Windows
from tf_pose3d.evaluation.protocols.videopose3d import VideoPose3DProtocol
from tf_pose3d.models.strided.config import StridedTransformerConfig

__all__ = ["StridedProtocol"]


class StridedProtocol(VideoPose3DProtocol[StridedTransformerConfig]):
    """The root's own prediction is set to 0; a refined model averages with the mirrored pose itself."""

    def predict(
        self,
        model: keras.Model,
        config: StridedTransformerConfig,
        data: Windows,
        indices: np.ndarray | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        if config.REFINE:
            model.average_mirrored = config.EVAL_FLIP
        _, setting = config.evaluation_settings()[0]
        poses = super().predict(model, setting, data, indices, progress)
        poses[:, self.family.root_joint(config)] = 0
        return poses
