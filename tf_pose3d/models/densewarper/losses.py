"""Losses of 2D joints of warped heat maps."""

from __future__ import annotations

from collections.abc import Sequence

from keras import ops

from tf_pose3d.types import Tensor

__all__ = ["joint_loss", "released_targets", "views_that_see"]


_SCALE_PIXELS = 8.0
_ALPHA = -10.0
_FACTOR = 1000.0


def joint_loss(predicted: Tensor, target: Tensor, counts: Tensor | None = None) -> Tensor:
    """A robust loss of 2D joints: quadratic for small errors, bounded for large ones.

    Barron's general loss (CVPR 2019) of the sum of the errors in x and y, with scale 8 and shape -10, times
    1000, and times 0.8, the release's factor, where Barron's is 1.2.

    Args:
        predicted: `(..., J, 2)` heat-map pixels.
        target: The same shape.
        counts: `(..., J)`: whether a joint counts; None: all do.

    Returns:
        The mean over all joints, those that do not count adding 0.
    """
    distance = ops.sum(ops.abs(predicted - target), axis=-1)
    if counts is not None:
        # Before the power: what does not count may be NaN.
        distance = ops.where(counts, distance, 0.0)
    inner = ops.square(distance / _SCALE_PIXELS) / abs(_ALPHA - 2) + 1
    value = (abs(_ALPHA) - 2) / _ALPHA * (ops.power(inner, _ALPHA / 2) - 1)
    return _FACTOR * ops.mean(value)


def released_targets(keypoints: Tensor, pattern: Sequence[int]) -> Tensor:
    """What the release aims every map at: the joints at the frame that the map's view shows.

    Args:
        keypoints: `(B, T, V, J, 2)`, the joints of every view at every frame.
        pattern: The frame that each view shows.

    Returns:
        The same shape: each view's own frame at all frames.
    """
    own = ops.stack([keypoints[:, frame, view] for view, frame in enumerate(pattern)], axis=1)
    return ops.broadcast_to(own[:, None], ops.shape(keypoints))


def views_that_see(visible: Tensor, pattern: Sequence[int]) -> Tensor:
    """How many views see a joint in the frame that they show.

    Args:
        visible: `(B, T, V, J)`, not 0 where a joint is seen.
        pattern: The frame that each view shows.

    Returns:
        `(B, J)` int32.
    """
    own = ops.stack([visible[:, frame, view] for view, frame in enumerate(pattern)], axis=1)
    return ops.sum(ops.cast(ops.cast(own, "float32") > 0, "int32"), axis=1)
