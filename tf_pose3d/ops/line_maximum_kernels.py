"""The compiled search for the brightest pixels of lines as a TensorFlow function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tf_pose3d.ops import loader, transformer_kernels


def available(*tensors: Any) -> bool:
    """Whether the compiled operation serves these tensors: as `transformer_kernels.available` says."""
    return transformer_kernels.available(*tensors)


def brightest_pixel(images: Any, lines: Any, sources: Sequence[int], shortest: float, farthest: float) -> Any:
    """The compiled counterpart of `line_maximum.brightest_pixel`."""
    return loader.load().tf_pose3d_brightest_pixel(
        images=images, lines=lines, sources=list(sources), shortest=shortest, farthest=farthest
    )
