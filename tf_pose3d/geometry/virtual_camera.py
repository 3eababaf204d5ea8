"""A virtual camera turned to the person: what is seen no longer depends on the place in the image."""

from __future__ import annotations

from keras import ops

from tf_pose3d.types import Tensor

__all__ = ["VirtualView", "turn_back", "virtual_view"]


class VirtualView:
    """A person as the virtual camera sees them.

    Attributes:
        points: `(..., J, 2)`: joints round their mean, at unit root mean square; 0 where unseen.
        log_size: `(..., 1)`: natural logarithm of that root mean square, in units of the focal length.
        direction: `(..., 3)`: unit vector of the virtual optical axis in the real camera.
    """

    def __init__(self, points: Tensor, log_size: Tensor, direction: Tensor) -> None:
        self.points = points
        self.log_size = log_size
        self.direction = direction


def virtual_view(rays: Tensor, confidence: Tensor) -> VirtualView:
    """Turns a camera to the mean direction of the joints, by the shortest arc.

    Args:
        rays: `(..., J, 2)` X/Z and Y/Z of each joint in the real camera.
        confidence: `(..., J)`, the weights of the mean; 0 where unseen.
    """
    confidence = ops.cast(confidence, rays.dtype)
    total = ops.maximum(ops.sum(confidence, axis=-1, keepdims=True), 1e-6)
    weights = confidence / total
    # Unseen joints may hold anything.
    rays = ops.where(ops.expand_dims(confidence, -1) > 0, rays, 0.0)
    x, y = rays[..., 0], rays[..., 1]
    inverse = ops.rsqrt(x * x + y * y + 1.0)
    a = ops.sum(weights * x * inverse, axis=-1, keepdims=True)
    b = ops.sum(weights * y * inverse, axis=-1, keepdims=True)
    # With no joint at all the camera stays where it is.
    c = ops.maximum(ops.sum(weights * inverse, axis=-1, keepdims=True), 1e-3)
    norm = ops.rsqrt(a * a + b * b + c * c)
    a, b, c = a * norm, b * norm, c * norm
    k = 1.0 / (1.0 + c)
    z = ops.maximum(a * x + b * y + c, 1e-2)
    u = (x * (1.0 - a * a * k) - y * a * b * k - a) / z
    v = (y * (1.0 - b * b * k) - x * a * b * k - b) / z
    u = u - ops.sum(weights * u, axis=-1, keepdims=True)
    v = v - ops.sum(weights * v, axis=-1, keepdims=True)
    square = ops.sum(weights * (u * u + v * v), axis=-1, keepdims=True)
    size = ops.sqrt(ops.maximum(square, 1e-8))
    seen = ops.cast(confidence > 0, rays.dtype)
    points = ops.stack([u / size * seen, v / size * seen], axis=-1)
    return VirtualView(points, ops.log(size), ops.concatenate([a, b, c], axis=-1))


def turn_back(vectors: Tensor, direction: Tensor) -> Tensor:
    """Vectors of the virtual camera in the real one.

    Args:
        vectors: `(..., J, 3)`.
        direction: `(..., 3)`, of `virtual_view`.
    """
    direction = ops.expand_dims(direction, -2)
    a, b, c = direction[..., 0], direction[..., 1], direction[..., 2]
    k = 1.0 / (1.0 + c)
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return ops.stack(
        [
            x * (1.0 - a * a * k) - y * a * b * k + z * a,
            y * (1.0 - b * b * k) - x * a * b * k + z * b,
            z * c - x * a - y * b,
        ],
        axis=-1,
    )
