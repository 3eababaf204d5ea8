"""LCN's image frame and the way to and from the camera frame.

In the image frame x and y are pixels of an ideal pinhole camera, and z is the depth in millimetres relative
to the root (joint 0) times `(box width + 1) / 2000`: pixels as well, since the box is the projection of a
square of 2000 mm round the root. The network works on *normalised* image coordinates: x and y as screen
coordinates (`tf_pose3d.camera`), z in pixels times 2 / image width.

All functions but the last take arrays or tensors of Keras's backend.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from keras import ops

from tf_pose3d.types import Tensor

__all__ = ["camera_poses", "image_poses", "pinhole_parameters", "typical_root_depth"]

_BOX_METRES = 2.0


def pinhole_parameters(intrinsics: Tensor) -> Tensor:
    """`(B, 5)` of `(B, 11)` normalised intrinsics: image width, focal lengths and principal point.

    The focal lengths and the principal point stay on the normalised screen scale, the width is in pixels.
    """
    return ops.concatenate([intrinsics[:, :1], intrinsics[:, 2:6]], axis=1)


def _depth_scale(cameras: Tensor, root_depth: Tensor, box_width: Tensor | None) -> Tensor:
    """`(B,)` normalised depth per metre of depth."""
    width, focal = cameras[:, 0], cameras[:, 1]
    if box_width is None:
        box_width = _BOX_METRES * focal * width / 2 / root_depth
    # The release's boxes count both of their edges, hence + 1.
    return (box_width + 1) / _BOX_METRES * 2 / width


def camera_poses(
    pose_image: Tensor, cameras: Tensor, root_depth: Tensor, box_width: Tensor | None = None
) -> Tensor:
    """Normalised image coordinates to the camera frame.

    Args:
        pose_image: `(B, J, 3)` normalised.
        cameras: `(B, 5)` of `pinhole_parameters`.
        root_depth: `(B,)` metres.
        box_width: `(B,)` pixels; None: that of the square of 2 m at the root.

    Returns:
        `(B, J, 3)` metres.
    """
    scale = _depth_scale(cameras, root_depth, box_width)
    depth = pose_image[..., 2:] / scale[:, None, None] + root_depth[:, None, None]
    rays = (pose_image[..., :2] - cameras[:, None, 3:5]) / cameras[:, None, 1:3]
    return ops.concatenate([rays * depth, depth], axis=-1)


def image_poses(
    pose_3d: Tensor, cameras: Tensor, root_depth: Tensor, box_width: Tensor | None = None
) -> Tensor:
    """The inverse of `camera_poses`: the label that the network is trained on.

    Args:
        pose_3d: `(B, J, 3)` metres, camera frame.
        cameras, root_depth, box_width: As there.

    Returns:
        `(B, J, 3)` normalised.
    """
    scale = _depth_scale(cameras, root_depth, box_width)
    screen = pose_3d[..., :2] / pose_3d[..., 2:] * cameras[:, None, 1:3] + cameras[:, None, 3:5]
    depth = (pose_3d[..., 2:] - root_depth[:, None, None]) * scale[:, None, None]
    return ops.concatenate([screen, depth], axis=-1)


def typical_root_depth(
    pose_image: np.ndarray, intrinsics: np.ndarray, bones: Mapping[tuple[int, int], float]
) -> np.ndarray:
    """The root's depth in each frame at which the bones have their typical lengths in sum.

    An image shows a small person nearby and a tall one farther away alike; where nothing else tells the
    depth, the person counts as typical.

    Args:
        pose_image: `(F, J, 3)` normalised.
        intrinsics: `(11,)` of the camera.
        bones: (parent, child) -> metres.

    Returns:
        `(F,)` float32 metres.
    """
    cameras = np.tile(intrinsics[[0, 2, 3, 4, 5]].astype(np.float64), (len(pose_image), 1))
    parents, children = (list(ends) for ends in zip(*bones, strict=True))
    depth = np.full(len(pose_image), 5.0)
    # Lengths grow in proportion to the depth, but for the edge of a pixel that boxes count twice.
    for _ in range(3):
        pose = np.asarray(camera_poses(pose_image.astype(np.float64), cameras, depth))
        lengths = np.linalg.norm(pose[:, parents] - pose[:, children], axis=-1).sum(axis=1)
        depth = depth * sum(bones.values()) / np.maximum(lengths, 1e-6)
    return depth.astype(np.float32)
