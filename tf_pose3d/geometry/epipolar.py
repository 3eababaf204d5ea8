"""Heat maps of one view seen from another: maxima along epipolar lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from keras import ops

from tf_pose3d.geometry.views import (
    camera_matrix,
    dehomogenise,
    inverse_affine,
    inverse_camera_matrix,
)
from tf_pose3d.ops.line_maximum import line_maximum
from tf_pose3d.types import Tensor

__all__ = ["epipolar_lines", "epipolar_maximum"]


# An epipolar line is drawn through what a pixel shows at these two depths (DenseWarper's release).
_DEPTHS_MM = (1000.0, 5000.0)


def _square(affine: Tensor) -> Tensor:
    """`(..., 3, 3)` of `(..., 2, 3)`."""
    last = ops.zeros_like(affine[..., :1, :]) + ops.cast(np.array([0.0, 0.0, 1.0]), affine.dtype)
    return ops.concatenate([affine, last], axis=-2)


def epipolar_lines(
    affine: Tensor,
    intrinsics: Tensor,
    rotation: Tensor,
    centre: Tensor,
    height: int,
    width: int,
    pairs: Sequence[tuple[int, int]],
) -> Tensor:
    """Epipolar lines of all heat-map pixels, each by two points.

    Args:
        affine: `(B, V, 2, 3)`, image to heat map, pixels.
        intrinsics: `(B, V, 4)` pixels.
        rotation: `(B, V, 3, 3)`, world to camera.
        centre: `(B, V, 3)` mm, world.
        height, width: Of the heat maps.
        pairs: P pairs (view of the pixels, view of the lines).

    Returns:
        `(B, P, height * width, 4)`: x and y of what the pixel shows at a depth of 1 m, x and y of what it
        shows at 5 m, in heat-map pixels of the other view. Both points are the same where the views have
        one centre, and not finite or far away where the camera's plane is met. No gradients flow back.
    """
    affine, intrinsics, rotation, centre = (
        ops.stop_gradient(ops.cast(ops.convert_to_tensor(t), "float32"))
        for t in (affine, intrinsics, rotation, centre)
    )
    own, other = (np.array(views, "int32") for views in zip(*pairs, strict=True))
    # Heat-map pixel -> ray in the world, world -> homogeneous heat-map pixel.
    rays = ops.matmul(
        ops.swapaxes(rotation, -1, -2),
        ops.matmul(inverse_camera_matrix(intrinsics), _square(inverse_affine(affine))),
    )
    views = ops.matmul(ops.matmul(_square(affine), camera_matrix(intrinsics)), rotation)
    target = ops.take(views, other, axis=1)
    slope = ops.matmul(target, ops.take(rays, own, axis=1))
    baseline = ops.take(centre, own, axis=1) - ops.take(centre, other, axis=1)
    start = ops.matmul(target, baseline[..., None])
    y, x = np.mgrid[:height, :width].reshape(2, -1)
    pixels = ops.convert_to_tensor(np.stack([x, y, np.ones_like(x)]), dtype="float32")
    rising = ops.matmul(slope, pixels)
    ends = [dehomogenise(ops.swapaxes(start + depth * rising, -1, -2)) for depth in _DEPTHS_MM]
    return ops.concatenate(ends, axis=-1)


def epipolar_maximum(heatmaps: Tensor, lines: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    """For each pixel of one view the maximum of another view's heat map along the pixel's epipolar line.

    The line is sampled at every integer x and every integer y, at the nearest pixel; samples outside the
    heat map count as zero (DenseWarper's release).

    Args:
        heatmaps: `(B, V, h, w, J)`.
        lines: `(B, P, h * w, 4)` of `epipolar_lines`.
        pairs: The P pairs of it.

    Returns:
        `(B, P, h, w, J)`. Where there is no line, as between views with one centre, it is zero. Gradients
        flow to the brightest pixels, none to the lines.
    """
    _, _, height, width, joints = heatmaps.shape
    best = line_maximum(heatmaps, lines, [other for _, other in pairs])
    return ops.reshape(best, (-1, len(pairs), height, width, joints))
