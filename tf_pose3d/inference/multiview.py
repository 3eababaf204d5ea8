"""`inference.py --images --cameras`: poses of one group of interleaved views, from flags to files."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tf_pose3d.camera import Camera
from tf_pose3d.cli.pictures import check_output, check_pictures, draw_pictures
from tf_pose3d.data.multiview.batches import ViewGroupImages
from tf_pose3d.data.sequence import Sequence
from tf_pose3d.errors import Pose3DError
from tf_pose3d.evaluation.image_prediction import original_pixels, run_batches
from tf_pose3d.inference.output import check_pose_file, save_poses
from tf_pose3d.inference.views import read_cameras, view_group
from tf_pose3d.skeleton import get_skeleton

if TYPE_CHECKING:
    from tf_pose3d.models.densewarper.config import DenseWarperConfig
    from tf_pose3d.models.densewarper.family import DenseWarperFamily
    from tf_pose3d.models.densewarper.model import DenseWarper

__all__ = ["lift_views"]

_FPS = 50.0


def lift_views(
    family: DenseWarperFamily,
    model: DenseWarper,
    config: DenseWarperConfig,
    arguments: Namespace,
    log: Callable[[str], None],
) -> None:
    """Writes the poses of every frame of a group, and draws them.

    Poses are in metres in the frame of the first view's camera.

    Args:
        family: Of the model.
        model: With its weights.
        config: Its config.
        arguments: Of `inference.py`: `images`, `cameras`, `output`, `viz_output` and so on.
        log: Takes a line for the user.

    Raises:
        Pose3DError: Another number of images than views, an image or camera that cannot be read, or nothing
            to write.
    """
    if arguments.images is None or arguments.cameras is None:
        raise Pose3DError(
            "DenseWarper lifts images of calibrated cameras: give --images a.jpg b.jpg ... and --cameras FILE"
        )
    if arguments.output is None and arguments.viz_output is None:
        raise Pose3DError("nothing to write: give --viz_output for a picture or --output for the poses")
    views = model.num_views
    if len(arguments.images) != views:
        raise Pose3DError(f"--images: {len(arguments.images)} files, expected one for each of {views} views")
    inputs = [arguments.weights, arguments.config, arguments.cameras, *arguments.images]
    if arguments.output is not None:
        check_pose_file(arguments.output)
        check_output("--output", arguments.output, inputs)
    if arguments.viz_output is not None:
        check_output("--viz_output", arguments.viz_output, [*inputs, arguments.output])
    skeleton = get_skeleton(family.skeleton(config))
    cameras, boxes = read_cameras(arguments.cameras, views)
    records, groups = view_group(arguments.images, cameras, boxes, skeleton.joints, model.pattern)
    data = ViewGroupImages(records, groups, family.crop_spec(config, "test"))
    outputs, batch, _ = run_batches(model, data, 1, ("pose_3d", "keypoints_2d", "confidence"), ("crop",))
    missing = int(np.isnan(outputs["pose_3d"]).any(axis=-1).sum())
    if missing:
        log(f"{missing} joints are seen by fewer than two views and have no position")
    crop = np.repeat(batch["crop"][:, 0], model.num_frames, axis=0)
    pixels = original_pixels(outputs["keypoints_2d"][0, :, 0], crop, data.spec.stride)
    poses = (outputs["pose_3d"][0] - cameras.centre[0]) @ cameras.rotation[0].T / 1000
    height, width = records.images.read(0).shape[:2]
    sequence = Sequence(
        subject="",
        action="",
        name=str(arguments.images[0]),
        skeleton=skeleton,
        fps=arguments.fps or _FPS,
        camera=Camera(
            id="0",
            width=width,
            height=height,
            focal_length=cameras.intrinsics[0, :2],
            center=cameras.intrinsics[0, 2:],
            radial=np.zeros(3),
            tangential=np.zeros(2),
        ),
        pose_2d=np.concatenate([pixels, outputs["confidence"][0, :, 0, :, None]], axis=-1).astype(np.float32),
    )
    log(f"{len(poses)} frames of {views} views")
    root = family.root_joint(config)
    if arguments.output is not None:
        save_poses(arguments.output, poses.astype(np.float32), sequence, root)
        log(f"wrote {arguments.output}")
    if arguments.viz_output is not None:
        check_pictures(arguments, sequence)
        draw_pictures(arguments, sequence, poses.astype(np.float32), root, log)
