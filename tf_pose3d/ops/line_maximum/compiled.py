"""The compiled search for the brightest pixels of lines as a TensorFlow function."""

from __future__ import annotations

from collections.abc import Sequence

from tf_pose3d.ops.dispatch import CompiledOperation
from tf_pose3d.types import Tensor

OPERATION = CompiledOperation("line_maximum")


def brightest_pixel(
    images: Tensor, lines: Tensor, sources: Sequence[int], shortest: float, farthest: float
) -> Tensor:
    """The compiled counterpart of `operation.brightest_pixel`."""
    return OPERATION.library.tf_pose3d_brightest_pixel(
        images=images, lines=lines, sources=list(sources), shortest=shortest, farthest=farthest
    )
