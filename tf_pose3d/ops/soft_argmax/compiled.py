"""The compiled soft-argmax as a TensorFlow function."""

from __future__ import annotations

from typing import Any

from tf_pose3d.ops.dispatch import CompiledOperation
from tf_pose3d.types import Tensor

OPERATION = CompiledOperation("soft_argmax")


def soft_argmax(heatmaps: Tensor, diameter: float, temperature: float) -> tuple[Any, Any]:
    """Maxima and means under the softmax in the disc round them; neither has a gradient.

    Args:
        heatmaps: `(M, h, w, J)` float32.
        diameter, temperature: As in `tf_pose3d.geometry.soft_argmax.soft_argmax`.

    Returns:
        `(M, J, 2)` int32 x and y of the first maxima; `(M, J, 2)` float32 means.
    """
    return OPERATION.library.tf_pose3d_soft_argmax(
        heatmaps=heatmaps, diameter=diameter, temperature=temperature
    )
