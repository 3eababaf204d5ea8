"""LCN's image frame and the way to and from the camera frame.

In the image frame x and y are pixels of an ideal pinhole camera, and z is the depth in millimetres relative
to the root (joint 0) times `(box width + 1) / 2000`: pixels as well, since the box is the projection of a
square of 2000 mm round the root. The network works on *normalised* image coordinates: x and y as screen
coordinates (`tf_pose3d.camera`), z in pixels times 2 / image width.

All functions take arrays or tensors of Keras's backend.
"""

from __future__ import annotations

from typing import Any

from keras import ops

__all__ = ["camera_poses", "image_poses", "pinhole_parameters"]

_BOX_METRES = 2.0


def pinhole_parameters(intrinsics: Any) -> Any:
    """`(B, 5)` of `(B, 11)` normalised intrinsics: image width, focal lengths and principal point.

    The focal lengths and the principal point stay on the normalised screen scale, the width is in pixels.
    """
    return ops.concatenate([intrinsics[:, :1], intrinsics[:, 2:6]], axis=1)


def _depth_scale(cameras: Any, root_depth: Any, box_width: Any | None) -> Any:
    """`(B,)` normalised depth per metre of depth."""
    width, focal = cameras[:, 0], cameras[:, 1]
    if box_width is None:
        box_width = _BOX_METRES * focal * width / 2 / root_depth
    # The release's boxes count both of their edges, hence + 1.
    return (box_width + 1) / _BOX_METRES * 2 / width


def camera_poses(pose_image: Any, cameras: Any, root_depth: Any, box_width: Any | None = None) -> Any:
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


def image_poses(pose_3d: Any, cameras: Any, root_depth: Any, box_width: Any | None = None) -> Any:
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
