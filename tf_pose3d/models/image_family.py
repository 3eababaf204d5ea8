"""What the families that read images share: their layout and how images become the network's input."""

from __future__ import annotations

from typing import TypeVar

from tf_pose3d.data.multiview.crop_spec import CropSpec
from tf_pose3d.models.family import Family
from tf_pose3d.models.pose_resnet.config import ImageConfig

__all__ = ["ImageFamily", "crop_spec"]


ConfigT = TypeVar("ConfigT", bound=ImageConfig)


class ImageFamily(Family[ConfigT]):
    """A family that reads images of calibrated cameras instead of sequences of 2D poses."""

    def skeleton(self, config: ConfigT) -> str:
        return config.skeleton


def crop_spec(config: ImageConfig, split: str) -> CropSpec:
    """How images become the network's input; only training turns and scales them."""
    training = split == "train"
    width, height = config.IMAGE_SIZE
    map_width, map_height = config.HEATMAP_SIZE
    return CropSpec(
        image_size=(width, height),
        heatmap_size=(map_width, map_height),
        sigma=config.SIGMA,
        rotation_factor=config.ROT_FACTOR if training else 0.0,
        scale_factor=config.SCALE_FACTOR if training else 0.0,
        bgr=config.BGR,
    )
