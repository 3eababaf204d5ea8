"""Matrices of calibrated pinhole views.

A view has a rotation (world to camera), a centre in the world (mm), intrinsics (focal lengths and principal
point, pixels) and a crop, the affine map from its image to the network's input. Images are free of
distortion, or taken to be. All functions take arrays or tensors with any leading axes.
"""

from __future__ import annotations

from keras import ops

from tf_pose3d.types import Tensor

__all__ = [
    "camera_matrix",
    "cross_matrix",
    "dehomogenise",
    "fundamental_matrix",
    "heatmap_affine",
    "image_points",
    "inverse_affine",
    "inverse_camera_matrix",
    "project_points",
    "projection_matrix",
]


# A depth or an extent below this is no divisor.
_TINY = 1e-8


def _matrix(rows: list[list[Tensor]]) -> Tensor:
    """`(..., R, C)` of R lists of C tensors `(...)`."""
    return ops.stack([ops.stack(row, axis=-1) for row in rows], axis=-2)


def camera_matrix(intrinsics: Tensor) -> Tensor:
    """`(..., 3, 3)` of `(..., 4)` intrinsics: fx, fy, cx, cy in pixels."""
    intrinsics = ops.convert_to_tensor(intrinsics)
    fx, fy, cx, cy = (intrinsics[..., index] for index in range(4))
    zero, one = ops.zeros_like(fx), ops.ones_like(fx)
    return _matrix([[fx, zero, cx], [zero, fy, cy], [zero, zero, one]])


def inverse_camera_matrix(intrinsics: Tensor) -> Tensor:
    """The inverse of `camera_matrix`: pixels to rays of depth 1."""
    intrinsics = ops.convert_to_tensor(intrinsics)
    fx, fy, cx, cy = (intrinsics[..., index] for index in range(4))
    zero, one = ops.zeros_like(fx), ops.ones_like(fx)
    return _matrix([[1 / fx, zero, -cx / fx], [zero, 1 / fy, -cy / fy], [zero, zero, one]])


def heatmap_affine(crop: Tensor, stride: float = 4.0) -> Tensor:
    """The affine map from image pixels to heat-map pixels.

    Args:
        crop: `(..., 2, 3)`, image to network input, pixels.
        stride: Size of the network's input over that of its heat maps.

    Returns:
        `(..., 2, 3)`.
    """
    return ops.convert_to_tensor(crop) / stride


def inverse_affine(affine: Tensor) -> Tensor:
    """The inverse of affine maps `(..., 2, 3)`, of the same shape."""
    affine = ops.convert_to_tensor(affine)
    a, b, c = (affine[..., 0, index] for index in range(3))
    d, e, f = (affine[..., 1, index] for index in range(3))
    determinant = a * e - b * d
    return _matrix(
        [
            [e / determinant, -b / determinant, (b * f - c * e) / determinant],
            [-d / determinant, a / determinant, (c * d - a * f) / determinant],
        ]
    )


def image_points(points: Tensor, affine: Tensor) -> Tensor:
    """Points `(..., J, 2)` under affine maps `(..., 2, 3)`."""
    affine = ops.convert_to_tensor(affine)
    return ops.matmul(points, ops.swapaxes(affine[..., :2], -1, -2)) + affine[..., None, :, 2]


def projection_matrix(intrinsics: Tensor, rotation: Tensor, centre: Tensor) -> Tensor:
    """World (mm) to image pixels, homogeneous: K [R | -R c].

    Args:
        intrinsics: `(..., 4)` pixels.
        rotation: `(..., 3, 3)`, world to camera.
        centre: `(..., 3)` mm, world.

    Returns:
        `(..., 3, 4)`.
    """
    shift = -ops.matmul(rotation, ops.expand_dims(ops.convert_to_tensor(centre), -1))
    return ops.matmul(camera_matrix(intrinsics), ops.concatenate([rotation, shift], axis=-1))


def dehomogenise(points: Tensor) -> Tensor:
    """`(..., n)` of homogeneous `(..., n + 1)`; points at infinity land far away, not on NaN."""
    scale = points[..., -1:]
    safe = ops.where(ops.abs(scale) < _TINY, ops.where(scale < 0, -_TINY, _TINY), scale)
    return points[..., :-1] / ops.cast(safe, points.dtype)


def project_points(points: Tensor, projection: Tensor) -> Tensor:
    """World points `(..., J, 3)` through projection matrices `(..., 3, 4)`: `(..., J, 2)` pixels."""
    projection = ops.convert_to_tensor(projection)
    shifted = ops.matmul(points, ops.swapaxes(projection[..., :3], -1, -2)) + projection[..., None, :, 3]
    return dehomogenise(shifted)


def cross_matrix(vector: Tensor) -> Tensor:
    """`(..., 3, 3)` that multiplies as the cross product with `(..., 3)` does from the left."""
    x, y, z = (vector[..., index] for index in range(3))
    zero = ops.zeros_like(x)
    return _matrix([[zero, -z, y], [z, zero, -x], [-y, x, zero]])


def fundamental_matrix(intrinsics: Tensor, rotation: Tensor, centre: Tensor) -> Tensor:
    """Fundamental matrices of all pairs of views.

    Args:
        intrinsics: `(..., V, 4)` pixels.
        rotation: `(..., V, 3, 3)`, world to camera.
        centre: `(..., V, 3)` mm, world.

    Returns:
        `(..., V, V, 3, 3)`: entry [i, j] takes a pixel of view j to its epipolar line in view i. Zero on
        the diagonal.
    """
    intrinsics, rotation, centre = (ops.convert_to_tensor(t) for t in (intrinsics, rotation, centre))
    inverse = inverse_camera_matrix(intrinsics)
    of_i, of_j = ops.expand_dims(rotation, -3), ops.expand_dims(rotation, -4)
    baseline = ops.expand_dims(centre, -3) - ops.expand_dims(centre, -2)
    baseline = ops.squeeze(ops.matmul(of_i, ops.expand_dims(baseline, -1)), -1)
    essential = ops.matmul(cross_matrix(baseline), ops.matmul(of_i, ops.swapaxes(of_j, -1, -2)))
    left = ops.swapaxes(ops.expand_dims(inverse, -3), -1, -2)
    return ops.matmul(left, ops.matmul(essential, ops.expand_dims(inverse, -4)))
