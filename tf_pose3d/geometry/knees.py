"""Knees that do not bend backwards."""

from __future__ import annotations

from keras import ops

from tf_pose3d.types import Tensor

__all__ = ["bend_forwards", "front_of"]


_SMALL = 1e-8


def front_of(across: Tensor, up: Tensor) -> Tensor:
    """`(..., 3)` unit vectors to a person's front.

    Args:
        across: `(..., 3)` from the right to the left hip.
        up: `(..., 3)` along the trunk.
    """
    # By its components: neither ONNX nor TensorFlow Lite has a cross product.
    a, b = ([vectors[..., number] for number in range(3)] for vectors in (across, up))
    front = ops.stack(
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]], axis=-1
    )
    return front * ops.rsqrt(ops.maximum(ops.sum(ops.square(front), axis=-1, keepdims=True), _SMALL))


def bend_forwards(thigh: Tensor, shin: Tensor, front: Tensor, margin: float) -> Tensor:
    """Shins that leave the knee at most `margin` behind the line from hip to ankle.

    The knee lies `(thigh - shin) . front / 2` before the middle of that line. Where it would lie further
    back than the margin, the part of the shin along `front` is cut down to what is allowed, and the rest is
    lengthened so that the shin keeps its length. All others are left as they are.

    Args:
        thigh: `(..., 3)` from hip to knee, metres.
        shin: `(..., 3)` from knee to ankle.
        front: `(..., 3)` of `front_of`.
        margin: Metres.
    """
    along = ops.sum(shin * front, axis=-1, keepdims=True)
    square = ops.sum(ops.square(shin), axis=-1, keepdims=True)
    length = ops.sqrt(ops.maximum(square, _SMALL))
    most = ops.sum(thigh * front, axis=-1, keepdims=True) + 2 * margin
    most = ops.clip(most, -0.999 * length, 0.999 * length)
    # A shin that points straight ahead has no rest: it bends the way of the thigh.
    rest = shin - along * front
    hanging = thigh - ops.sum(thigh * front, axis=-1, keepdims=True) * front
    rest = rest + 1e-3 * hanging
    rest = rest * ops.rsqrt(ops.maximum(ops.sum(ops.square(rest), axis=-1, keepdims=True), _SMALL))
    bent = most * front + ops.sqrt(ops.maximum(square - most * most, _SMALL)) * rest
    return ops.where(along > most, bent, shin)
