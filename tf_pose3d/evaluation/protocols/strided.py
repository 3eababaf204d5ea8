"""VideoPose3D's protocol as Strided Transformer's release runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tf_pose3d.data.windows import Windows
from tf_pose3d.evaluation.metrics import mpjpe
from tf_pose3d.evaluation.protocols.videopose3d import VideoPose3DProtocol
from tf_pose3d.models.strided.config import StridedTransformerConfig

__all__ = ["StridedProtocol"]


class StridedProtocol(VideoPose3DProtocol[StridedTransformerConfig]):
    """The root's own prediction is set to 0; a refined model averages with the mirrored pose itself."""

    def recording_error(self, poses: npt.NDArray[Any], truth: npt.NDArray[Any], root: int) -> str:
        """As the base class, with the root's own prediction set to 0."""
        poses = poses.copy()
        poses[:, root] = 0
        error = 1000 * mpjpe(poses, truth - truth[:, root : root + 1]).mean()
        return (
            f"mean joint error (MPJPE) {error:.1f} mm, the predicted root set to 0, as the family's release "
            "reports it"
        )

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
