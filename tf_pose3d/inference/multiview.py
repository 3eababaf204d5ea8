"""Poses of one group of images that cameras took in turn."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence as SequenceType
from pathlib import Path

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.data.multiview.batches import ViewGroupImages
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.evaluation.image_prediction import original_pixels, run_batches
from tf_pose3d.inference.views import read_cameras, view_group
from tf_pose3d.models.densewarper.config import DenseWarperConfig
from tf_pose3d.models.densewarper.model import DenseWarper
from tf_pose3d.models.image_family import crop_spec
from tf_pose3d.skeleton import get_skeleton

__all__ = ["LiftedViews", "lift_views"]

_FPS = 50.0


@dataclasses.dataclass(frozen=True)
class LiftedViews:
    """Poses of the frames of a group.

    Attributes:
        pose_3d: `(T, J, 3)` float32 metres, in the frame of the first view's camera; NaN where fewer than
            two views see a joint.
        sequence: The first view's camera and 2D poses, pixels and confidence.
    """

    pose_3d: np.ndarray
    sequence: Sequence


def lift_views(
    model: DenseWarper,
    config: DenseWarperConfig,
    images: SequenceType[str | os.PathLike],
    cameras: str | os.PathLike,
    fps: float | None = None,
) -> LiftedViews:
    """Poses of every frame of a group.

    Args:
        model: With its weights.
        config: Its config.
        images: One file per view, in their order.
        cameras: Their calibration, in the order of the images; any kind of docs/calibration.md, without
            distortion.
        fps: Frames per second; None: 50.

    Raises:
        Pose3DError: An image or a camera that cannot be read, or another number of cameras than views.
    """
    skeleton = get_skeleton(config.skeleton)
    calibrations, boxes = read_cameras(Path(cameras), model.num_views)
    records, groups = view_group(
        [Path(image) for image in images], calibrations, boxes, skeleton.joints, model.pattern
    )
    data = ViewGroupImages(records, groups, crop_spec(config, "test"))
    outputs, batch, _ = run_batches(model, data, 1, ("pose_3d", "keypoints_2d", "confidence"), ("crop",))
    crop = np.repeat(batch["crop"][:, 0], model.num_frames, axis=0)
    pixels = original_pixels(outputs["keypoints_2d"][0, :, 0], crop, data.spec.stride)
    poses = (outputs["pose_3d"][0] - calibrations.centre[0]) @ calibrations.rotation[0].T / 1000
    height, width = records.images.read(0).shape[:2]
    sequence = Sequence(
        subject="",
        action="",
        name=str(images[0]),
        skeleton=skeleton,
        fps=fps or _FPS,
        camera=Camera(
            id="0",
            width=width,
            height=height,
            focal_length=calibrations.intrinsics[0, :2],
            center=calibrations.intrinsics[0, 2:],
            radial=np.zeros(3),
            tangential=np.zeros(2),
        ),
        pose_2d=np.concatenate([pixels, outputs["confidence"][0, :, 0, :, None]], axis=-1).astype(np.float32),
    )
    return LiftedViews(poses.astype(np.float32), sequence)
