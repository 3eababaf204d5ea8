"""How images are cut, said without TensorFlow: families give it under every backend."""

from __future__ import annotations

import dataclasses

import numpy as np

__all__ = ["CropSpec"]


@dataclasses.dataclass(frozen=True)
class CropSpec:
    """How images become the network's input.

    Attributes:
        image_size: Width and height of the input, pixels.
        heatmap_size: Width and height of the heat maps, pixels.
        sigma: Standard deviation of the heat-map targets, heat-map pixels.
        rotation_factor, scale_factor: See `draw_augmentation`; 0 where nothing is drawn.
        bgr: See `normalize_pixels`.
    """

    image_size: tuple[int, int]
    heatmap_size: tuple[int, int]
    sigma: float = 3.0
    rotation_factor: float = 0.0
    scale_factor: float = 0.0
    bgr: bool = True

    @property
    def stride(self) -> np.ndarray:
        """`(2,)` float32 input pixels per heat-map pixel, along x and y."""
        return (np.array(self.image_size) / np.array(self.heatmap_size)).astype(np.float32)
