"""Arguments of the deformable RoI pooling: one normal form, and every shape rule in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tf_pose3d.errors import Pose3DError
from tf_pose3d.ops.arguments import Shape, channels_last, normal_data_format, positive_int


@dataclass(frozen=True)
class PsRoiOptions:
    """Attributes of one deformable position-sensitive RoI pooling in normal form.

    Numbers are rounded to float32, in which TensorFlow keeps the attributes of an operation.
    """

    spatial_scale: float
    group_size: int
    pooled_size: int
    part_size: int
    sample_per_part: int
    trans_std: float
    data_format: str

    @classmethod
    def make(
        cls,
        spatial_scale: float,
        group_size: int,
        pooled_size: int,
        part_size: int | None,
        sample_per_part: int,
        trans_std: float,
        data_format: str,
    ) -> PsRoiOptions:
        """Normalise arguments as `deform_psroi_pooling` takes them. Raises Pose3DError naming the bad one."""
        if not math.isfinite(spatial_scale) or spatial_scale <= 0:
            raise Pose3DError(f"spatial_scale: expected a positive number, got {spatial_scale!r}")
        if not math.isfinite(trans_std) or trans_std < 0:
            raise Pose3DError(f"trans_std: expected a number not below 0, got {trans_std!r}")
        pooled_size = positive_int("pooled_size", pooled_size)
        return cls(
            spatial_scale=float(np.float32(spatial_scale)),
            group_size=positive_int("group_size", group_size),
            pooled_size=pooled_size,
            part_size=pooled_size if part_size is None else positive_int("part_size", part_size),
            sample_per_part=positive_int("sample_per_part", sample_per_part),
            trans_std=float(np.float32(trans_std)),
            data_format=normal_data_format(data_format),
        )


def check_psroi_shapes(options: PsRoiOptions, x: Shape, rois: Shape, trans: Shape | None) -> None:
    """Check every shape rule of `deform_psroi_pooling` that can be checked.

    Raises Pose3DError naming the argument that is wrong.
    """
    _, height, width, channels = channels_last(x, options.data_format)
    parts = options.group_size**2
    if channels is None:
        raise Pose3DError(f"x: expected a known number of channels, got shape {tuple(x)}")
    if channels < 1 or channels % parts:
        raise Pose3DError(
            f"group_size: {options.group_size} squared does not divide the {channels} channels of x"
        )
    if 0 in (height, width):
        raise Pose3DError(f"x: expected no empty image, got shape {tuple(x)}")
    if rois[1] not in (None, 5):
        raise Pose3DError(f"rois: expected 5 values (image, x1, y1, x2, y2) per region, got {rois[1]}")
    if trans is None:
        return
    count, part_height, part_width, pairs = channels_last(trans, options.data_format)
    if None not in (count, rois[0]) and count != rois[0]:
        raise Pose3DError(f"trans: expected {rois[0]} regions as rois has, got {count}")
    for axis, got in (("height", part_height), ("width", part_width)):
        if got not in (None, options.part_size):
            raise Pose3DError(f"trans: expected {axis} {options.part_size}, the part_size, got {got}")
    if pairs is None or pairs < 2 or pairs % 2 or (channels // parts) % (pairs // 2):
        raise Pose3DError(
            f"trans: expected 2 channels per class, the classes dividing the {channels // parts} output "
            f"channels, got {pairs} channels"
        )
