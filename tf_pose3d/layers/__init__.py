"""Layers that families share. Public ones are imported when first asked for, as they start TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_pose3d.types import Tensor

if TYPE_CHECKING:
    from tf_pose3d.layers.deform_conv import DeformConv2D, ModulatedDeformConv2D

__all__ = ["DeformConv2D", "ModulatedDeformConv2D"]


def __getattr__(name: str) -> Tensor:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tf_pose3d.layers import deform_conv

    return getattr(deform_conv, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
