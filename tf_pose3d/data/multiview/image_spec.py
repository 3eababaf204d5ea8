"""Which images a model is given as examples."""

from __future__ import annotations

import dataclasses
from typing import Any

from tf_pose3d.data.multiview.crop_spec import CropSpec

__all__ = ["ImageSpec", "SingleImageSpec", "ViewGroupSpec"]


@dataclasses.dataclass(frozen=True)
class ImageSpec:
    """Which images of a data set are examples.

    Attributes:
        crop: How they become the network's input.
        root: Folder of images and annotations.
        data_format: `jpg`, files in folders, or `zip`, `images.zip`.
        cameras: Which, by the data set's own numbers.
        joints: Joint layout of the examples.
        step: Every n-th image or group is an example.
    """

    crop: CropSpec
    root: str
    data_format: str
    cameras: tuple[int, ...]
    joints: str
    step: int

    @property
    def options(self) -> dict[str, Any]:
        """What a data set's reader is told."""
        return {"root": self.root, "data_format": self.data_format}


@dataclasses.dataclass(frozen=True)
class SingleImageSpec(ImageSpec):
    """Images one by one.

    Attributes:
        mix_mpii: Whether all of MPII's training images come with the data set's.
    """

    mix_mpii: bool = False


@dataclasses.dataclass(frozen=True)
class ViewGroupSpec(ImageSpec):
    """Groups of views that show a person in turn.

    Attributes:
        pattern: The frame of a group that each camera shows, counted from 0.
        missing_view: `skip` groups that lack an image, or `error`.
    """

    pattern: tuple[int, ...] = ()
    missing_view: str = "skip"
